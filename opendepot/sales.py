"""The Sales service, as a shop or an ERP system uses it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from opendepot.credentials import ApiKey, Credential
from opendepot.service import ServiceClient
from soap.messages import sales

REPEATABLE = frozenset({"GetOrder", "FindOrders", "ListItems", "CreateOrders"})
"""What only reads, and CreateOrders, whose orders carry a transactionId each."""


class SalesClient(ServiceClient):
    """Orders licences. `url` is the server's public URL or the address of its Sales service.

    `api_key` is short for the credential `ApiKey`. For the options see `ServiceClient`.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, credential: Credential | None = None, **options: Any
    ) -> None:
        super().__init__(
            url,
            wsdl="v1/sales.wsdl",
            messages=sales,
            path="/v1/sales",
            credential=ApiKey(key=api_key) if api_key is not None else credential,
            repeatable=REPEATABLE,
            **options,
        )

    async def create_order(self, request: sales.CreateOrderRequest) -> sales.OrderReceipt:
        """Record an order; the same transactionId with the same values gives the same order again."""
        answer: sales.CreateOrderAnswer = await self.call("CreateOrder", request)
        return answer.receipt

    async def create_orders(self, request: sales.CreateOrdersRequest) -> sales.OrderBatch:
        """Record many orders; each is recorded whole or refused for itself."""
        answer: sales.CreateOrdersAnswer = await self.call("CreateOrders", request)
        return answer.batch

    async def get_order(self, request: sales.GetOrderRequest) -> sales.OrderDetails:
        """Give an order by exactly one of its names."""
        answer: sales.GetOrderAnswer = await self.call("GetOrder", request)
        return answer.order

    async def find_orders(self, request: sales.FindOrdersRequest) -> AsyncIterator[sales.OrderDetails]:
        """Give the orders that fit the filters, over all pages, a page in memory at a time."""
        while True:
            answer: sales.FindOrdersAnswer = await self.call("FindOrders", request)
            for order in answer.page.order:
                yield order
            if not answer.page.has_more:
                return
            request = replace(request, page_token=answer.page.next_page_token)

    async def cancel_order(self, request: sales.CancelOrderRequest) -> sales.ChangeOutcome:
        """Take back an order."""
        answer: sales.CancelOrderAnswer = await self.call("CancelOrder", request)
        return answer.outcome

    async def withdraw_license(self, request: sales.WithdrawLicenseRequest) -> sales.ChangeOutcome:
        """Take back pieces of a licence."""
        answer: sales.WithdrawLicenseAnswer = await self.call("WithdrawLicense", request)
        return answer.outcome

    async def replace_license(self, request: sales.ReplaceLicenseRequest) -> sales.ChangeOutcome:
        """Put another item in the place of a licence."""
        answer: sales.ReplaceLicenseAnswer = await self.call("ReplaceLicense", request)
        return answer.outcome

    async def list_items(self) -> tuple[sales.ItemSummary, ...]:
        """Give all items, over all pages."""
        items: list[sales.ItemSummary] = []
        token: str | None = None
        while True:
            answer: sales.ListItemsAnswer = await self.call("ListItems", sales.ListItemsRequest(page_token=token))
            items += answer.page.item
            token = answer.page.next_page_token
            if not answer.page.has_more:
                return tuple(items)
