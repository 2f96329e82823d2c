"""Queries of shops, credentials and administrators as plans."""

from storage import rows
from storage.plans import Plan, many, one
from storage.records import Administrator, Identity, Shop
from storage.shops import FindAdministrator, FindIdentity, FindShop, ListAdministrators, ShopQuery, ShopView, ShowShop


def plan_shop_query(query: ShopQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case FindShop():
            return _find_shop(query)
        case FindAdministrator():
            return _find_administrator(query)
        case ListAdministrators():
            return _list_administrators()
        case FindIdentity():
            return _find_identity(query)
        case ShowShop():
            return _show_shop(query)


def _find_shop(query: FindShop) -> Plan[Shop | None]:
    row = yield from one("shop_by_credential", {"lookup": query.lookup})
    return None if row is None else rows.shop(row)


def _find_administrator(query: FindAdministrator) -> Plan[Administrator | None]:
    row = yield from one("administrator_by_credential", {"lookup": query.lookup})
    return None if row is None else rows.administrator(row)


def _list_administrators() -> Plan[tuple[Administrator, ...]]:
    found = yield from many("all_administrators", {})
    return tuple(map(rows.administrator, found))


def _find_identity(query: FindIdentity) -> Plan[Identity | None]:
    row = yield from one("identity", {"lookup": query.lookup})
    return None if row is None else rows.identity(row)


def _show_shop(query: ShowShop) -> Plan[ShopView | None]:
    row = yield from one("shop_by_name", {"name": query.name})
    if row is None:
        return None
    found = yield from many("credentials_of_shop", {"shop_id": row["shop_id"]})
    return ShopView(shop=rows.shop(row), credentials=tuple(map(rows.credential, found)))
