"""Each command as statements inside a savepoint that the writer opened.

All of it is written or, when something is raised, nothing.
"""

import sqlite3

from storage.commands import (
    AddItem,
    AddShop,
    AlreadyAnswered,
    Applied,
    ApplyTransfer,
    Command,
    InitialiseServer,
    Moved,
    OrderNumberTaken,
    Placed,
    PlaceOrder,
    StoreSigned,
)
from storage.errors import QuantityExceeded, StepUnknown
from storage.records import AuditRow, ServerRow
from storage.sqlite import rows
from storage.sqlite.statements import statements


class Withdrawn(Exception):
    """What was written must be taken back, and this is the command's answer."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer


def carry_out(db: sqlite3.Connection, command: Command) -> object:
    """The command's own answer (see `storage.interface`); `Withdrawn` when its writes must be taken back."""
    match command:
        case InitialiseServer():
            return _initialise(db, command)
        case AddItem():
            return _add_item(db, command)
        case AddShop():
            return _add_shop(db, command)
        case PlaceOrder():
            return _place_order(db, command)
        case ApplyTransfer():
            return _apply_transfer(db, command)
        case StoreSigned():
            return _store_signed(db, command)


def check_write(db: sqlite3.Connection) -> None:
    """Write a page that holds nothing of meaning."""
    db.execute(statements()["check_write"])


def _add_audit(db: sqlite3.Connection, audit: AuditRow) -> None:
    db.execute(statements()["add_audit"], rows.flat(audit))


def _initialise(db: sqlite3.Connection, command: InitialiseServer) -> ServerRow | None:
    db.execute(
        statements()["initialise_server"],
        {
            "epoch": command.epoch,
            "key_fingerprint": command.key_fingerprint,
            "at": rows.from_time(command.at),
        },
    )
    return rows.server(db.execute(statements()["server"]).fetchone())


def _add_item(db: sqlite3.Connection, command: AddItem) -> bool:
    if db.execute(statements()["add_item"], rows.flat(command.item)).rowcount == 0:
        return False
    db.execute(statements()["raise_data_version"])
    _add_audit(db, command.audit)
    return True


def _add_shop(db: sqlite3.Connection, command: AddShop) -> bool:
    if db.execute(statements()["add_shop"], rows.flat(command.shop)).rowcount == 0:
        return False
    db.execute(statements()["add_credential"], rows.flat(command.credential))
    db.execute(statements()["raise_data_version"])
    _add_audit(db, command.audit)
    return True


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
    _add_audit(db, command.audit)
    return Placed()


def _apply_transfer(db: sqlite3.Connection, command: ApplyTransfer) -> Applied:
    sql = statements()
    container = rows.container_parameters(command.container)
    written = db.execute(sql["change_container" if command.container.version else "add_container"], container)
    if written.rowcount == 0:
        raise Withdrawn(Moved())
    for license_id, version in sorted(command.license_versions.items()):
        raised = db.execute(sql["raise_license_version"], {"license_id": license_id, "version": version})
        if raised.rowcount == 0:
            raise Withdrawn(Moved())
    if command.context is not None:
        db.execute(sql["add_context"], rows.context_parameters(command.context))
    for placement in command.placements:
        if db.execute(sql["put_placement"], rows.flat(placement)).rowcount == 0:
            raise QuantityExceeded("a placement would exceed the quantity of its licence; read again and decide again")
    db.executemany(sql["add_step"], map(rows.step_parameters, command.steps))
    if command.transfer is not None:
        db.execute(sql["add_transfer"], rows.transfer_parameters(command.transfer))
    if command.audit is not None:
        _add_audit(db, command.audit)
    return Applied()


def _store_signed(db: sqlite3.Connection, command: StoreSigned) -> tuple[bytes, ...]:
    sql = statements()
    stored: list[bytes] = []
    for (epoch, number), signed in command.signed:
        step: rows.Parameters = {
            "serial": command.serial,
            "firm_code": command.firm_code,
            "epoch": epoch,
            "number": number,
            "signed": signed,
        }
        db.execute(sql["sign_step"], step)
        row = db.execute(sql["signed_step"], step).fetchone()
        if row is None:
            raise StepUnknown("the step was never reserved; reserve it before signing")
        stored.append(row["signed"])
    return tuple(stored)
