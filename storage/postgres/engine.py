"""PostgreSQL as a `storage.interface.Storage`: orders in batches, everything else in a transaction of its own."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from storage.changes import PlannedCommand, check_write, plan_command
from storage.commands import (
    ApplyTransfer,
    ChangeLicenses,
    Command,
    FindAdministrator,
    FindFilters,
    FindIdentity,
    FindShop,
    ListFilters,
    ListItems,
    LoadServer,
    PlaceOrder,
    Query,
    StoreSigned,
)
from storage.errors import DiskFull, StorageClosed
from storage.marks import MarksKept, MarksUsed, UseMarks
from storage.marks_plans import use_marks
from storage.migrations import shipped_migrations
from storage.outcomes import Failed, Outcome, Withdrawn
from storage.postgres.connection import Opener
from storage.postgres.forgetting import rewrite
from storage.postgres.marks import MarkWriter
from storage.postgres.migrations import migrate
from storage.postgres.orders import OrderWriter, place_batch
from storage.postgres.running import Connection, execute, fetch, run_plan
from storage.postgres.transactions import Body, Transactions
from storage.reads import plan_query
from storage.statements import sql_folder
from storage.waiting import WaitingLine

ORDER_LANES = 2
CHANGE_LANES = 4
ROOM_BYTES = 65_536
"""What is tried to be written after the disk was full, to see whether there is room again."""
ONE_STATEMENT = (LoadServer, FindShop, FindIdentity, FindAdministrator, FindFilters, ListFilters, ListItems)


class PostgresStorage:
    """Belongs to the event loop that opened it. See `storage.interface.Storage` for what its methods promise.

    Orders, other commands and queries wait in lines of their own, each at most `queue_limit` long.
    """

    def __init__(
        self,
        *,
        opener: Opener,
        writing: Transactions,
        reading: Transactions,
        queue_limit: int,
        batch_limit: int,
        reader_count: int,
        order_lanes: int = ORDER_LANES,
    ) -> None:
        self._opener = opener
        self._writing = writing
        self._reading = reading
        self._closed = False
        self._was_full = False
        self._order_writer = OrderWriter(transactions=writing)
        self._orders: WaitingLine[PlaceOrder] = WaitingLine(
            run=self._place, limit=queue_limit, batch_limit=batch_limit, lanes=order_lanes
        )
        self._mark_writer = MarkWriter(transactions=writing)
        self._marks: WaitingLine[UseMarks] = WaitingLine(run=self._mark, limit=queue_limit, batch_limit=batch_limit)
        self._changes: WaitingLine[Body] = WaitingLine(run=self._change, limit=queue_limit, lanes=CHANGE_LANES)
        self._queries: WaitingLine[Query] = WaitingLine(
            run=self._answer, limit=queue_limit, lanes=reader_count, droppable=True
        )

    @classmethod
    async def open(
        cls,
        *,
        opener: Opener,
        queue_limit: int,
        batch_limit: int,
        reader_count: int,
        order_lanes: int = ORDER_LANES,
    ) -> "PostgresStorage":
        """Migrate the database and connect; raises errors of `storage.errors`."""
        await migrate(opener, shipped_migrations(sql_folder("postgres/migrations")))
        return cls(
            opener=opener,
            writing=await opener.transactions("begin_write", size=order_lanes + CHANGE_LANES + 1),
            reading=await opener.transactions("begin_read", size=reader_count),
            queue_limit=queue_limit,
            batch_limit=batch_limit,
            reader_count=reader_count,
            order_lanes=order_lanes,
        )

    async def execute(self, command: Command) -> Any:
        """Carry out one command whole or not at all; the answer is durable when it arrives."""
        self._refuse_closed()
        if isinstance(command, PlaceOrder):
            return await self._orders.submit(command)
        if isinstance(command, UseMarks) and command.command is None and len(command.marks) == 1:
            return await self._marks.submit(command)
        return await self._changes.submit(partial(carry_out, command))

    async def query(self, query: Query) -> Any:
        """Answer one query from one consistent snapshot of what was committed."""
        self._refuse_closed()
        return await self._queries.submit(query)

    async def ready(self) -> None:
        """Write something that changes nothing; raises when that is not possible.

        A full disk still lets a row be changed in its place. So once it was full, new rows are tried as well.
        """
        self._refuse_closed()
        await self._changes.submit(lambda connection: run_plan(connection, check_write()))
        if self._was_full:
            await self._changes.submit(_need_room)
            self._was_full = False

    async def forget(self, *, thorough: bool) -> None:
        """Where `thorough`, leave nothing in the tables' files of what was erased; else old rows go by autovacuum."""
        self._refuse_closed()
        if thorough:
            await rewrite(self._opener)

    async def close(self) -> None:
        """Finish what waits, then let go of the database."""
        if self._closed:
            return
        self._closed = True
        for line in (self._orders, self._marks, self._changes, self._queries):
            await line.idle()
        await self._writing.close()
        await self._reading.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StorageClosed("the storage was closed; the process is stopping")

    async def _place(self, commands: list[PlaceOrder]) -> Sequence[Outcome]:
        return self._noted(await self._order_writer.place(commands))

    async def _mark(self, commands: list[UseMarks]) -> Sequence[Outcome]:
        return self._noted(await self._mark_writer.use(commands))

    async def _change(self, bodies: list[Body]) -> Sequence[Outcome]:
        return self._noted([await self._writing.write(body) for body in bodies])

    def _noted(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        if any(isinstance(outcome, Failed) and isinstance(outcome.error, DiskFull) for outcome in outcomes):
            self._was_full = True
        return outcomes

    async def _answer(self, queries: list[Query]) -> list[Outcome]:
        return [
            await self._reading.read(partial(_find, query), whole=isinstance(query, ONE_STATEMENT)) for query in queries
        ]


async def carry_out(command: PlannedCommand, connection: Connection) -> object:
    """The command's own answer, inside a transaction; `Withdrawn` when its writes must be taken back.

    The rows that a decision depends on are locked first, in sorted order: so no circle of waiting arises, and what is
    read after that counts everything that earlier holders of the locks have committed.
    """
    if isinstance(command, UseMarks):
        return await _carry_out_once(command, connection)
    if isinstance(command, ApplyTransfer | ChangeLicenses):
        licenses = {*command.license_versions, *(placement.license_id for placement in command.placements)}
        await fetch(connection, "hold_licenses", license_ids=sorted(licenses))
    elif isinstance(command, StoreSigned):
        epochs, numbers = [[counter[part] for counter, _ in command.signed] for part in (0, 1)]
        here = {"serial": command.serial, "firm_code": command.firm_code}
        await fetch(connection, "hold_steps", **here, epochs=epochs, numbers=numbers)
    return await run_plan(connection, plan_command(command))


async def _need_room(connection: Connection) -> object:
    """Write a row that no page has room for, and take it back."""
    await execute(connection, "need_room", bytes=ROOM_BYTES)
    raise Withdrawn(answer=None)


async def _carry_out_once(command: UseMarks, connection: Connection) -> MarksUsed:
    # What a message must not do twice comes first: a repetition waits here for the first one and locks nothing else.
    await run_plan(connection, use_marks(command.marks))
    if isinstance(command.command, PlaceOrder):
        (answer,) = await place_batch([command.command], connection)
        return MarksUsed(answer=answer)
    if command.command is None:
        return MarksUsed()
    try:
        return MarksUsed(answer=await carry_out(command.command, connection))
    except Withdrawn as withdrawn:
        raise Withdrawn(MarksKept(answer=withdrawn.answer)) from None


async def _find(query: Query, connection: Connection) -> object:
    return await run_plan(connection, plan_query(query))
