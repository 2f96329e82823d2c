"""Shops, their credentials, and administrators, as commands and queries."""

from dataclasses import dataclass
from datetime import datetime

from storage.records import AccessPolicy, Administrator, AuditRow, Credential, Shop


@dataclass(frozen=True, kw_only=True, slots=True)
class AddShop:
    """Add a shop with its first credential. Answered True, or False when the name exists."""

    shop: Shop
    credential: Credential
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetRights:
    """Give a shop exactly these rights. Answered True, or False when there is no shop of this name."""

    name: str
    rights: str
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAccessPolicy:
    """Say what proves that a request comes from the shop of this name. Answered False when there is none."""

    name: str
    policy: AccessPolicy
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetDepotPolicy:
    """Say what proves at the Depot that a request comes from the shop of this name. Answered False without one."""

    name: str
    policy: AccessPolicy
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetShopActive:
    """Let the shop of this name in, or let it in no more. Answered True, or False when there is none."""

    name: str
    active: bool
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AddCredential:
    """Give a shop one more credential. Answered True, or False when there is one that is found by the same.

    `ending`: credentials of the shop that hold no longer than until `ending_at` from now on.
    """

    credential: Credential
    audit: AuditRow
    ending: tuple[str, ...] = ()
    ending_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RevokeCredential:
    """Let a credential of a shop hold no more. Answered True, or False when the shop has none that is not revoked."""

    shop_id: str
    credential_id: str
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AddAdministrator:
    """Let somebody use the Admin interface. Answered True, or False when the name exists."""

    administrator: Administrator
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RevokeAdministrator:
    """Let somebody use the Admin interface no more. Answered True, or False when nobody of this name does."""

    name: str
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class FindShop:
    """The active shop that a credential's keyed hash belongs to, or None."""

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class FindIdentity:
    """The credential with this keyed hash and its shop as an `Identity`, or None; neither revoked nor inactive.

    Whether it holds yet, or still, is the caller's to see.
    """

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowShop:
    """A shop by its name with all its credentials as a `ShopView`, or None."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopView:
    """A shop, let in or not, and its credentials, the oldest first, those that hold no more among them."""

    shop: Shop
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListAdministrators:
    """Those who may use the Admin interface, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FindAdministrator:
    """The administrator that a credential's keyed hash belongs to, or None."""

    lookup: bytes


ShopQuery = FindShop | FindIdentity | ShowShop | ListAdministrators | FindAdministrator
