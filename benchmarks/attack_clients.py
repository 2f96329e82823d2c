"""The clients of the benchmark `attack`, each a process of its own. The first line of their input is port and key.

`python -m benchmarks.attack_clients honest SECONDS CONNECTIONS RATE` asks at fixed times and prints what it saw;
`... attack FAMILY RATE` says "there", sends the attacks of a family in turn until its input ends, and prints how many
there were and how many of them the server did not end.
"""

import argparse
import contextlib
import json
import os
import select
import socket
import sys
import time
from collections import deque
from dataclasses import asdict
from itertools import cycle
from typing import Any

from benchmarks.attack import of_the_tests
from benchmarks.slow_clients import ask_for

PATIENCE_SECONDS = 10.0
_MOST_BYTES = 64 * 1024 * 1024
"""What is made of a family's attacks beforehand, since making them would take the honest client's time."""
_MOST_HELD = 500
"""Connections that wait for what the server does to them."""


def _wire(made: Any, api_key: str) -> bytes:
    if isinstance(made, bytes):
        return made.replace(b"@KEY@", api_key.encode())
    data: bytes = made.wire(api_key)
    return data


def attack(port: int, api_key: str, *, family: str, rate: int) -> tuple[int, int]:
    """Send attacks at a rate, or as fast as they are answered. Gives how many, and how many found no end."""
    ready: list[tuple[bytes, bool]] = []
    size = 0
    for case in of_the_tests("attack_families").FAMILIES[family]():
        data = _wire(case.make(), api_key)
        size += len(data)
        if size > _MOST_BYTES:
            break
        ready.append((data, case.holds_open))
    os.nice(10)  # it shares a core with the honest client, which goes first
    print("there", flush=True)
    held: deque[socket.socket] = deque()
    sent = unanswered = 0
    begun = time.monotonic()
    for data, holds_open in cycle(ready):
        if select.select([sys.stdin], [], [], max(0.0, begun + sent / rate - time.monotonic()))[0]:
            break
        sent += 1
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        if holds_open:
            held.append(connection)
            if len(held) > _MOST_HELD:
                held.popleft().close()
            continue
        with connection:
            unanswered += not _ended(connection)
    for connection in held:
        connection.close()
    return sent, unanswered


def _ended(connection: socket.socket) -> bool:
    """Read a connection to its end; whether there is one."""
    try:
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass  # reset, or gone before it was ended from here
    return True


def _order(api_key: str) -> bytes:
    """An order as a client sends it that keeps its connection."""
    cases = of_the_tests("attack_cases")
    sent: bytes = cases.Message(
        body=cases.envelope(cases.order(transaction="honest")).encode(), fields={"Connection": "keep-alive"}
    ).wire(api_key)
    return sent


def main() -> None:
    """Be the honest client, or the attacker, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    honest = parts.add_parser("honest")
    honest.add_argument("numbers", type=int, nargs=3)
    attacker = parts.add_parser("attack")
    attacker.add_argument("family")
    attacker.add_argument("rate", type=int)
    chosen = parser.parse_args()
    told = json.loads(sys.stdin.readline())
    if chosen.part == "honest":
        print(json.dumps(asdict(ask_for(told["port"], *chosen.numbers, request=_order(told["api_key"])))))
        return
    print(json.dumps(attack(told["port"], told["api_key"], family=chosen.family, rate=chosen.rate)))


if __name__ == "__main__":
    main()
