"""The whole server as it is served, but that orders are not stored: `python -m benchmarks.shipped --port N`.

What runs is what `opendepot serve` runs, with the settings that `opendepot init` writes: the supervisor and its worker,
both gates, the shop's IP rule, engine, handler, events, metrics, readiness. Two names are replaced, both in processes
of this module: the one that the supervisor starts workers by, and the one that a worker opens its core by
(`benchmarks.shipped_worker`, which tells the two ways there are).
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.folders import CACHE
from benchmarks.messages import ITEMS
from benchmarks.shipped_worker import WAYS
from ipfilters import read_rules
from server.cli.initialise import CONFIG, initialise
from server.core import opened_core, utc_now
from server.filters.editing import FilterEditor
from server.process import run_loop
from server.settings import Settings, load_settings
from server.supervise.supervisor import supervise
from storage.records import AccessPolicy

SHOP = "benchmark"
PATH = f"/v1/sales/{SHOP}"
"""A shop that its address identifies stands in the URL."""

_WORKER = "server.supervise.worker"
_OURS = "benchmarks.shipped_worker"
_RULES = f'format = 1\n[[shop.{SHOP}]]\nallow = "127.0.0.0/8"\n'


async def _prepared(settings: Settings) -> None:
    """Make the items of the order and a shop that is let in by its address alone."""
    async with opened_core(settings) as core:
        for place, number in enumerate(ITEMS, 1):
            await core.catalogue.add_item(item_number=number, firm_code=6_000_010, product_code=place)
        await core.catalogue.add_shop(SHOP)
        await core.catalogue.set_policy(SHOP, AccessPolicy.IP)
        editor = FilterEditor(core.storage, clock=utc_now)
        rules = read_rules(_RULES, file="benchmark")
        await editor.store(await editor.prepare(lambda _: rules), author="benchmark", comment="")


def _serve(folder: Path, *, port: int, way: str) -> None:
    initialise(folder)
    asyncio.run(_prepared(load_settings(folder / CONFIG)))
    started = asyncio.create_subprocess_exec

    async def start(*words: Any, **options: Any) -> asyncio.subprocess.Process:
        *command, module, order = words
        if command != [sys.executable, "-m"] or module != _WORKER:
            raise AssertionError(f"the supervisor starts its workers another way: {words[:3]}")
        return await started(*command, _OURS, order, way, **options)

    # The port of the admin listener is a free one; all else is the default.
    command_line = {"port": port, "admin_port": 0}
    settings = load_settings(folder / CONFIG, **command_line)
    with patch.object(asyncio, "create_subprocess_exec", start):
        run_loop(supervise(config=folder / CONFIG, command_line=command_line, settings=settings))


def main() -> None:
    """Make a server in a new folder, with items and a shop, and serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--way", choices=tuple(WAYS), default="handler")
    parser.add_argument("--folder", type=Path, help="where the server is made and left; without it, it is removed")
    options = parser.parse_args()
    if options.folder is not None:
        _serve(options.folder, port=options.port, way=options.way)
        return
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shipped-", dir=CACHE) as folder:
        _serve(Path(folder) / "depot", port=options.port, way=options.way)


if __name__ == "__main__":
    main()
