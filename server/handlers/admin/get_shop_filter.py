"""GetShopFilter: the rules of a shop and what proves it."""

from server.handlers.admin.shop_filter import shop_filter_message
from server.handlers.base import Call, Services
from soap.messages import admin


async def get_shop_filter(call: Call[admin.GetShopFilterRequest], services: Services) -> admin.GetShopFilterAnswer:
    """Give the filter of a shop."""
    found = await services.shop_filters.get(call.message.shop_name)
    return admin.GetShopFilterAnswer(filter=shop_filter_message(found))
