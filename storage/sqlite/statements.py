"""The SQL statements that SQLite runs, by name."""

from collections.abc import Mapping
from functools import cache

from storage.statements import load_statements, sql_folder


@cache
def statements() -> Mapping[str, str]:
    """All statements by name."""
    return load_statements((sql_folder("common"), sql_folder("sqlite/queries")))
