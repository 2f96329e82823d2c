"""THE table: what each operation asks of its caller. It stands beside the registry and is enforced at gate B."""

from collections.abc import Mapping

from licensing.rights import ADMIN_READ, ADMIN_SECURITY, ADMIN_SUPPORT, ORDER, READ
from server.security.rights import Requirements

_SEE = frozenset({ADMIN_READ, ADMIN_SUPPORT, ADMIN_SECURITY})
_SECURE = frozenset({ADMIN_SECURITY})

REQUIRED: Mapping[str, Requirements] = {
    "Sales": Requirements(
        rights={
            "CreateOrder": ORDER,
            "CreateOrders": ORDER,
            "CancelOrder": ORDER,
            "WithdrawLicense": ORDER,
            "ReplaceLicense": ORDER,
            "GetOrder": READ,
            "FindOrders": READ,
            "ListItems": READ,
        }
    ),
    "Depot": Requirements(identified=frozenset({"GetLicenseUpdates"})),
    "Admin": Requirements(
        roles={
            "SetShopFilter": _SECURE,
            "GetShopFilter": _SEE,
            "ExplainAddress": _SEE,
            "CreateShop": _SECURE,
            "UpdateShop": _SECURE,
            "ListShops": _SEE,
            "AddCredential": _SECURE,
            "RevokeCredential": _SECURE,
        }
    ),
}
"""An operation of Admin that does not stand here is for the role `all`; one of Sales is for every shop."""
