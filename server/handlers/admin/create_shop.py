"""CreateShop: a new shop, and its API key, this once."""

from licensing.rights import USUAL
from server.handlers.base import Call, Services
from soap.messages import admin


async def create_shop(call: Call[admin.CreateShopRequest], services: Services) -> admin.CreateShopAnswer:
    """Add a shop."""
    shop, api_key = await services.catalogue.add_shop(
        call.message.shop_name, rights=tuple(call.message.right) or USUAL, actor=call.caller.administrator
    )
    return admin.CreateShopAnswer(receipt=admin.NewShop(shop_name=shop.name, api_key=api_key))
