"""Where the storages under test keep their data, for tests that look behind them."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from postgres_server import PostgresServer


@dataclass(frozen=True)
class SqlitePlace:
    """A database file."""

    location: Path

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements behind the storage's back; the rows of the last one."""
        connection = sqlite3.connect(self.location)
        try:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows by table."""
        names = [name for (name,) in self.run("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: self.run(f"SELECT * FROM {name}") for name in names}


@dataclass(frozen=True)
class PostgresPlace:
    """A database of the tests' server."""

    server: PostgresServer
    name: str

    @property
    def location(self) -> str:
        return self.server.address(self.name)

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements behind the storage's back; the rows of the last one."""
        return self.server.run(*statements, database=self.name)

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows by table."""
        return self.server.tables(self.name)


Place = SqlitePlace | PostgresPlace


def dump_of(place: Place) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, but for the ids of audit rows, which are half chance in PostgreSQL."""
    rows = place.tables()
    rows["audit"] = [row[1:] for row in rows["audit"]]
    return {table: sorted(found, key=repr) for table, found in sorted(rows.items())}
