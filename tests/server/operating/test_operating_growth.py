"""The work of each check grows with the data and not with its square: counted in SQLite's instructions."""

import sqlite3
from contextlib import closing

import pytest

from storage.maintenance.schema import check_statements, migrations_of
from storage.sqlite.migrations import migrate

CHUNK = 100
COUNTED = [
    name
    for name, sql in check_statements("sqlite").items()
    if ":" not in sql and name not in {"schema_objects", "table_names", "integrity", "foreign_keys"}
]
NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
ROWS = """
INSERT INTO shops (shop_id, name, active, created_at) SELECT 's', 's', 1, 1;
INSERT INTO items SELECT printf('i%06d', i), 1, 1, '{}', '{}', 1, 1 FROM n;
INSERT INTO tickets SELECT printf('t%06d', i), randomblob(32), x'00', i FROM n;
INSERT INTO orders (order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at)
    SELECT printf('o%06d', i), 's', printf('x%06d', i), printf('n%06d', i), printf('t%06d', i), NULL, i FROM n;
INSERT INTO answers SELECT 's', 'CreateOrder', printf('x%06d', i), x'00', x'00', i FROM n;
INSERT INTO licenses (
    license_id, order_id, line_number, ticket_id, item_number, firm_code, product_code, quantity, generation, options,
    withdrawn, version, created_at
)
    SELECT printf('l%06d', i), printf('o%06d', i), 1, printf('t%06d', i), 'i000001', 1, 1, 1, 1, '{}', 0, 1, i FROM n;
INSERT INTO placements SELECT printf('l%06d', i), printf('c%06d', i), 1, 1, 1 FROM n;
INSERT INTO containers (
    serial, firm_code, kind, public_key, version, mark, epoch, base_epoch, base_number, confirmed_epoch,
    confirmed_number, confirmed_state, end_epoch, end_number, end_state, newest_export, newest_nonce
)
    SELECT printf('c%06d', i), 1, 'software', x'00', 1, 'ok', 1, 1, 1, 1, 1, x'00', 1, 1, x'00', 1, x'00' FROM n;
INSERT INTO contexts SELECT printf('c%06d', i), 1, 1, x'00', 0, 0, x'00', 1 FROM n;
INSERT INTO steps (
    serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, state_after, content,
    issued_at
)
    SELECT printf('c%06d', i), 1, 1, 1, 0, 0, 'Reset', x'00', x'00', x'00', x'00', 1 FROM n;
INSERT INTO transfers SELECT printf('c%06d', i), 1, x'00', 'GetLicenseUpdate', NULL, 0, 0, 1, 1, 1 FROM n;
INSERT INTO audit (at, actor, action, subject, details)
    SELECT 1, 'shop', 'CreateOrder', printf('o%06d', i), '{}' FROM n;
"""


def instructions(count: int) -> dict[str, int]:
    """How many hundreds of instructions each check takes on so many rows in each table."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db, migrations_of("sqlite"))
        for statement in ROWS.split(";\n"):
            db.execute(f"{NUMBERS.format(count=count)} {statement}" if "FROM n" in statement else statement)
        found = {}
        for name in COUNTED:
            counted = 0

            def count_one() -> int:
                nonlocal counted
                counted += 1
                return 0

            db.set_progress_handler(count_one, CHUNK)
            db.execute(check_statements("sqlite")[name]).fetchall()
            db.set_progress_handler(None, CHUNK)
            found[name] = counted
        return found


@pytest.fixture(scope="module")
def counts() -> tuple[dict[str, int], dict[str, int]]:
    return instructions(500), instructions(2000)


@pytest.mark.parametrize("name", COUNTED)
def test_four_times_the_rows_take_about_four_times_the_work(
    counts: tuple[dict[str, int], dict[str, int]], name: str
) -> None:
    few, many = counts
    assert many[name] <= 6 * few[name] + 100
