"""The clients of the benchmark `slow`, each side a process of its own.

`python -m benchmarks.slow_clients honest PORT SECONDS CONNECTIONS RATE` asks at fixed times and prints what it saw;
`... crowd PORT CLIENTS` is all slow clients: it says "there", and what it saw once its input ends.
"""

import argparse
import contextlib
import heapq
import json
import os
import resource
import select
import socket
import struct
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.checks import ORDER
from benchmarks.report import Refused

KINDS = ("silent", "half head", "dripped head", "dripped body", "never reading", "half open")
PATIENCE_SECONDS = 10.0
"""How long the honest client waits for its last answers."""


@dataclass(frozen=True, kw_only=True)
class Honest:
    """What the honest client saw: `late` is how late it sent, which nobody but itself can have been the cause of."""

    requests: int
    failures: int
    p50_ms: float
    p99_ms: float
    late_p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Slow:
    """What the slow clients saw: the fewest that were there at a time, and how many of each kind the server cut."""

    fewest: int
    opened: int
    cut: Mapping[str, int]


# The honest client


class _Asking:
    """One connection that asks at its times. `times` gets a latency and a lateness, in seconds, for each answer."""

    def __init__(self, port: int, times: list[tuple[float, float]], request: bytes | None) -> None:
        self.failures = 0
        self.due: deque[tuple[float, float]] = deque()
        self._times = times
        self._received = b""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = "".join(f"{name}: {value}\r\n" for name, value in ORDER.headers.items())
        head = f"POST {ORDER.path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {len(ORDER.body)}\r\n\r\n"
        self._request = head.encode() + ORDER.body if request is None else request

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self, due: float) -> None:
        self.due.append((due, time.perf_counter() - due))
        with contextlib.suppress(OSError):
            self._socket.sendall(self._request)

    def take(self) -> bool:
        """Take what is there; False at the end of the connection."""
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        self._received += data
        while self._took_answer():
            pass
        return bool(data)

    def _took_answer(self) -> bool:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end or not self.due:
            return False
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return False
        self._received = rest[length:]
        due, late = self.due.popleft()
        self._times.append((time.perf_counter() - due, late))
        if not head.startswith(b"HTTP/1.1 200 ") or b"CreateOrderResponse" not in rest[:length]:
            self.failures += 1
        return True


def ask_for(port: int, seconds: int, connections: int, rate: int, *, request: bytes | None = None) -> Honest:
    """Ask at fixed times, whether or not the answer before is there: waiting for it would hide that it was late.

    `request` is a whole order as it goes to the server, None for one to a server that lets everybody in.
    """
    times: list[tuple[float, float]] = []
    asking = [_Asking(port, times, request) for _ in range(connections)]
    alive = list(asking)
    begun = time.perf_counter() + 0.05
    requests = rate * seconds
    asked = 0
    end = begun + seconds + PATIENCE_SECONDS
    while time.perf_counter() < end and alive and (asked < requests or any(one.due for one in asking)):
        until = begun + asked / rate if asked < requests else end
        # Unlike epoll this waits for parts of a millisecond.
        readable, _, _ = select.select(alive, [], [], max(0.0, until - time.perf_counter()))
        for one in readable:
            if not one.take():
                alive.remove(one)
        while asked < requests and begun + asked / rate <= time.perf_counter():
            asking[asked % connections].ask(begun + asked / rate)
            asked += 1
    if not times:
        raise Refused("the honest client got no answer")
    latencies, lateness = (sorted(found) for found in zip(*times, strict=True))
    return Honest(
        requests=requests,
        failures=sum(one.failures + len(one.due) for one in asking) + requests - asked,
        p50_ms=_quantile(latencies, 0.50) * 1000,
        p99_ms=_quantile(latencies, 0.99) * 1000,
        late_p99_ms=_quantile(lateness, 0.99) * 1000,
    )


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


# The slow clients


_OPENINGS_A_SECOND = 1_000
_DRIP_SECONDS = 1.0
_HALF_OPEN_SECONDS = 5.0
_HEAD = b"POST /v1/sales HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 200000\r\n\r\n"
_NEVER_READ = 32
_RESET = struct.pack("ii", 1, 0)


