"""Orders in SQLite: one by itself, or all that wait together as a few statements with many rows each.

A savepoint keeps a copy of each page that is changed behind it. So orders that wait together have none, and are not
looked up first. Whatever is raised then, because one of them was answered before or for any other reason, the
writer takes the transaction back and carries them out one by one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from frozen import quickly_made
from storage import rows
from storage.commands import AlreadyAnswered, OrderNumberTaken, Placed, PlaceOrder
from storage.outbox_plans import add_messages
from storage.sqlite.many_rows import parameter_names, write_rows
from storage.sqlite.running import run_plan
from storage.sqlite.statements import statements


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """An order by itself, as a change for the writer, which may place several at once instead."""

    command: PlaceOrder

    def __call__(self, db: sqlite3.Connection) -> Placed | AlreadyAnswered | OrderNumberTaken:
        """Carry it out inside a savepoint."""
        return place_order(db, self.command)


def place_order(db: sqlite3.Connection, command: PlaceOrder) -> Placed | AlreadyAnswered | OrderNumberTaken:
    """Look up what the order's names were answered with, and store it where they are new."""
    sql = statements()
    answer = rows.flat(command.answer)
    order = rows.flat(command.order)
    before = db.execute(sql["answer"], answer).fetchone()
    if before is not None:
        return AlreadyAnswered(answer=rows.answer(before))
    if command.order.order_number is not None:
        taken = db.execute(sql["order_id_by_number"], order).fetchone()
        if taken is not None:
            return OrderNumberTaken(order_id=taken["order_id"])
    if command.ticket is not None:
        db.execute(sql["add_ticket"], rows.flat(command.ticket))
    db.execute(sql["add_order"], order)
    db.executemany(sql["add_license"], map(rows.flat, command.licenses))
    db.execute(sql["add_answer"], answer)
    db.execute(sql["add_audit"], rows.flat(command.audit))
    run_plan(db, add_messages(command.messages))
    return Placed()


def place_orders(db: sqlite3.Connection, commands: Sequence[PlaceOrder]) -> None:
    """Store orders, each of which is new; the transaction is to be taken back when anything is raised.

    The constraints of the tables tell when one is not new: an answer stands once under its transactionId, and an order
    once under its number.
    """
    _add(db, "add_ticket", [command.ticket for command in commands if command.ticket is not None])
    _add(db, "add_order", [command.order for command in commands])
    _add(db, "add_license", [line for command in commands for line in command.licenses])
    _add(db, "add_answer", [command.answer for command in commands])
    _add(db, "add_audit", [command.audit for command in commands])
    run_plan(db, add_messages([message for command in commands for message in command.messages]))


def _add(db: sqlite3.Connection, name: str, records: Sequence[object]) -> None:
    write_rows(db, name, list(_values(name, records)))


def _values(name: str, records: Iterable[object]) -> Iterator[Any]:
    """Give the values of records for a statement of this name, one record after the other."""
    read = _reader(name)
    at: datetime | None = None
    microseconds = 0
    for record in records:
        for value in read(record):
            if isinstance(value, datetime):
                # The rows of an order have one time.
                if value is not at:
                    at, microseconds = value, rows.from_time(value)
                yield microseconds
            else:
                yield value


@cache
def _reader(name: str) -> Callable[[object], tuple[Any, ...]]:
    """Give what reads the parameters of an insertion off a record, in their order."""
    return attrgetter(*parameter_names(name))
