"""Queries of rules about addresses as plans."""

from storage import rows
from storage.filters import FilterQuery, FiltersView, FindFilters, ListFilters, LoadFilters
from storage.plans import Plan, many, one
from storage.records import FilterDocument


def plan_filter_query(query: FilterQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case LoadFilters():
            return _load_filters()
        case FindFilters():
            return _find_filters(query)
        case ListFilters():
            return _list_filters(query)


def _load_filters() -> Plan[FiltersView]:
    (server,) = yield from many("server", {})
    document = yield from one("newest_filter_document", {})
    shops = yield from many("all_shops", {})
    certificates = yield from many("certificates_of_active_shops", {})
    return FiltersView(
        data_version=server["data_version"],
        document=None if document is None else rows.filter_document(document),
        shops=tuple(map(rows.shop, shops)),
        certificates=tuple(map(rows.credential, certificates)),
    )


def _find_filters(query: FindFilters) -> Plan[FilterDocument | None]:
    row = yield from one("filter_document", {"version": query.version})
    return None if row is None else rows.filter_document(row)


def _list_filters(query: ListFilters) -> Plan[tuple[FilterDocument, ...]]:
    found = yield from many("filter_documents_before", {"before": query.before, "limit": query.limit})
    return tuple(map(rows.filter_document, found))
