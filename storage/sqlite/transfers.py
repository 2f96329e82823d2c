"""Transfers in SQLite: one by itself, or those that wait together as a few statements with many rows each.

As with orders, whatever is raised when several are written as one, the writer takes the transaction back and carries
them out one by one, so that each gets the answer that it would have got alone.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from frozen import quickly_made
from storage import rows, transfer_rows
from storage.commands import ApplyTransfer, Moved
from storage.errors import QuantityExceeded
from storage.outbox_plans import add_messages
from storage.outcomes import Withdrawn
from storage.sqlite.many_rows import parameter_names, write_rows
from storage.sqlite.running import run_plan
from storage.sqlite.statements import statements
from storage.transfer_plans import plan_transfer_command


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Applying:
    """A transfer by itself, as a change for the writer, which may apply several at once instead."""

    command: ApplyTransfer

    def __call__(self, db: sqlite3.Connection) -> object:
        """Carry it out inside a savepoint."""
        return run_plan(db, plan_transfer_command(self.command))


def independent(commands: Mapping[int, ApplyTransfer]) -> dict[int, ApplyTransfer]:
    """Choose, of commands by their places, those that may be written in any order and as one.

    They are about different containers and different licences than all before them. What happens seldom is left out.
    """
    taken: set[object] = set()
    found: dict[int, ApplyTransfer] = {}
    for place, command in commands.items():
        placed = [placement.license_id for placement in command.placements]
        touched = {(command.container.serial, command.container.firm_code), *command.license_versions, *placed}
        usual = not (command.rejoining or command.options or command.approval) and len(set(placed)) == len(placed)
        if usual and taken.isdisjoint(touched):
            found[place] = command
        taken |= touched
    return found


def apply_transfers(db: sqlite3.Connection, commands: Sequence[ApplyTransfer]) -> None:
    """Write independent transfers, nothing of which has moved; the transaction is to be taken back when one has.

    Raises Withdrawn or QuantityExceeded then.
    """
    containers = [command.container for command in commands]
    new = [transfer_rows.container_parameters(container) for container in containers if not container.version]
    known = [transfer_rows.container_parameters(container) for container in containers if container.version]
    _need(_write(db, "add_container", new), len(new))
    # An update cannot be told the values of many rows in one text.
    for container in known:
        _need(db.execute(statements()["change_container"], container).rowcount, 1)
    versions = [version for command in commands for version in command.license_versions.items()]
    _need(write_rows(db, "raise_license_version", [value for version in versions for value in version]), len(versions))
    _write(db, "add_context", [transfer_rows.context_parameters(x.context) for x in commands if x.context is not None])
    placements = [placement for command in commands for placement in command.placements]
    if _write(db, "put_placement", map(rows.flat, placements)) != len(placements):
        raise QuantityExceeded("a placement would exceed the quantity of its licence")
    _write(db, "add_movement", [rows.flat(movement) for command in commands for movement in command.movements])
    _write(db, "add_step", [transfer_rows.step_parameters(step) for command in commands for step in command.steps])
    transfers = [command.transfer for command in commands if command.transfer is not None]
    _write(db, "add_transfer", map(transfer_rows.transfer_parameters, transfers))
    _write(db, "add_audit", [rows.flat(command.audit) for command in commands if command.audit is not None])
    run_plan(db, add_messages([message for command in commands for message in command.messages]))


def _need(written: int, expected: int) -> None:
    if written != expected:
        raise Withdrawn(Moved())


def _write(db: sqlite3.Connection, name: str, records: Iterable[rows.Parameters]) -> int:
    read = _reader(name)
    return write_rows(db, name, [value for record in records for value in read(record)])


@cache
def _reader(name: str) -> Callable[[rows.Parameters], tuple[Any, ...]]:
    return itemgetter(*parameter_names(name))
