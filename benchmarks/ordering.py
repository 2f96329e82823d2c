"""The whole server as a process, with its way of committing orders chosen: `python -m benchmarks.ordering`.

Access control, events and metrics are those of `opendepot serve`, and so is everything else but the way:

batched           as shipped: what waits is committed together
commit-per-order  SQLite: the same statements in the same thread, and a COMMIT for each order
cte-per-order     PostgreSQL: the same statement with one order in it, which commits by itself, on 8 connections
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.messages import ITEMS
from server.cli.initialise import CONFIG, initialise
from server.core import OpenDatabase, opened_core
from server.listener import serving
from server.process import run_loop, settle
from server.settings import Settings, load_settings
from storage import Storage, open_storage
from storage.outcomes import Answered, Outcome
from storage.postgres.connection import Opener
from storage.postgres.engine import PostgresStorage
from storage.postgres.orders import place_batch
from storage.waiting import WaitingLine

CTE_CONNECTIONS = 8
KEY_FILE = "api-key"


async def open_cte_per_order(
    location: str | Path, *, queue_limit: int, reader_count: int, busy_seconds: float, statement_cache_size: int
) -> Storage:
    """Open PostgreSQL so that each order is one statement, which commits by itself."""
    opener = Opener(location=str(location), busy_seconds=busy_seconds, statement_cache_size=statement_cache_size)
    storage = await PostgresStorage.open(
        opener=opener, queue_limit=queue_limit, batch_limit=1, reader_count=reader_count
    )
    alone = await opener.transactions("begin_write", size=CTE_CONNECTIONS)

    async def place(commands: list[Any]) -> list[Outcome]:
        (command,) = commands
        outcome = await alone.read(partial(place_batch, [command]), whole=True)
        return [Answered(answer=outcome.answer[0])] if isinstance(outcome, Answered) else [outcome]

    storage._orders = WaitingLine(run=place, limit=queue_limit, lanes=CTE_CONNECTIONS)
    return storage


WAYS: Mapping[str, OpenDatabase] = {
    "batched": open_storage,
    "commit-per-order": partial(open_storage, batch_limit=1),
    "cte-per-order": open_cte_per_order,
}


async def _prepare(settings: Settings, key_file: Path) -> None:
    async with opened_core(settings) as core:
        for place, number in enumerate(ITEMS, 1):
            await core.catalogue.add_item(item_number=number, firm_code=6_000_010, product_code=place)
        _, api_key = await core.catalogue.add_shop("benchmark")
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(api_key)


async def _serve(settings: Settings, open_database: OpenDatabase) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving(settings, open_database=open_database):
        settle()
        await stop.wait()


def main() -> None:
    """Serve until told to stop; in a new folder, make a server with items and a shop before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="the shop's key will stand in FOLDER/api-key")
    parser.add_argument("--database", help="an address; without it a file in the folder")
    parser.add_argument("--way", choices=tuple(WAYS), default="batched")
    options = parser.parse_args()
    is_new = not (options.folder / KEY_FILE).exists()
    if is_new:
        initialise(options.folder)
    database = {} if options.database is None else {"database": options.database}
    settings = load_settings(options.folder / CONFIG, port=options.port, admin_port=0, workers=0, **database)
    if is_new:
        asyncio.run(_prepare(settings, options.folder / KEY_FILE))
    run_loop(_serve(settings, WAYS[options.way]))


if __name__ == "__main__":
    main()
