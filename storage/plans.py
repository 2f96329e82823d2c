"""Commands and queries as plans: generators that ask for statements by name and get back what the database said.

A plan knows neither the database nor whether it is waited for in a thread or in an event loop, so that every storage
runs the same ones.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from frozen import quickly_made
from storage.rows import Parameters, Row

Result = TypeVar("Result")


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """Answered with the rows of a statement."""

    name: str
    parameters: Parameters


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """Answered with how many rows a statement wrote."""

    name: str
    parameters: Parameters


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadEach:
    """Answered with one row for each of the parameters, in their order."""

    name: str
    parameters: Sequence[Parameters]


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteEach:
    """Answered with how many rows were written for all the parameters; no row is meant by two of them."""

    name: str
    parameters: Sequence[Parameters]


Ask = Read | Write | ReadEach | WriteEach
Plan = Generator[Ask, Any, Result]


def many(name: str, parameters: Parameters) -> Plan[Sequence[Row]]:
    """The rows of a statement."""
    rows: Sequence[Row] = yield Read(name=name, parameters=parameters)
    return rows


def one(name: str, parameters: Parameters) -> Plan[Row | None]:
    """The first row of a statement, or None."""
    rows: Sequence[Row] = yield Read(name=name, parameters=parameters)
    return rows[0] if rows else None


def written(name: str, parameters: Parameters) -> Plan[int]:
    """How many rows a statement wrote."""
    count: int = yield Write(name=name, parameters=parameters)
    return count


def written_each(name: str, parameters: Sequence[Parameters]) -> Plan[int]:
    """How many rows were written for all the parameters together; nothing is asked where there are none."""
    count: int = 0
    if parameters:
        count = yield WriteEach(name=name, parameters=parameters)
    return count
