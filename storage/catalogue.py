"""Articles, as commands and queries."""

from dataclasses import dataclass

from storage.records import AuditRow, Item


@dataclass(frozen=True, kw_only=True, slots=True)
class AddItem:
    """Add an article. Answered True, or False when the item number exists."""

    item: Item
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeItem:
    """Change an article's options, rules and whether it is sold. Answered True, or False when it is not `before`."""

    before: Item
    item: Item
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class ListItems:
    """Up to `limit` active items whose number sorts after `after`, sorted by number."""

    after: str
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FindItem:
    """An article, sold or not, or None."""

    item_number: str


CatalogueQuery = ListItems | FindItem
