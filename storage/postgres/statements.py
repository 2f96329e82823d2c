"""The SQL statements that PostgreSQL runs, by name, with numbered places for values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from storage.rows import Parameters
from storage.statements import load_statements, sql_folder

_PLACE = re.compile(r"(?<!:):([a-z_]+)\b")  # not the second colon of a cast


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """SQL with places $1, $2, ... and the names of the values that go there, in this order."""

    sql: str
    names: tuple[str, ...]

    def values(self, parameters: Parameters) -> list[object]:
        """The values for the places."""
        return [parameters[name] for name in self.names]

    def arrays(self, parameters: Sequence[Parameters]) -> list[list[object]]:
        """An array for each place, with a value for each of the parameters."""
        return [[each[name] for each in parameters] for name in self.names]


def numbered(sql: str) -> Statement:
    """A statement with its `:name` places numbered; a name that stands twice has one number."""
    names = tuple(dict.fromkeys(_PLACE.findall(sql)))
    return Statement(sql=_PLACE.sub(lambda found: f"${names.index(found[1]) + 1}", sql), names=names)


@cache
def statements() -> Mapping[str, Statement]:
    """All statements by name."""
    found = load_statements((sql_folder("common"), sql_folder("postgres/queries")))
    return MappingProxyType({name: numbered(sql) for name, sql in found.items()})


def with_limits(name: str, limits: Mapping[str, int]) -> str:
    """The statements of a block in whose `:name` places whole numbers stand, for commands that take no values."""
    statement = load_statements((sql_folder("postgres/queries"),))[name]
    return _PLACE.sub(lambda found: str(int(limits[found[1]])), statement)
