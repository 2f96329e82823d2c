"""A server that is attacked: `python attacked_process.py FOLDER LOG`. It ends with its input.

It prints its ports, a shop's key and an administrator's. To `begin` it takes its garbage out and notes what it used; to
`end` it prints what it has used since: milliseconds of processor time, of all threads, and bytes of resident memory at
the peak above the beginning, whoever asked for them: Python, libxml2 or a library below. Both are the system's own
figures.
"""

import asyncio
import ctypes
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from server.cli.initialise import CONFIG
from server.core import opened_core
from server.listener import Serving, serving
from server.settings import load_settings

SLOW_SECONDS = 1.5
"""The patience of the attacked server for heads and bodies."""


class Meter:
    """What this process has used since the beginning of an attack."""

    def __init__(self) -> None:
        self._trim = ctypes.CDLL(None).malloc_trim
        self._before = 0
        self._since = 0.0

    def begin(self) -> None:
        # What an earlier attack has left with the allocator would hide what the next one takes.
        gc.collect()
        self._trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now: proc(5)
        self._before = _kibibytes("VmRSS")
        self._since = time.process_time()

    def end(self) -> dict[str, Any]:
        milliseconds = (time.process_time() - self._since) * 1000
        return {"milliseconds": milliseconds, "bytes": (_kibibytes("VmHWM") - self._before) * 1024}


def _kibibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


async def obey(up: Serving) -> None:
    """Do what the input says, until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    meter = Meter()
    gc.collect()
    gc.freeze()
    while command := (await reader.readline()).decode().strip():
        said: dict[str, Any] = {}
        match command:
            case "begin":
                meter.begin()
            case "end":
                said = meter.end()
            case "connections":
                said = {"connections": up.keeper.open_connections}
        print(json.dumps(said), flush=True)


def _port(url: str | None) -> int:
    return int(str(url).rpartition(":")[2])


async def main(folder: Path, log: Path) -> None:
    settings = load_settings(
        folder / CONFIG,
        port=0,
        admin_port=0,
        admin_soap_port=0,
        guess_limit=1_000_000,
        header_seconds=SLOW_SECONDS,
        body_seconds=SLOW_SECONDS,
    )
    with log.open("w") as written:
        async with serving(settings, log=written) as up:
            async with opened_core(settings) as core:
                await core.catalogue.add_item(item_number="EDITOR", firm_code=6000010, product_code=100)
                _, api_key = await core.catalogue.add_shop("attacked")
                admin_key = await core.catalogue.add_administrator("attacked")
            ports = {"port": _port(up.local_url), "admin_port": _port(up.admin_soap_url)}
            print(json.dumps({**ports, "api_key": api_key, "admin_key": admin_key}), flush=True)
            await obey(up)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
