"""Rules about addresses, as commands and queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from storage.records import AuditRow, Credential, FilterDocument, Shop
from storage.shops import SetAccessPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreFilters:
    """Put a document of filter rules in force, and the policy of a shop with it: nobody sees one without the other.

    Written only if `document.version` is the one after the newest, and the shop of `policy` exists; otherwise
    answered `Moved`.
    """

    document: FilterDocument
    audit: AuditRow
    policy: SetAccessPolicy | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadFilters:
    """All that access is decided by, read as one snapshot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FiltersView:
    """The answer to `LoadFilters`: the newest document, None before the first, and all shops, by name.

    `certificates`: the credentials of active shops that are certificates or authorities, the revoked ones left out.
    """

    data_version: int
    document: FilterDocument | None
    shops: tuple[Shop, ...]
    certificates: tuple[Credential, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FindFilters:
    """The document of filter rules of this version, or None."""

    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListFilters:
    """Up to `limit` documents of filter rules with a version below `before`, the newest first."""

    before: int
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FiltersAt:
    """The document of filter rules that was in force at an aware instant, or None."""

    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleHits:
    """How often a rule decided, and when first and last (aware)."""

    hits: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AddHits:
    """Add to what rules have decided, by their ids. Answered with how many rows were written.

    Adds up over all workers and nodes. Nothing else changes: no data version rises, nothing is audited.
    """

    hits: Mapping[str, RuleHits]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadHits:
    """What rules have decided, by their ids; those of rules that are no more, too."""


FilterQuery = LoadFilters | FindFilters | ListFilters | FiltersAt | LoadHits
