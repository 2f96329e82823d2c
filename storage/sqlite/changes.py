"""Commands as statements inside a savepoint that the writer opened.

All of it is written or, when something is raised, nothing.
"""

import sqlite3

from storage.changes import check_write as plan_check
from storage.changes import plan_command
from storage.commands import Command, PlaceOrder
from storage.marks import MarksUsed, UseMarks
from storage.marks_plans import use_marks
from storage.sqlite.orders import place_order
from storage.sqlite.running import run_plan


def carry_out(db: sqlite3.Connection, command: Command) -> object:
    """The command's own answer (see `storage.interface`); `Withdrawn` when its writes must be taken back."""
    if isinstance(command, PlaceOrder):
        return place_order(db, command)
    if isinstance(command, UseMarks) and isinstance(command.command, PlaceOrder):
        run_plan(db, use_marks(command.marks))
        return MarksUsed(answer=place_order(db, command.command))
    return run_plan(db, plan_command(command))


def check_write(db: sqlite3.Connection) -> None:
    """Write a page that holds nothing of meaning."""
    run_plan(db, plan_check())
