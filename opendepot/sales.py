"""The Sales service, as a shop or an ERP system uses it."""

from typing import Any

from opendepot.service import ServiceClient
from soap.messages import sales


class SalesClient(ServiceClient):
    """Orders licences. `url` is the server's public URL or the address of its Sales service."""

    def __init__(self, url: str, *, api_key: str, **options: Any) -> None:
        super().__init__(
            url,
            wsdl="v1/sales.wsdl",
            messages=sales,
            path="/v1/sales",
            headers={"Authorization": f"Bearer {api_key}"},
            **options,
        )

    async def create_order(self, request: sales.CreateOrderRequest) -> sales.OrderReceipt:
        """Record an order; the same transactionId with the same values gives the same order again."""
        answer: sales.CreateOrderAnswer = await self.call("CreateOrder", request)
        return answer.receipt

    async def get_order(self, request: sales.GetOrderRequest) -> sales.OrderDetails:
        """Give an order by exactly one of its names."""
        answer: sales.GetOrderAnswer = await self.call("GetOrder", request)
        return answer.order

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
