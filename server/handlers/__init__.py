"""The registry: every operation and its handler. It must equal the WSDLs; the server refuses to start otherwise."""

from collections.abc import Mapping

from server.handlers.admin.add_credential import add_credential
from server.handlers.admin.create_shop import create_shop
from server.handlers.admin.explain_address import explain_address
from server.handlers.admin.get_shop_filter import get_shop_filter
from server.handlers.admin.list_shops import list_shops
from server.handlers.admin.revoke_credential import revoke_credential
from server.handlers.admin.set_shop_filter import set_shop_filter
from server.handlers.admin.update_shop import update_shop
from server.handlers.base import Handler
from server.handlers.depot.check_for_updates import check_for_updates
from server.handlers.depot.confirm_license_update import confirm_license_update
from server.handlers.depot.extend_license import extend_license as depot_extend_license
from server.handlers.depot.get_auto_update import get_auto_update
from server.handlers.depot.get_extension import get_extension as depot_get_extension
from server.handlers.depot.get_license_update import get_license_update
from server.handlers.depot.get_license_updates import get_license_updates
from server.handlers.depot.get_open_transfers import get_open_transfers
from server.handlers.depot.get_ticket import get_ticket
from server.handlers.depot.restore_license import restore_license
from server.handlers.depot.return_license import return_license
from server.handlers.ozomm.extend_license import extend_license
from server.handlers.ozomm.get_extension import get_extension
from server.handlers.sales.cancel_order import cancel_order
from server.handlers.sales.create_order import create_order
from server.handlers.sales.create_orders import create_orders
from server.handlers.sales.find_orders import find_orders
from server.handlers.sales.get_order import get_order
from server.handlers.sales.list_items import list_items
from server.handlers.sales.replace_license import replace_license
from server.handlers.sales.withdraw_license import withdraw_license
from soap import Contract, ContractError

REGISTRY: Mapping[str, Mapping[str, Handler]] = {
    "Sales": {
        "CreateOrder": create_order,
        "CreateOrders": create_orders,
        "GetOrder": get_order,
        "FindOrders": find_orders,
        "CancelOrder": cancel_order,
        "WithdrawLicense": withdraw_license,
        "ReplaceLicense": replace_license,
        "ListItems": list_items,
    },
    "Admin": {
        "SetShopFilter": set_shop_filter,
        "GetShopFilter": get_shop_filter,
        "ExplainAddress": explain_address,
        "CreateShop": create_shop,
        "UpdateShop": update_shop,
        "ListShops": list_shops,
        "AddCredential": add_credential,
        "RevokeCredential": revoke_credential,
    },
    "Depot": {
        "GetTicket": get_ticket,
        "GetLicenseUpdate": get_license_update,
        "ConfirmLicenseUpdate": confirm_license_update,
        "ReturnLicense": return_license,
        "RestoreLicense": restore_license,
        "CheckForUpdates": check_for_updates,
        "GetAutoUpdate": get_auto_update,
        "GetOpenTransfers": get_open_transfers,
        "GetLicenseUpdates": get_license_updates,
        "ExtendLicense": depot_extend_license,
        "GetExtension": depot_get_extension,
    },
    "Ozomm": {
        "ExtendLicense": extend_license,
        "GetExtension": get_extension,
    },
}


def handlers_of(contract: Contract) -> Mapping[str, Handler]:
    """Give the handlers of a service. Raises ContractError when registry and WSDL differ."""
    handlers = REGISTRY.get(contract.name, {})
    if set(handlers) != set(contract.operations):
        raise ContractError(
            f"the registry and the WSDL of {contract.name} differ: {set(handlers) ^ set(contract.operations)}"
        )
    return handlers
