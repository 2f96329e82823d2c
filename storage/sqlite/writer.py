"""The one writing connection of a process, used by one thread: batches in, outcomes out.

A batch is one transaction with a savepoint for each change, but for orders and for transfers that wait together: they
go first, as one, and one by one where that fails. Nothing is answered before COMMIT has returned.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress

from storage.commands import Applied, Placed
from storage.errors import StorageBusy, StorageError
from storage.outcomes import Answered, Failed, Outcome, Withdrawn
from storage.sqlite.connection import Link, typed_error
from storage.sqlite.orders import Placing, place_orders
from storage.sqlite.transfers import Applying, apply_transfers, independent
from storage.sqlite.turns import Turn

Change = Callable[[sqlite3.Connection], object]


class Writer:
    """Runs batches on its own connection. All methods belong to one thread at a time."""

    def __init__(self, *, link: Link, turn: Turn) -> None:
        self._link = link
        self._turn = turn

    def run(self, changes: Sequence[Change]) -> list[Outcome]:
        """Carry out the changes in one transaction; the outcomes stand in the same order.

        A change that fails leaves its neighbours alone. When the transaction itself fails, every change fails.
        """
        try:
            with self._turn.held():
                return self._run(changes)
        except StorageError as error:
            return [Failed(error=type(error)(*error.args)) for _ in changes]

    def _run(self, changes: Sequence[Change]) -> list[Outcome]:
        try:
            db = self._link.connection()
            db.execute("BEGIN IMMEDIATE")
            done = self._done_together(db, changes)
            if done is None:
                self._link.roll_back()
                db = self._link.connection()
                db.execute("BEGIN IMMEDIATE")
                done = {}
            outcomes = [done.get(place) or _carry_out(db, change) for place, change in enumerate(changes)]
            self.commit(db)
        except sqlite3.Error as error:
            self._link.roll_back()
            return [Failed(error=_caused(error)) for _ in changes]
        return outcomes

    def _done_together(self, db: sqlite3.Connection, changes: Sequence[Change]) -> dict[int, Outcome] | None:
        """Carry out what goes in one with its like, where there are several; None: the transaction is to begin anew."""
        orders = {place: change.command for place, change in enumerate(changes) if isinstance(change, Placing)}
        transfers = independent(
            {place: change.command for place, change in enumerate(changes) if isinstance(change, Applying)}
        )
        done: dict[int, Outcome] = {}
        try:
            if len(orders) > 1:
                place_orders(db, tuple(orders.values()))
                done |= dict.fromkeys(orders, Answered(answer=Placed()))
            if len(transfers) > 1:
                apply_transfers(db, tuple(transfers.values()))
                done |= dict.fromkeys(transfers, Answered(answer=Applied()))
        except Exception:  # noqa: BLE001 - one by one they will show whose it was
            return None
        return done

    def commit(self, db: sqlite3.Connection) -> None:
        """Make what the batch wrote durable."""
        db.execute("COMMIT")

    def forget(self, *, thorough: bool) -> None:
        """Move everything from the log into the file and empty the log; `thorough`: write the file anew before.

        Raises StorageBusy when a reader or another process keeps the log in use for longer than the busy time-out.
        """
        try:
            db = self._link.connection()
            if thorough:
                db.execute("VACUUM")
            (kept, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise _caused(error) from error
        if kept:
            raise StorageBusy("the log of the database is in use, so that it may hold what was erased; try again")

    def close(self) -> None:
        """Let go of the file, in a turn of our own if there is one to be had."""
        try:
            with suppress(StorageError), self._turn.held():
                self._link.close()
        finally:
            self._link.close()
            self._turn.close()


def _carry_out(db: sqlite3.Connection, change: Change) -> Outcome:
    db.execute("SAVEPOINT change")
    try:
        outcome: Outcome = Answered(answer=change(db))
    except Withdrawn as withdrawn:
        outcome = Answered(answer=withdrawn.answer)
    except sqlite3.Error as error:
        if not db.in_transaction:
            raise  # SQLite took the whole transaction back, and with it what the neighbours wrote
        outcome = Failed(error=_caused(error))
    except Exception as error:  # noqa: BLE001 - the rim: whatever a change raises belongs to its caller alone
        outcome = Failed(error=error)
    else:
        db.execute("RELEASE change")
        return outcome
    db.execute("ROLLBACK TO change")
    db.execute("RELEASE change")
    return outcome


def _caused(error: sqlite3.Error) -> StorageError:
    failure = typed_error(error)
    failure.__cause__ = error
    return failure
