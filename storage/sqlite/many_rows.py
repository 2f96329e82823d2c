"""Statements for one row made into statements for many.

A statement costs more than the row that it writes: the writing thread lets go of the interpreter's lock for each.
"""

import re
import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from storage.sqlite.statements import statements

MOST_ROWS = 64
"""So many rows at most has one statement, a power of two: for each power up to it there is one text, prepared once."""

_ONE_ROW = re.compile(r"\bVALUES\s*\(([^)]*)\)")
_NAME = re.compile(r":([a-z_]+)")


def write_rows(db: sqlite3.Connection, name: str, values: Sequence[Any]) -> int:
    """Run a statement for many rows and give how many it wrote.

    `values` has what `parameter_names` names for one row after the other. No row may depend on what the statement does
    with another: each sees the tables as they were before.
    """
    width = len(parameter_names(name))
    start, size, written = 0, MOST_ROWS * width, 0
    while start < len(values):
        while start + size > len(values):
            size //= 2
        written += db.execute(_multiplied(name, size // width), values[start : start + size]).rowcount
        start += size
    return written


@cache
def parameter_names(name: str) -> tuple[str, ...]:
    """Give the parameters of the one row that stands in a statement, in their order. Raises ValueError without one."""
    return tuple(_NAME.findall(_row(name)))


@cache
def _multiplied(name: str, count: int) -> str:
    """Give the text with so many rows, their parameters one after the other, from the one for one row."""
    row = f"({_NAME.sub('?', _row(name))})"
    return _ONE_ROW.sub(lambda _: f"VALUES {', '.join([row] * count)}", statements()[name])


def _row(name: str) -> str:
    found = _ONE_ROW.findall(statements()[name])
    if len(found) != 1 or len(_NAME.findall(statements()[name])) != len(_NAME.findall(found[0])):
        raise ValueError(f"the statement {name} has not one row with all of its named parameters")
    return str(found[0])
