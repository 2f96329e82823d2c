"""UpdateShop: what a shop may do, what proves it, whether it is let in."""

from licensing.shop_changes import ShopChange
from server.handlers.admin.shop_summary import shop_summary
from server.handlers.base import Call, Services
from soap.messages import admin
from storage.records import AccessPolicy


async def update_shop(call: Call[admin.UpdateShopRequest], services: Services) -> admin.UpdateShopAnswer:
    """Change what the message names, all of it or nothing."""
    message, name = call.message, call.message.shop_name
    change = ShopChange(
        rights=None if message.rights is None else tuple(message.rights.right),
        policy=None if message.policy is None else AccessPolicy(message.policy),
        depot_policy=None if message.depot_policy is None else AccessPolicy(message.depot_policy),
        active=None if message.admission is None else message.admission.active,
    )
    await services.credentials.shop_changes.change(name, change, actor=call.caller.administrator)
    return admin.UpdateShopAnswer(shop=shop_summary(await services.credentials.show(name)))
