"""Many orders in a database file at once, by the storage's own statements, as a shop would have left them."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from licensing.ids import Ids
from storage import rows
from storage.records import AuditRow, License, Order, StoredAnswer, Ticket
from storage.sqlite.statements import statements

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 20_000


def fill(database: Path, *, shop_id: str, item_number: str, firm_code: int, orders: int, seed: int = 1) -> None:
    """Add orders of one line to a database that nobody uses. What a vault would have sealed is random bytes."""
    chance = random.Random(seed)
    sql = statements()
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        # Nothing is kept for a crash: the file would be made anew.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -2097152"):
            db.execute(f"PRAGMA {pragma}")
        for begin in range(0, orders, AT_ONCE):
            made = list(_orders(chance, range(begin, min(begin + AT_ONCE, orders)), shop_id, item_number, firm_code))
            db.execute("BEGIN IMMEDIATE")
            for name, records in zip(
                ("add_ticket", "add_order", "add_license", "add_answer", "add_audit"),
                zip(*made, strict=True),
                strict=True,
            ):
                db.executemany(sql[name], map(rows.flat, records))
            db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")


def _orders(
    chance: random.Random, numbers: range, shop_id: str, item_number: str, firm_code: int
) -> Iterator[tuple[Ticket, Order, License, StoredAnswer, AuditRow]]:
    now = FIRST_DAY

    def clock() -> datetime:
        return now

    ids = Ids(clock=clock, random=chance.randbytes)
    for number in numbers:
        now = FIRST_DAY + timedelta(milliseconds=number * 20)
        ticket = Ticket(ticket_id=ids.new(), lookup=chance.randbytes(32), sealed=chance.randbytes(57), created_at=now)
        order = Order(
            order_id=ids.new(),
            shop_id=shop_id,
            transaction_id=f"filled-{number}",
            order_number=f"F-{number}",
            ticket_id=ticket.ticket_id,
            customer_sealed=None,
            created_at=now,
        )
        line = License(
            license_id=ids.new(),
            order_id=order.order_id,
            line_number=1,
            ticket_id=ticket.ticket_id,
            item_number=item_number,
            firm_code=firm_code,
            product_code=1,
            quantity=2,
            generation=1,
            options="{}",
            extends_license_id=None,
            withdrawn=False,
            version=1,
            created_at=now,
        )
        answer = StoredAnswer(
            shop_id=shop_id,
            operation="CreateOrder",
            transaction_id=order.transaction_id,
            request_hash=chance.randbytes(32),
            answer_sealed=chance.randbytes(260),
            created_at=now,
        )
        audit = AuditRow(
            at=now, actor="shop:shop", action="CreateOrder", subject=order.order_id, details='{"lines": 1}'
        )
        yield ticket, order, line, answer, audit
