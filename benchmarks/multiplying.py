"""Databases with millions of orders, in minutes: one real order, multiplied by the database itself.

What comes in no order, such as a shop's own numbers, would take a page from everywhere in its index for each row; so
where the database can build such an index afterwards, by sorting, it does, and where it cannot, the index has the
memory that it needs. What is time-ordered is written where the last row was.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import asyncpg
from rich.progress import Progress, TaskID

CHUNK = 250_000

MULTIPLIED: Mapping[str, Mapping[str, str]] = {
    "tickets": {"ticket_id": "id:t", "lookup": "random"},
    "orders": {"order_id": "id:o", "ticket_id": "id:t", "transaction_id": "name:x", "order_number": "name:n"},
    "answers": {"transaction_id": "name:x"},
    "licenses": {"license_id": "id:l", "order_id": "id:o", "ticket_id": "id:t"},
    "audit": {"audit_id": "id:a", "subject": "id:o"},
}
"""The tables that an order is written to, and which columns are other ones in each order: `id` is time-ordered, as the
server's own ids are, `name` is a shop's own and comes in no order; the letter after it keeps them apart."""

Expressions = Mapping[str, Callable[[str], str]]

_SQLITE: Expressions = {
    "id": lambda letter: f"printf('%012x-{letter}-%020d', n, n)",
    "name": lambda letter: f"name('{letter}', n)",
    "random": lambda _: "randomblob(32)",
}
_POSTGRES: Expressions = {
    "id": lambda letter: f"lpad(to_hex(n), 12, '0') || '-{letter}-' || lpad(n::text, 20, '0')",
    "name": lambda letter: f"md5('{letter}' || n)",
    "random": lambda _: "sha256(n::text::bytea)",
}

_BUILT_AFTERWARDS = """
    SELECT i.indexrelid::regclass::text AS name, c.conname AS rule, i.indrelid::regclass::text AS "table",
        coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) AS definition
    FROM pg_index AS i
    LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
    WHERE i.indrelid = ANY (SELECT unnest($1::text[])::regclass)
        AND NOT EXISTS (SELECT 1 FROM pg_constraint AS f WHERE f.contype = 'f' AND f.conindid = i.indexrelid)
    ORDER BY i.indexrelid"""
"""Every index but those that a foreign key of another table stands on."""


def multiply_sqlite(path: Path, held: int) -> None:
    """Let a database that holds one order hold so many, each like the first with names of its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function(
        "name", 2, lambda letter, n: hashlib.md5(f"{letter}{n}".encode()).hexdigest(), deterministic=True
    )
    # Nobody else looks at the file, and after a crash it would be made anew: so nothing is kept for one.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -4194304"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    with Progress() as progress:
        task = progress.add_task(f"SQLite, {held:,} orders", total=held)
        for first, last in _chunks(held):
            source = (
                f"(WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) "
                "SELECT n FROM numbers)"
            )
            for table in MULTIPLIED:
                found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                # SQLite numbers the audit rows by itself.
                columns = [column for column in found if column != "audit_id"]
                connection.execute(_multiplying(table, columns, _SQLITE, source))
            progress.update(task, completed=last)
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


async def multiply_postgres(location: str, held: int) -> None:
    """Let a database that holds one order hold so many, each like the first with names of its own."""
    connection = await asyncpg.connect(location, command_timeout=None)
    try:
        found = await connection.fetch(_BUILT_AFTERWARDS, list(MULTIPLIED))
        for each in found:
            rule = f"ALTER TABLE {each['table']} DROP CONSTRAINT {each['rule']}"
            await connection.execute(rule if each["rule"] else f"DROP INDEX {each['name']}")
        with Progress() as progress:
            tasks = {table: progress.add_task(f"PostgreSQL, {held:,} {table}", total=held) for table in MULTIPLIED}
            await asyncio.gather(*(_multiplied(location, table, held, progress, task) for table, task in tasks.items()))
            building = progress.add_task("PostgreSQL, indexes", total=len(found))
            await connection.execute("SET maintenance_work_mem = '1GB'")
            for each in found:
                rule = f"ALTER TABLE {each['table']} ADD CONSTRAINT {each['rule']} {each['definition']}"
                await connection.execute(rule if each["rule"] else each["definition"])
                progress.advance(building)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _multiplied(location: str, table: str, held: int, progress: Progress, task: TaskID) -> None:
    """Fill one table by a connection of its own."""
    connection = await asyncpg.connect(location, command_timeout=None)
    try:
        # The rows fit by how they are made; checking each against the others would take most of the time.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET synchronous_commit = off")
        found = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table
        )
        for first, last in _chunks(held):
            source = f"(SELECT generate_series({first}, {last}) AS n) AS numbers"
            columns = [row[0] for row in found]
            await connection.execute(_multiplying(table, columns, _POSTGRES, source))
            progress.update(task, completed=last)
    finally:
        await connection.close()


def _chunks(held: int) -> Iterator[tuple[int, int]]:
    for first in range(2, held + 1, CHUNK):
        yield first, min(held, first + CHUNK - 1)


def _multiplying(table: str, columns: Sequence[str], expressions: Expressions, source: str) -> str:
    """Give the statement that writes a row of a table for each number `n` of `source`, like one that is in it."""
    other = MULTIPLIED[table]
    values = []
    for column in columns:
        kind, _, letter = other.get(column, "").partition(":")
        values.append(f"template.{column}" if not kind else expressions[kind](letter))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM (SELECT * FROM {table} LIMIT 1) AS template, {source}"
    )