class _Slow:
    """A slow client and its present connection."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.socket: socket.socket | None = None
        self.opened = 0.0
        self.cut = False


class _Crowd:
    """All slow clients. Whoever is cut comes again, so that their number stays."""

    def __init__(self, port: int, clients: int) -> None:
        self._address = ("127.0.0.1", port)
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, _Slow] = {}
        self._waiting = deque(_Slow(KINDS[number % len(KINDS)]) for number in range(clients))
        self._drips: list[tuple[float, int, _Slow, float]] = []
        self._serial = 0
        self._clients = clients
        self._opened = 0
        self._fewest = clients
        self._cut: Counter[str] = Counter()

    def run(self) -> Slow:
        """Come, say "there" when all are, and stay until the input ends."""
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
        there = False
        allowed, last = 0.0, time.monotonic()
        while True:
            for descriptor, events in self._epoll.poll(0.01):
                if descriptor == sys.stdin.fileno():
                    return Slow(fewest=self._fewest, opened=self._opened, cut={kind: self._cut[kind] for kind in KINDS})
                self._happened(self._by_descriptor[descriptor], events)
            now = time.monotonic()
            allowed, last = min(100.0, allowed + (now - last) * _OPENINGS_A_SECOND), now
            while self._waiting and allowed >= 1:
                allowed -= 1
                self._open(self._waiting.popleft(), now)
            while self._drips and self._drips[0][0] <= now:
                self._drip(heapq.heappop(self._drips), now)
            if there:
                self._fewest = min(self._fewest, len(self._by_descriptor))
            elif not self._waiting:
                there = True
                print("there", flush=True)

    def _open(self, client: _Slow, now: float) -> None:
        new = socket.socket()
        new.setblocking(False)  # noqa: FBT003  no keyword there
        if client.kind == "never reading":
            # Small windows and segments, so that a few answers fill all buffers on the way.
            new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            new.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        new.connect_ex(self._address)
        client.socket, client.opened, client.cut = new, now, False
        self._by_descriptor[new.fileno()] = client
        self._epoll.register(new.fileno(), select.EPOLLOUT)
        self._opened += 1

    def _happened(self, client: _Slow, events: int) -> None:
        assert client.socket is not None
        if events & select.EPOLLOUT and not events & (select.EPOLLERR | select.EPOLLHUP):
            self._begin(client, client.socket)
            return
        if client.kind != "never reading" and events & select.EPOLLIN:
            with contextlib.suppress(OSError):
                if client.socket.recv(4096):
                    return
        self._ended(client)

    def _begin(self, client: _Slow, connected: socket.socket) -> None:
        """Do the one thing that a kind does once it is connected."""
        first = {
            "half head": _HEAD[:40],
            "dripped head": _HEAD[:1],
            "dripped body": _HEAD,
            "never reading": (_HEAD.replace(b"200000", b"%d" % len(ORDER.body)) + ORDER.body) * _NEVER_READ,
            "half open": _HEAD[:40],
        }.get(client.kind, b"")
        with contextlib.suppress(OSError):
            if first:
                connected.send(first)
            if client.kind == "half open":
                connected.shutdown(socket.SHUT_WR)
        if client.kind in {"dripped head", "dripped body"}:
            self._later(client, client.opened + _DRIP_SECONDS)
        watched = 0 if client.kind == "never reading" else select.EPOLLIN
        self._epoll.modify(connected.fileno(), watched | select.EPOLLRDHUP)

    def _later(self, client: _Slow, due: float) -> None:
        self._serial += 1
        heapq.heappush(self._drips, (due, self._serial, client, client.opened))

    def _drip(self, drip: tuple[float, int, _Slow, float], now: float) -> None:
        _, _, client, opened = drip
        if client.socket is None or client.opened != opened:
            return
        if client.cut:
            self._come_again(client)
            return
        with contextlib.suppress(OSError):
            client.socket.send(b"x")
        self._later(client, now + _DRIP_SECONDS)

    def _ended(self, client: _Slow) -> None:
        """The server has cut it."""
        assert client.socket is not None
        self._cut[client.kind] += 1
        if client.kind == "half open":
            # It is let go at once, and would come again all the time; so it keeps its end for a while.
            client.cut = True
            self._epoll.unregister(client.socket.fileno())
            self._later(client, client.opened + _HALF_OPEN_SECONDS)
        else:
            self._come_again(client)

    def _come_again(self, client: _Slow) -> None:
        assert client.socket is not None
        del self._by_descriptor[client.socket.fileno()]
        # A reset, since ports that wait for late packets would run out.
        with contextlib.suppress(OSError):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.socket.close()
        client.socket = None
        self._waiting.append(client)


def main() -> None:
    """Be the honest client, or the slow ones, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("honest", "crowd"))
    parser.add_argument("numbers", type=int, nargs="+")
    chosen = parser.parse_args()
    if chosen.part == "honest":
        found: Honest | Slow = ask_for(*chosen.numbers)
    else:
        # They share a core with the honest client, which goes first.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        found = _Crowd(*chosen.numbers).run()
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
