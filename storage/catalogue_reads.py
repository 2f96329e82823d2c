"""Queries of articles as plans."""

from storage import rows
from storage.catalogue import CatalogueQuery, FindItem, ListItems
from storage.plans import Plan, many, one
from storage.records import Item


def plan_catalogue_query(query: CatalogueQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case ListItems():
            return _list_items(query)
        case FindItem():
            return _find_item(query)


def _list_items(query: ListItems) -> Plan[tuple[Item, ...]]:
    found = yield from many("active_items_after", {"after": query.after, "limit": query.limit})
    return tuple(map(rows.item, found))


def _find_item(query: FindItem) -> Plan[Item | None]:
    row = yield from one("item", {"item_number": query.item_number})
    return None if row is None else rows.item(row)
