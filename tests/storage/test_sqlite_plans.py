"""No query of orders and licences reads a whole table: each finds its rows by an index, however many there are."""

import sqlite3

import pytest

from storage.sqlite.statements import statements

QUERIES = {
    "families": {"license_ids": "[]"},
    "placements_of_licenses": {"license_ids": "[]"},
    "lines_of_orders": {"order_ids": "[]"},
    "licenses_of_order": {"order_id": "a"},
    "licenses_of_ticket": {"ticket_id": "a"},
    "transfer_begin": {"lookup": b"", "serial": "b", "firm_code": 1},
    "licenses_for_transfer": {"ticket_id": "a", "serial": "b", "firm_code": 1},
    "order_named": {"order_id": "a", "order_number": None, "shop": None},
    "order_of_license": {"license_id": "a", "shop_id": "b"},
    "orders_after": {"shop_id": "a", "after": "", "before": "~", "limit": 5},
    "orders_of_customer_after": {"shop_id": "a", "after": "", "before": "~", "limit": 5, "customer_lookup": b""},
    "tickets_by_id": {"ticket_ids": "[]"},
    "history_of_ticket": {"lookup": b""},
    "extension_by_key": {"key": b""},
    "extension_by_id": {"extension_id": "a"},
    "extensions_due": {"at": 1},
    "claim_extensions": {"owner": "a", "until": 2, "at": 1, "limit": 5, "extension_id": None},
}
TABLES = {
    "l",
    "p",
    "o",
    "t",
    "a",
    "b",
    "c",
    "licenses",
    "placements",
    "orders",
    "tickets",
    "audit",
    "own",
    "here",
    "placed",
}
TABLES |= {"extensions", "b", "c"}


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_finds_its_rows_by_an_index(storage, database, name):
    connection = sqlite3.connect(database)
    try:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statements()[name]}", QUERIES[name]).fetchall()
    finally:
        connection.close()
    scanned = {row[3].split()[1] for row in plan if row[3].startswith("SCAN ")}
    assert not scanned & TABLES, plan
