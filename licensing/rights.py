"""What a shop may do."""

from collections.abc import Iterable

from licensing.errors import RightMissing, RightUnknown, RoleUnknown
from storage.records import Shop

ORDER = "order"
"""Place orders, and change what the shop itself has ordered."""

READ = "read"
"""See its own orders, and the items that it may sell."""

FRONT = "front"
"""Speak for others: what the header block OnBehalfOf tells is believed."""

BULK = "bulk"
"""Ask for the updates of many containers at once."""

EXTEND_ANY = "extend-any"
"""Add lines to any ticket whose text it holds, and renew licences that other shops have ordered."""

RIGHTS = (ORDER, READ, EXTEND_ANY, FRONT, BULK)
ADMIN_READ = "read"
"""See what the Admin interface shows."""

ADMIN_SUPPORT = "support"
"""Help licensees: tickets, containers, approvals."""

ADMIN_SECURITY = "security"
"""Say who may connect and with which credential: shops, accounts, filters."""

ADMIN_ALL = "all"

ROLES = (ADMIN_READ, ADMIN_SUPPORT, ADMIN_SECURITY, ADMIN_ALL)
USUAL = (ORDER, READ)
"""What a new shop has."""


def holds(shop: Shop, right: str) -> bool:
    """Whether a shop holds a right."""
    return right in shop.rights.split()


def require(shop: Shop, right: str, *, path: str) -> None:
    """Raise RightMissing unless a shop holds a right."""
    if not holds(shop, right):
        raise RightMissing(f"this needs the right {right}, which this shop does not hold; ask the vendor", path=path)


def roles_text(roles: Iterable[str]) -> str:
    """Give roles of an administrator as they are kept. Raises RoleUnknown."""
    given = sorted(set(roles))
    if not given or not set(given) <= set(ROLES):
        raise RoleUnknown(f"an administrator has one or more of the roles {', '.join(ROLES)}", path="role")
    return " ".join(given)


def rights_text(rights: Iterable[str]) -> str:
    """Give rights as they are kept. Raises RightUnknown."""
    given = sorted(set(rights))
    for right in given:
        if right not in RIGHTS:
            raise RightUnknown(f"there is no such right; the rights are {', '.join(RIGHTS)}", path="right")
    return " ".join(given)
