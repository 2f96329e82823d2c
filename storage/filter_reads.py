"""Queries of rules about addresses as plans, and the command that counts for them."""

from collections.abc import Mapping

from storage import rows
from storage.filters import (
    AddHits,
    FilterQuery,
    FiltersAt,
    FiltersView,
    FindFilters,
    ListFilters,
    LoadFilters,
    LoadHits,
    RuleHits,
)
from storage.plans import Plan, many, one, written_each
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
        case FiltersAt():
            return _filters_at(query)
        case LoadHits():
            return _load_hits()


def add_hits(command: AddHits) -> Plan[int]:
    """The plan of the command."""
    # In the order of their ids, so that two never wait for each other.
    return (
        yield from written_each(
            "add_filter_hits",
            [
                {
                    "rule_id": rule_id,
                    "hits": found.hits,
                    "first_at": rows.from_time(found.first_at),
                    "last_at": rows.from_time(found.last_at),
                }
                for rule_id, found in sorted(command.hits.items())
            ],
        )
    )


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


def _filters_at(query: FiltersAt) -> Plan[FilterDocument | None]:
    row = yield from one("filter_document_at", {"at": rows.from_time(query.at)})
    return None if row is None else rows.filter_document(row)


def _load_hits() -> Plan[Mapping[str, RuleHits]]:
    found = yield from many("filter_hits", {})
    return {
        row["rule_id"]: RuleHits(
            hits=row["hits"], first_at=rows.to_time(row["first_at"]), last_at=rows.to_time(row["last_at"])
        )
        for row in found
    }
