"""The reader of the benchmark `stream`, a process of its own: URL, API key, firm code, most updates, half of them."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from benchmarks.processes import rss_mib
from opendepot import ApiKey, DepotClient
from soap.messages import depot


async def read(url: str, api_key: str, firm_code: int, most: int, half: int) -> dict[str, float]:
    """Read updates, keeping none; with `half`, vanish after so many and go on behind the last one."""
    seen: set[str] = set()
    count, size, first = 0, 0, 0.0
    async with DepotClient(url, credential=ApiKey(key=api_key)) as client:
        before, started = rss_mib(os.getpid()), time.monotonic()

        async def taken(updates: AsyncIterator[depot.ContainerUpdate], until: int) -> str | None:
            nonlocal count, size, first
            async for update in updates:
                first = first or time.monotonic() - started
                count += 1
                size += len(update.update or b"") * 4 // 3
                seen.add(update.position)
                if count == until:
                    return update.position
            return None

        after = None
        if half:
            async with aclosing(client.get_license_updates(firm_code=firm_code)) as updates:
                after = await taken(updates, half)
        await taken(client.get_license_updates(firm_code=firm_code, after=after, limit=most or None), 0)
    return {
        "updates": count,
        "different": len(seen),
        "bytes": size,
        "seconds": time.monotonic() - started,
        "first_item_ms": first * 1000,
        "growth_mib": _peak_mib() - before,
    }


def _peak_mib() -> float:
    """Give the most memory since the program started; `ru_maxrss` would count what the parent had before."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    url, api_key, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(read(url, api_key, *map(int, numbers)))))
