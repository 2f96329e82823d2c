"""ListItems: what a shop may sell, page by page."""

from server.handlers.base import Call, Services
from soap.messages import sales


async def list_items(call: Call[sales.ListItemsRequest], services: Services) -> sales.ListItemsAnswer:
    """Give one page of items."""
    page = await services.sales.list_items(shop=call.caller.shop, page_token=call.message.page_token)
    return sales.ListItemsAnswer(
        page=sales.ItemPage(
            has_more=page.next_page_token is not None,
            next_page_token=page.next_page_token,
            item=tuple(
                sales.ItemSummary(item_number=x.item_number, firm_code=x.firm_code, product_code=x.product_code)
                for x in page.items
            ),
        )
    )
