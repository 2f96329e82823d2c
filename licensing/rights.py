"""What a shop may do beyond ordering for itself."""

from collections.abc import Iterable

from licensing.errors import RightMissing, RightUnknown
from storage.records import Shop

EXTEND_ANY = "extend-any"
"""Add lines to any ticket whose text it holds, and renew licences that other shops have ordered."""

RIGHTS = (EXTEND_ANY,)


def holds(shop: Shop, right: str) -> bool:
    """Whether a shop holds a right."""
    return right in shop.rights.split()


def require(shop: Shop, right: str, *, path: str) -> None:
    """Raise RightMissing unless a shop holds a right."""
    if not holds(shop, right):
        raise RightMissing(f"this needs the right {right}, which this shop does not hold; ask the vendor", path=path)


def rights_text(rights: Iterable[str]) -> str:
    """Give rights as they are kept. Raises RightUnknown."""
    given = sorted(set(rights))
    for right in given:
        if right not in RIGHTS:
            raise RightUnknown(f"there is no such right; the rights are {', '.join(RIGHTS)}", path="right")
    return " ".join(given)
