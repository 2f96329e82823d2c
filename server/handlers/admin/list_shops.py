"""ListShops: the shops by name, with what proves them."""

from server.handlers.admin.shop_summary import shop_summary
from server.handlers.base import Call, Services
from soap.messages import admin

PAGE = 100


async def list_shops(call: Call[admin.ListShopsRequest], services: Services) -> admin.ListShopsAnswer:
    """Give a page of shops."""
    after = call.message.page_token or ""
    names = [name for name in await services.credentials.names() if name > after]
    views = [await services.credentials.show(name) for name in names[:PAGE]]
    more = len(names) > PAGE
    return admin.ListShopsAnswer(
        page=admin.ShopPage(
            has_more=more,
            next_page_token=names[PAGE - 1] if more else None,
            shop=tuple(map(shop_summary, views)),
        )
    )
