"""Whichever statement of a batch fails: what is told carried out is there whole, the rest is not there at all."""

import itertools
import shutil
import sqlite3

import pytest
from failing_sqlite import failing_connections, open_failing, run_batch

from storage.errors import StorageError, StorageUnavailable

KINDS = ["initialise", "item", "shop", "order", "transfer", "signed"]
OF_THE_BATCH = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


@pytest.fixture
def places(database, tmp_path, dumping):
    return database, tmp_path, dumping


class NthOfTheBatch:
    """Says which statement fails, counting from the second transaction on, and whose statement that was."""

    def __init__(self, number):
        self._number = number
        self._transactions = self._statements = 0
        self._command = None
        self.reached = self.owner = None

    def __call__(self, sql):
        self._transactions += sql.startswith("BEGIN IMMEDIATE")
        if self._transactions < 2:
            return False
        if sql == "SAVEPOINT change":
            self._command = 0 if self._command is None else self._command + 1
        self._statements += 1
        if self._statements != self._number:
            return False
        self.reached = sql
        self.owner = None if sql.startswith(OF_THE_BATCH) else self._command
        return True


@pytest.mark.parametrize("after", [False, True], ids=["instead", "afterwards"])
async def test_a_failure_of_any_statement_of_a_batch_is_told_to_whom_it_struck(prepared, places, after):
    database, tmp_path, dumping = places
    batch = [prepared[kind] for kind in KINDS]
    everything = tuple(range(len(batch)))
    expected = {}

    async def whole(carried_out):
        """What is stored when just these commands were carried out."""
        if carried_out not in expected:
            path = tmp_path / f"expected-{len(expected)}.db"
            shutil.copy(database, path)
            storage = await open_failing(path, sqlite3.Connection)
            await run_batch(storage, [batch[index] for index in carried_out])
            await storage.close()
            expected[carried_out] = dumping(path)
        return expected[carried_out]

    struck = set()
    for number in itertools.count(1):
        path = tmp_path / f"{number}.db"
        shutil.copy(database, path)
        connections, due = failing_connections(), NthOfTheBatch(number)
        storage = await open_failing(path, connections)
        connections.after, connections.due = after, staticmethod(due)
        outcomes = await run_batch(storage, batch)
        connections.due = staticmethod(lambda _: False)
        failed = tuple(index for index, outcome in enumerate(outcomes) if isinstance(outcome, Exception))
        carried_out = tuple(index for index in everything if index not in failed)
        assert all(type(outcomes[index]) is StorageUnavailable for index in failed)
        if due.reached is None:
            assert failed == ()
        elif due.owner is not None:
            assert failed == (due.owner,), due.reached
            struck.add(due.owner)
        else:
            assert failed == everything, due.reached
        found = dumping(path)
        if due.reached == "COMMIT" and after:
            # The outcome is unknown to whoever was answered; it is all of the batch or nothing.
            assert found in (await whole(()), await whole(everything))
        else:
            assert found == await whole(carried_out), due.reached
        await run_batch(storage, [command for index, command in enumerate(batch) if index in failed])
        await storage.close()
        if due.reached is None:
            break
        assert dumping(path)["orders"] == (await whole(everything))["orders"], "the same again succeeds"
    assert struck == set(everything)


async def test_a_constraint_strikes_one_and_spares_the_neighbours(prepared, make, database):
    storage = await open_failing(database, sqlite3.Connection)
    batch = [make.order(), make.order(items=("NO-SUCH-ITEM",)), make.order()]
    outcomes = await run_batch(storage, batch)
    assert [isinstance(outcome, StorageError) for outcome in outcomes] == [False, True, False]
    await storage.close()
