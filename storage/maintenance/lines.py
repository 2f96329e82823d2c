"""Rows as lines, the same for every database: a JSON array in the order of the declared columns.

Text is a JSON string, a number a number, a flag true or false, bytes are base64, and what is missing is null. The key
of an audit row is its place among all of them, from 1, since each database makes keys of its own. What refers to an
audit row names it by that place too, and 0 is none.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from storage.maintenance.errors import MaintenanceError
from storage.maintenance.links import Dialect
from storage.maintenance.tables import Kind, Table

_IMPORTED_AUDIT_ID = "00000000000000-{:020d}"
"""Sorts before what the database makes by itself, which begins with the time."""


def line_of(table: Table, row: Sequence[Any]) -> bytes:
    """The line of a row; places of audit rows stand in it already."""
    values = [_out(kind, value) for kind, value in zip(table.columns.values(), row, strict=True)]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def row_of(table: Table, line: bytes, dialect: Dialect) -> tuple[Any, ...]:
    """The row of a line, as a database takes it. Raises MaintenanceError for a line that is none of this table."""
    try:
        values = json.loads(line)
        return tuple(_in(kind, value, dialect) for kind, value in zip(table.columns.values(), values, strict=True))
    except (ValueError, TypeError):
        raise MaintenanceError(
            f"a line of table {table.name} is no row of it; take another copy of the export"
        ) from None


def _out(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.BYTES:
            return base64.b64encode(value).decode()
        case Kind.FLAG:
            return bool(value)
        case _:
            return value


def _in(kind: Kind, value: Any, dialect: Dialect) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.BYTES:
            return base64.b64decode(value, validate=True)
        case Kind.FLAG:
            return bool(value) if dialect == "postgres" else int(value)
        case Kind.AUDIT_ID:
            return _audit_id(int(value), dialect)
        case _:
            return value


def _audit_id(place: int, dialect: Dialect) -> int | str:
    if dialect == "sqlite":
        return place
    return _IMPORTED_AUDIT_ID.format(place) if place else ""
