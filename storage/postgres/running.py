"""Plans carried out on a connection of PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from storage.plans import Ask, Plan, Read, ReadEach, Write, WriteEach
from storage.postgres.statements import statements
from storage.rows import Row

Result = TypeVar("Result")


class Connection(Protocol):
    """What is used of a connection of asyncpg, pooled or not."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; answered with its command tag, like `UPDATE 3`."""
        ...

    async def fetch(self, query: str, *args: object) -> Sequence[Row]:
        """Run a statement; answered with its rows."""
        ...


async def run_plan(connection: Connection, plan: Plan[Result]) -> Result:
    """The plan's result; raises what the plan or the driver raises."""
    answer: object = None
    try:
        while True:
            answer = await _carry_out(connection, plan.send(answer))
    except StopIteration as done:
        result: Result = done.value
        return result


async def _carry_out(connection: Connection, ask: Ask) -> object:
    statement = statements()[ask.name]
    match ask:
        case Read():
            return await connection.fetch(statement.sql, *statement.values(ask.parameters))
        case Write():
            return _count(await connection.execute(statement.sql, *statement.values(ask.parameters)))
        case ReadEach():
            return await connection.fetch(statement.sql, *statement.arrays(ask.parameters))
        case WriteEach():
            return _count(await connection.execute(statement.sql, *statement.arrays(ask.parameters)))


async def fetch(connection: Connection, name: str, /, **values: Any) -> Sequence[Row]:
    """The rows of a statement."""
    statement = statements()[name]
    return await connection.fetch(statement.sql, *statement.values(values))


async def execute(connection: Connection, name: str, /, **values: Any) -> int:
    """How many rows a statement wrote."""
    statement = statements()[name]
    return _count(await connection.execute(statement.sql, *statement.values(values)))


def _count(tag: str) -> int:
    number = tag.rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0
