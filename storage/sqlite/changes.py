"""Commands as statements inside a savepoint that the writer opened.

All of it is written or, when something is raised, nothing.
"""

import sqlite3

from storage import rows
from storage.changes import check_write as plan_check
from storage.changes import plan_command
from storage.commands import AlreadyAnswered, Command, OrderNumberTaken, Placed, PlaceOrder
from storage.marks import MarksUsed, UseMarks
from storage.marks_plans import use_marks
from storage.outbox_plans import add_messages
from storage.sqlite.running import run_plan
from storage.sqlite.statements import statements


def carry_out(db: sqlite3.Connection, command: Command) -> object:
    """The command's own answer (see `storage.interface`); `Withdrawn` when its writes must be taken back."""
    if isinstance(command, PlaceOrder):
        return _place_order(db, command)
    if isinstance(command, UseMarks) and isinstance(command.command, PlaceOrder):
        run_plan(db, use_marks(command.marks))
        return MarksUsed(answer=_place_order(db, command.command))
    return run_plan(db, plan_command(command))


def check_write(db: sqlite3.Connection) -> None:
    """Write a page that holds nothing of meaning."""
    run_plan(db, plan_check())


def _place_order(db: sqlite3.Connection, command: PlaceOrder) -> Placed | AlreadyAnswered | OrderNumberTaken:
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
