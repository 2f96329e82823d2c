"""What the benchmark `depot` runs in processes of their own: `python -m benchmarks.collecting load|raw`.

load   sends requests from a file, each once, and measures how long the answers take; keeps them where it is told to
raw    verifies and signs by P-256 and commits, as little as any collection must do
"""

import argparse
import asyncio
import json
import math
import re
import sqlite3
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

STEP_BYTES = 2048
"""About what a signed step and its rows take."""
SIGNED_BYTES = 512
_LENGTH = struct.Struct(">I")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Write whole HTTP requests, one after the other."""
    with path.open("wb") as file:
        for request in requests:
            file.write(_LENGTH.pack(len(request)) + request)


def read_requests(path: Path) -> Iterator[bytes]:
    """Give the requests that `write_requests` wrote."""
    data = path.read_bytes()
    place = 0
    while place < len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        yield data[place : place + length]
        place += length


async def send(
    requests: Sequence[bytes],
    *,
    port: int,
    connections: int,
    holding: bytes = b"Done",
    answers: dict[int, bytes] | None = None,
) -> dict[str, float]:
    """Send each request once, each connection one after the other.

    Gives how many answers were good and held some bytes, the seconds that all took, the median and the slowest
    hundredth of the times of one in milliseconds, and the processor time of this process meanwhile, in seconds. The
    bodies of the answers go into `answers`, by the places of their requests.
    """
    waiting = iter(enumerate(requests))
    done = 0
    times: list[float] = []

    async def client() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place, request in waiting:
            sent = time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _CONTENT_LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            times.append(time.monotonic() - sent)
            done += head.startswith(b"HTTP/1.1 200") and holding in body
            if answers is not None:
                answers[place] = body
        writer.close()
        await writer.wait_closed()

    begun, used = time.monotonic(), time.process_time()
    await asyncio.gather(*(client() for _ in range(connections)))
    seconds, cpu_seconds = time.monotonic() - begun, time.process_time() - used
    times.sort()
    return {
        "answered": done,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "p50_ms": _quantile(times, 0.5) * 1000,
        "p99_ms": _quantile(times, 0.99) * 1000,
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Give the least of the values that at least this share of them does not exceed; 0 where there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def raw(*, seconds: float, together: int, folder: Path) -> dict[str, float]:
    """Verify, sign and write a row, and commit so many together, durably; gives how often in so many seconds."""
    key, scheme, data = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256()), b"x" * SIGNED_BYTES
    public, signature, content = key.public_key(), key.sign(data, scheme), b"x" * STEP_BYTES
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        connection = sqlite3.connect(Path(inside) / "raw.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE steps (number INTEGER PRIMARY KEY, content BLOB NOT NULL)")
        done, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(together):
                public.verify(signature, data, scheme)
                key.sign(data, scheme)
                connection.execute("INSERT INTO steps (content) VALUES (?)", (content,))
            connection.execute("COMMIT")
            done += together
        elapsed = time.monotonic() - begun
        connection.close()
    return {"answered": done, "seconds": elapsed}


def main() -> None:
    """Do one of both and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("load", "raw"))
    parser.add_argument("--file", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--holding", default="Done", help="what a good answer holds")
    parser.add_argument("--answers", type=Path, help="where the bodies of the answers go, in the order of the requests")
    options = parser.parse_args()
    if options.what == "raw":
        found = raw(seconds=options.seconds, together=options.connections, folder=options.folder)
    else:
        requests = list(read_requests(options.file))
        answers: dict[int, bytes] = {}
        found = asyncio.run(
            send(
                requests,
                port=options.port,
                connections=options.connections,
                holding=options.holding.encode(),
                answers=None if options.answers is None else answers,
            )
        )
        if options.answers is not None:
            write_requests(options.answers, [answers[place] for place in sorted(answers)])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
