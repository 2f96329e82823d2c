"""FindOrders: a shop's orders that fit some filters, page by page."""

from licensing.searching import OrderFilters
from server.handlers.base import Call, Services
from server.handlers.sales.get_order import details_of
from soap.messages import sales


async def find_orders(call: Call[sales.FindOrdersRequest], services: Services) -> sales.FindOrdersAnswer:
    """Give one page of orders of the calling shop."""
    message = call.message
    page = await services.order_search.find(
        shop=call.caller.shop,
        filters=OrderFilters(
            order_number=message.order_number,
            item_number=message.item_number,
            customer_number=message.customer_number,
            license_state=message.license_state,
            created_from=None if message.created_from is None else message.created_from.time,
            created_to=None if message.created_to is None else message.created_to.time,
        ),
        page_token=message.page_token,
    )
    return sales.FindOrdersAnswer(
        page=sales.OrderPage(
            has_more=page.next_page_token is not None,
            next_page_token=page.next_page_token,
            order=tuple(map(details_of, page.orders)),
        )
    )
