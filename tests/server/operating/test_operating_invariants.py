"""Every check of the data finds the damage that it is for, names it, and says what mends it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from installations import Installed

from containers import load_trust
from server.operating.installation import Installation
from server.operating.invariants import CHECKS, check_invariants
from server.operating.report import Finding, Level
from storage.maintenance.schema import check_statements
from storage.maintenance.tables import TABLES

Plant = Callable[[Installed], object]
NEW_STEP = (
    "INSERT INTO steps (serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, "
    "state_after, content, signed, issued_at) SELECT serial, firm_code, epoch, number + 10, from_epoch, from_number, "
    "kind, digest_before, digest_after, state_after, content, signed, issued_at FROM steps WHERE kind = 'Delta'"
)
ANOTHER_ORDER = (
    "INSERT INTO orders (order_id, shop_id, transaction_id, order_number, ticket_id, created_at) "
    "SELECT 'copy', shop_id, {transaction}, {number}, ticket_id, 0 FROM orders WHERE order_number IS NOT NULL"
)


def some_bytes(depot: Installed) -> str:
    return "x'00'" if depot.backend == "sqlite" else r"'\x00'::bytea"


def sql(*statements: str) -> Plant:
    """Plant by statements; `{bytes}` is a value that fits nothing."""
    return lambda depot: depot.run(*(statement.replace("{bytes}", some_bytes(depot)) for statement in statements))


def loosened(table: str, *statements: str) -> Plant:
    """Plant where no key or unique constraint of the table is in the way."""
    dropping = (
        "DO $$ DECLARE c record; BEGIN FOR c IN SELECT conname FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype IN ('u', 'p') LOOP "
        f"EXECUTE 'ALTER TABLE {table} DROP CONSTRAINT ' || c.conname || ' CASCADE'; END LOOP; END $$"
    )
    copying = (
        "PRAGMA legacy_alter_table = ON",
        f"ALTER TABLE {table} RENAME TO before",
        f"CREATE TABLE {table} AS SELECT * FROM before",
        "DROP TABLE before",
    )

    def plant(depot: Installed) -> None:
        sql(*(copying if depot.backend == "sqlite" else (dropping,)), *statements)(depot)

    return plant


def damaged_index(depot: Installed) -> None:
    """Let an index miss rows of its table."""
    if depot.backend == "postgres":
        depot.run(
            "CREATE EXTENSION amcheck",
            "UPDATE pg_index SET indisready = false WHERE indexrelid = 'audit_by_subject'::regclass",
            "INSERT INTO audit (at, actor, action, subject, details) VALUES (1, 'a', 'b', 'c', '{}')",
            "UPDATE pg_index SET indisready = true WHERE indexrelid = 'audit_by_subject'::regclass",
        )
        return
    with closing(sqlite3.connect(depot.folder / depot.database, isolation_level=None)) as db:
        row = db.execute("SELECT * FROM sqlite_schema WHERE name = 'audit_by_subject'").fetchone()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE name = 'audit_by_subject'")
        db.execute("PRAGMA writable_schema = RESET")
        db.execute("INSERT INTO audit (at, actor, action, subject, details) VALUES (1, 'a', 'b', 'c', '{}')")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", row)
        db.execute("PRAGMA writable_schema = RESET")


DAMAGE: list[tuple[str, Plant]] = [
    ("ticket_lookup_repeated", loosened("tickets", "UPDATE tickets SET lookup = {bytes}")),
    ("ticket_unreadable", sql("UPDATE tickets SET sealed = {bytes}")),
    ("ticket_unreadable", loosened("tickets", "UPDATE tickets SET lookup = {bytes}")),
    ("ticket_without_order", sql("INSERT INTO tickets VALUES ('lonely', {bytes}, {bytes}, 0)")),
    ("order_without_answer", sql("DELETE FROM answers WHERE transaction_id = 't-2'")),
    ("answer_without_order", sql("DELETE FROM orders WHERE transaction_id = 't-2'")),
    ("order_without_line", sql("DELETE FROM licenses WHERE line_number = 1")),
    ("order_without_line", sql("DELETE FROM licenses WHERE item_number = 'A' AND quantity = 2")),
    ("answer_differs", sql("UPDATE licenses SET quantity = quantity + 1 WHERE line_number = 2")),
    ("answer_differs", sql("UPDATE licenses SET quantity = quantity - 1 WHERE line_number = 2")),
    ("answer_differs", sql("UPDATE licenses SET item_number = 'B' WHERE item_number = 'A'")),
    ("answer_differs", sql("UPDATE answers SET answer_sealed = {bytes} WHERE transaction_id = 't-2'")),
    ("answer_differs", sql("DELETE FROM licenses WHERE line_number = 2")),
    (
        "transaction_repeated",
        loosened("orders", ANOTHER_ORDER.format(transaction="transaction_id", number="NULL")),
    ),
    ("answer_repeated", loosened("answers", "INSERT INTO answers SELECT * FROM answers WHERE transaction_id = 't-2'")),
    ("order_number_repeated", loosened("orders", ANOTHER_ORDER.format(transaction="'new'", number="order_number"))),
    ("wanted_above_quantity", sql("UPDATE placements SET wanted = 100")),
    ("occupied_above_quantity", sql("UPDATE placements SET occupied = 100")),
    ("placement_without_container", sql("DELETE FROM containers")),
    ("placement_in_lost_container", sql("UPDATE containers SET mark = 'lost'")),
    ("placement_differs", sql("UPDATE placements SET confirmed = 0")),
    ("placement_differs", sql("UPDATE placements SET occupied = occupied + 1")),
    ("placement_differs", sql("DELETE FROM placements")),
    ("step_without_predecessor", sql("DELETE FROM steps WHERE number = 1")),
    ("step_skips_a_number", sql("UPDATE steps SET from_number = from_number - 1 WHERE kind = 'Delta'")),
    ("step_breaks_the_chain", sql("UPDATE steps SET digest_before = {bytes} WHERE kind = 'Delta'")),
    ("steps_fork", sql(NEW_STEP)),
    ("step_after_the_end", sql(NEW_STEP)),
    ("end_without_step", sql("DELETE FROM steps WHERE kind = 'Delta'")),
    ("container_state_differs", sql("UPDATE containers SET end_state = {bytes}")),
    ("container_state_differs", sql("UPDATE containers SET confirmed_state = {bytes}")),
    ("step_content_differs", sql("UPDATE steps SET digest_after = {bytes}")),
    ("step_content_differs", sql("UPDATE steps SET state_after = {bytes}")),
    ("step_content_differs", sql("UPDATE steps SET firm_code = firm_code + 1")),
    ("step_content_differs", sql("DROP TRIGGER steps_are_signed_once ON steps", "UPDATE steps SET content = {bytes}")),
    ("signature_wrong", sql("DROP TRIGGER steps_are_signed_once ON steps", "UPDATE steps SET signed = {bytes}")),
    ("transfer_without_step", sql("DELETE FROM steps")),
    ("newest_context_unknown", sql("DELETE FROM contexts")),
    ("order_without_audit", sql("DELETE FROM audit WHERE action = 'CreateOrder'")),
    ("item_without_audit", sql("DELETE FROM audit WHERE action = 'AddItem'")),
    ("shop_without_audit", sql("DELETE FROM audit WHERE action = 'AddShop'")),
    ("transfer_without_audit", sql("DELETE FROM audit WHERE action = 'GetLicenseUpdate'")),
    (
        "license_on_other_ticket",
        sql(
            "INSERT INTO tickets VALUES ('lonely', {bytes}, {bytes}, 0)",
            "UPDATE licenses SET ticket_id = 'lonely' WHERE line_number = 2",
        ),
    ),
    (
        "license_extends_other_ticket",
        sql(
            "UPDATE licenses SET extends_license_id = (SELECT max(license_id) FROM licenses) "
            "WHERE license_id = (SELECT min(license_id) FROM licenses)"
        ),
    ),
    ("audit_chain_broken", sql("UPDATE audit_head SET position = position + 1")),
    (
        "outbox_row_lost",
        sql(
            "INSERT INTO outbox "
            "(message_id, channel, key, number, kind, content_sealed, state, attempts, due_at, created_at) "
            "VALUES ('m', 'webhook', 'k', 1, 'order.placed', {bytes}, 'waiting', 0, 0, 0)"
        ),
    ),
    ("database_damaged", damaged_index),
    ("reference_broken", sql("DELETE FROM items WHERE item_number = 'A'")),
    ("schema_differs", sql("DROP INDEX licenses_by_ticket")),
    ("schema_differs", sql("DROP TRIGGER steps_are_signed_once ON steps")),
    ("schema_differs", sql("CREATE TABLE of_mine (n INTEGER)")),
    ("schema_differs", sql("ALTER TABLE shops ADD COLUMN more TEXT")),
]


async def checked(depot: Installed, *names: str) -> dict[str, Finding]:
    here = Installation(settings=depot.settings, config=depot.config, now=None)
    findings = await check_invariants(
        depot.settings.database,
        vault=here.vault(),
        trust=load_trust(here.box().root_certificate_pem),
        checks=[check for check in CHECKS if not names or check.name in names],
    )
    return {finding.check: finding for finding in findings}


async def test_sound_data_pass_every_check(depot: Installed) -> None:
    findings = await checked(depot)
    waiting = {check.name for check in CHECKS if check.waits_for is not None}
    assert {name for name, finding in findings.items() if finding.level is Level.PROBLEM} == set()
    apart = waiting | ({"database_damaged"} if depot.backend == "postgres" else set())
    assert {name for name, finding in findings.items() if finding.level is not Level.OK} == apart


def cases() -> Iterator[object]:
    """All damage on SQLite; on PostgreSQL once for each check, in short runs only where the SQL is its own."""
    own = {"database_damaged", "reference_broken", "schema_differs", "answer_differs"}
    for number, (name, plant) in enumerate(DAMAGE):
        yield pytest.param("sqlite", name, plant, id=f"sqlite-{number}-{name}")
        if name not in {known for known, _ in DAMAGE[:number]}:
            marks = () if name in own else (pytest.mark.long,)
            yield pytest.param("postgres", name, plant, id=f"postgres-{number}-{name}", marks=marks)


@pytest.mark.parametrize(("depot", "name", "plant"), list(cases()), indirect=["depot"])
async def test_planted_damage_is_found_with_its_mend(depot: Installed, name: str, plant: Plant) -> None:
    if depot.backend == "sqlite":
        plain = depot.run
        object.__setattr__(depot, "run", lambda *all_: plain(*(one.replace(" ON steps", "") for one in all_)))
    plant(depot)
    finding = (await checked(depot, name))[name]
    assert finding.level is Level.PROBLEM
    assert finding.count > 0
    assert all(subject in finding.message for subject in finding.subjects)
    assert finding.mend


def test_every_check_has_its_damage_or_waits_for_a_table() -> None:
    planted = {name for name, _ in DAMAGE}
    tables = {table.name for table in TABLES}
    for check in CHECKS:
        if check.waits_for is not None and check.waits_for not in tables:
            continue
        assert check.name in planted, f"{check.name} has no test that plants its damage"


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_every_check_has_its_statement(dialect: str) -> None:
    statements = check_statements(dialect)
    tables = {table.name for table in TABLES}
    for check in CHECKS:
        if check.find is None and (check.waits_for is None or check.waits_for in tables):
            assert check.name in statements


def test_the_checks_cover_the_invariants_and_have_names_of_their_own() -> None:
    assert {check.invariant for check in CHECKS} == {f"I{number}" for number in range(1, 11)}
    assert len({check.name for check in CHECKS}) == len(CHECKS)


async def test_without_keys_sealed_values_are_not_judged(depot: Installed) -> None:
    findings = {f.check: f for f in await check_invariants(depot.settings.database, vault=None)}
    for name in ("ticket_unreadable", "answer_differs", "signature_wrong"):
        assert findings[name].level is Level.NOT_APPLICABLE


async def test_fewer_pieces_than_ordered_are_right_where_the_audit_tells_why(depot: Installed) -> None:
    depot.run(
        "UPDATE licenses SET quantity = 1 WHERE line_number = 2",
        "INSERT INTO audit (at, actor, action, subject, details) "
        "SELECT 1, 'support', 'WithdrawLicense', license_id, '{}' FROM licenses WHERE line_number = 2",
    )
    assert (await checked(depot, "answer_differs"))["answer_differs"].level is Level.OK
