"""UpdateShop: what a shop may do, what proves it, whether it is let in."""

from server.handlers.admin.shop_summary import shop_summary
from server.handlers.base import Call, Services
from soap.messages import admin
from storage.records import AccessPolicy


async def update_shop(call: Call[admin.UpdateShopRequest], services: Services) -> admin.UpdateShopAnswer:
    """Change what the message names, one after the other."""
    message, actor = call.message, call.caller.administrator
    name = message.shop_name
    await services.credentials.show(name)
    if message.depot_policy is not None:
        await services.credentials.set_depot_policy(name, AccessPolicy(message.depot_policy), actor=actor)
    if message.rights is not None:
        await services.catalogue.set_rights(name, tuple(message.rights.right), actor=actor)
    if message.policy is not None:
        await services.catalogue.set_policy(name, AccessPolicy(message.policy), actor=actor)
    if message.admission is not None:
        await services.credentials.set_active(name, active=message.admission.active, actor=actor)
    return admin.UpdateShopAnswer(shop=shop_summary(await services.credentials.show(name)))
