"""The bare engine as a process: listener, gate, parse, validate, decode, a handler without storage, encode.

No access control, no events, no metrics: what the peers do, and no more. `python -m benchmarks.bare --port N`.
"""

import argparse
import asyncio
import os
import secrets
import signal
import socket
import time
from datetime import UTC, datetime

from server.faults import fault_for
from server.http.accepting import Acceptor, Entrance
from server.http.answers import Answer, refusal
from server.http.application import Exchange, Peer, Trouble
from server.http.head import Head
from server.http.keeper import ConnectionLimits, Keeper
from server.process import run_loop, settle
from soap import Engine, Reply, SoapError, Version, load_contract
from soap.messages import sales
from xmlgate import Limits

PATH = "/v1/sales"
_SYMBOLS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ" * 8
"""Each of 256 bytes as one of 32 symbols."""


def new_names() -> tuple[str, str]:
    """Give a name for an order and a ticket, as the handlers of the peers make them."""
    random = secrets.token_bytes(41)
    symbols = random[:25].translate(_SYMBOLS).decode("ascii")
    ticket = f"{symbols[:5]}-{symbols[5:10]}-{symbols[10:15]}-{symbols[15:20]}-{symbols[20:]}"
    return random[25:].hex(), ticket


class Bare:
    """Answers CreateOrder with a random ticket."""

    def __init__(self) -> None:
        limits = Limits()
        self.most = limits.max_bytes
        self.engine = Engine(load_contract("v1/sales.wsdl"), sales, limits=limits, validate_answers=False, shapes=256)

    def open(self, head: Head, peer: Peer) -> Exchange | Answer:  # noqa: ARG002  nobody is asked who it is
        """Admit what is posted to the one path."""
        return BareExchange(self, head) if head.method == "POST" and head.path == PATH else refusal(404)

    def refused(self, peer: Peer, *, status: int, reason: str) -> None:
        """Nobody counts here."""

    def answer(self, head: Head, body: bytes) -> Reply:
        """Pass all stages but those that need a shop or a database."""
        fields, engine, version = head.fields, self.engine, Version.SOAP11
        try:
            received = engine.open(body, content_type=fields.get("content-type"), soap_action=fields.get("soapaction"))
            version = received.version
            order = engine.decode(received)
            return engine.encode(received, self.handle(order))
        except SoapError as error:
            return engine.fault(fault_for(error, reference="bare"), version=error.version or version)

    def handle(self, order: sales.CreateOrderRequest) -> sales.CreateOrderAnswer:
        """Make ids and a ticket, and a licence for each line."""
        order_id, ticket = new_names()
        return sales.CreateOrderAnswer(
            receipt=sales.OrderReceipt(
                order_id=order_id,
                ticket=ticket,
                license=tuple(
                    [
                        sales.OrderedLicense(
                            license_id=f"{order_id}-{place}", item_number=line.item_number, quantity=line.quantity
                        )
                        for place, line in enumerate(order.order_line, 1)
                    ]
                ),
            )
        )


class BareExchange:
    """One request, answered at once."""

    __slots__ = ("_bare", "_head", "most")

    def __init__(self, bare: Bare, head: Head) -> None:
        self._bare = bare
        self._head = head
        self.most = bare.most

    def run(self, body: bytes) -> Answer:
        """Answer the request."""
        reply = self._bare.answer(self._head, body)
        return Answer(reply.status, reply.content_type, reply.whole)

    def refuse(self, trouble: Trouble) -> Answer:  # noqa: ARG002  all end alike here
        """Say that the request was refused."""
        return refusal(413)

    def sent(self) -> None:
        """Nobody counts here."""

    def aborted(self) -> None:
        """Nobody counts here."""


async def _serve(listening: socket.socket, limits: ConnectionLimits) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    keeper = Keeper(Bare(), limits=limits, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
    acceptor = Acceptor(Entrance(listening=listening), keeper)
    acceptor.start()
    settle()
    await stop.wait()
    await acceptor.stop(last=True)
    await keeper.drain(seconds=1)


def _forked(number: int) -> list[int]:
    """Fork so many more processes and give their ids; each of them gets an empty list."""
    others: list[int] = []
    for _ in range(number):
        process = os.fork()
        if process == 0:
            return []
        others.append(process)
    return others


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections-per-address", type=int, default=1_000)
    parser.add_argument("--header-seconds", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    limits = ConnectionLimits(
        connections=max(10_000, options.connections_per_address),
        connections_an_address=options.connections_per_address,
        header_seconds=options.header_seconds,
    )
    with socket.create_server(("127.0.0.1", options.port), backlog=4096) as listening:
        others = _forked(options.workers - 1)
        run_loop(_serve(listening, limits))
    for process in others:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()
