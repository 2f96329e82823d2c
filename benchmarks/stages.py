"""The benchmark `stages`: what each stage of a request costs, in microseconds, for messages of 1 KB to 1 MB.

Everything runs in one process without a network: the HTTP stage is the connection's own code over a transport that
throws bytes away. Orders of many lines, so that elements grow with bytes; the schema's bound of 100 lines, and the
limits of a message, are lifted for that in memory.
"""

import asyncio
import importlib.metadata
import io
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from lxml import etree

from benchmarks.bare import Bare
from benchmarks.messages import CONTENT_TYPE, CREATE_ORDER, SOAP_ACTION
from benchmarks.report import Figure, Options, Record, Table, figure_of, this_machine
from observe import EventLog, LogFormat, Metrics
from server.http.answers import Answer
from server.http.application import Peer, Trouble
from server.http.connection import Connection
from server.http.head import Head
from server.http.keeper import ConnectionLimits, Keeper
from server.process import settle
from soap import Contract, Engine, Received, load_contract
from soap.codec import compile_decoder
from soap.envelope import read_content_type, read_envelope
from soap.messages import sales
from soap.names import XSD
from soap.validate import Validator
from xmlgate import Limits
from xmlgate.encoding import decode
from xmlgate.gate import count_exactly, within_bounds
from xmlgate.parser import _tools

SIZES: Mapping[str, int] = {"1k": 1024, "4k": 4096, "64k": 65536, "1m": 1048576}
STAGES = ("http", "gate", "parse", "envelope", "validate", "decode", "handler", "encode", "event", "metrics")
KNOWN = "known"
"""Gate, parse, envelope, validate and decode in one, of a message whose shape was met; large ones have none."""

RISE = 1.25
"""A larger message may cost so much more for each KB than the next smaller one before that is told as a rise."""

_LINE = (
    b"      <sales:orderLine><sales:itemNumber>CAD-VIEW</sales:itemNumber>"
    b"<sales:quantity>25</sales:quantity></sales:orderLine>\n"
)
_LIMITS = Limits(max_bytes=8 * 1024 * 1024, elements=1_000_000)


def run(options: Options) -> Record:
    """Time each stage of a request alone, for messages of 1, 4, 64 KB and 1 MB: microseconds, and those for a KB."""
    rounds: dict[tuple[str, str], list[float]] = {}
    settle()
    stages = {size: _stages(order_of(length)) for size, length in SIZES.items()}
    for _ in range(options.rounds):
        for size, works in stages.items():
            for name, work in works.items():
                rounds.setdefault((name, size), []).append(_microseconds(work, seconds=0.02 * options.seconds))
    medians = {key: figure_of(values) for key, values in rounds.items()}
    per_kb = {size: sum(medians[stage, size].median for stage in STAGES) * 1024 / SIZES[size] for size in SIZES}
    return Record(
        name="stages",
        machine=this_machine(),
        versions={name: importlib.metadata.version(name) for name in ("opendepot", "lxml", "structlog")},
        runs=[
            {"stage": stage, "size": size, "round": number, "us": value}
            for (stage, size), values in rounds.items()
            for number, value in enumerate(values, 1)
        ],
        figures={
            **{f"{stage}_{size}_us": medians[stage, size] for stage, size in medians},
            **{f"total_{size}_us_per_kb": Figure(median=v, lowest=v, highest=v) for size, v in per_kb.items()},
        },
        tables=(_table(medians, per_kb),),
        warnings=_rises(per_kb),
    )


def order_of(length: int) -> bytes:
    """Give an order of about so many bytes: the benchmark's own, with more lines."""
    place = CREATE_ORDER.index(b"      <sales:orderLine>")
    more = max(0, (length - len(CREATE_ORDER)) // len(_LINE))
    return CREATE_ORDER[:place] + _LINE * more + CREATE_ORDER[place:]


def _stages(body: bytes) -> dict[str, Callable[[], object]]:
    """Give the work of each stage, ready to be repeated."""
    bare, contract = Bare(), _contract_without_bounds()
    engine = Engine(contract, sales, limits=_LIMITS, validate_answers=False)
    kind = read_content_type(CONTENT_TYPE)
    text = decode(body, charset=kind.charset)
    root = etree.fromstring(text.data)
    received = engine.open(body, content_type=CONTENT_TYPE, soap_action=SOAP_ACTION)
    payload = received.payload
    assert payload is not None
    message = engine.decode(received)
    answer = bare.handle(message)
    validator = Validator(contract.schemas[contract.namespace])
    decoder = compile_decoder(received.operation.request, sales)
    known = _known(contract, body)
    return {
        **({} if known is None else {KNOWN: known}),
        "http": _http(body, engine.encode(received, answer).whole),
        "gate": lambda: _gate(body, kind.charset),
        "parse": lambda: etree.fromstring(text.data, _tools.parser),
        "envelope": lambda: read_envelope(root, kind),
        "validate": lambda: validator.valid(payload),
        "decode": lambda: decoder(payload),
        "handler": lambda: bare.handle(message),
        "encode": lambda: engine.encode(received, answer),
        "event": _event(),
        "metrics": _metrics(len(body)),
    }


def _known(contract: Contract, body: bytes) -> Callable[[], object] | None:
    engine = Engine(contract, sales, limits=_LIMITS, validate_answers=False, shapes=1)

    def read() -> Received:
        received = engine.open(body, content_type=CONTENT_TYPE, soap_action=SOAP_ACTION)
        engine.decode(received)
        return received

    read()
    read()
    return read if read().payload is None else None


def _contract_without_bounds() -> Contract:
    contract = load_contract("v1/sales.wsdl")
    for element in contract.schemas[contract.namespace].iter(f"{{{XSD}}}element"):
        if element.get("maxOccurs", "1") != "1":
            element.set("maxOccurs", "unbounded")
    return contract


def _gate(body: bytes, charset: str | None) -> None:
    text = decode(body, charset=charset)
    if not within_bounds(text.data, declaration=text.declaration, limits=_LIMITS):
        count_exactly(text.data, limits=_LIMITS)


def _http(body: bytes, answer: bytes) -> Callable[[], object]:
    """Feed a whole request to a connection, as the network would: in pieces of 64 KB at the most."""
    head = (
        f"POST /v1/sales HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"SOAPAction: {SOAP_ACTION}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    # One connection takes all requests of all rounds.
    limits = ConnectionLimits(requests=sys.maxsize)
    keeper = Keeper(_Answering(answer), limits=limits, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
    connection = Connection(keeper, address="127.0.0.1")
    with asyncio.Runner() as runner:
        runner.run(_opened(connection))
    request = head + body
    pieces = [request[at : at + 65536] for at in range(0, len(request), 65536)]

    def feed() -> None:
        for piece in pieces:
            connection.data_received(piece)

    return feed


async def _opened(connection: Connection) -> None:
    connection.connection_made(_Nowhere())


class _Nowhere(asyncio.Transport):
    """A network that takes everything and keeps nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Throw it away."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def is_closing(self) -> bool:
        """Never."""
        return False


class _Answering:
    """An application with one answer."""

    most = _LIMITS.max_bytes

    def __init__(self, body: bytes) -> None:
        self._answer = Answer(status=200, content_type=CONTENT_TYPE, body=body)

    def open(self, head: Head, peer: Peer) -> "_Answering":  # noqa: ARG002  all are alike here
        """Admit."""
        return self

    def run(self, body: bytes) -> Answer:  # noqa: ARG002  as above
        """Answer."""
        return self._answer

    def refuse(self, trouble: Trouble) -> Answer:
        """Never happens here."""
        raise AssertionError(trouble)

    def sent(self) -> None:
        """Nobody counts here."""

    def aborted(self) -> None:
        """Nobody counts here."""

    def refused(self, peer: Peer, *, status: int, reason: str) -> None:
        """Never happens here."""
        raise AssertionError((peer, status, reason))


def _event() -> Callable[[], object]:
    stream = io.StringIO()
    events = EventLog(stream, format=LogFormat.JSON, clock=lambda: datetime.now(UTC))

    def emit() -> None:
        stream.seek(0)
        events.exchange(
            reference="0123456789abcdef",
            service="Sales",
            operation="CreateOrder",
            version="1.1",
            peer="192.0.2.1",
            shop="shop",
            stage="answering",
            outcome="ok",
            status=200,
            request_bytes=1093,
            milliseconds=0.123,
        )

    return emit


def _metrics(length: int) -> Callable[[], object]:
    metrics = Metrics(version="benchmark")

    def count() -> None:
        metrics.in_flight += 1
        metrics.in_flight -= 1
        metrics.exchanged(service="Sales", operation="CreateOrder", outcome="ok", seconds=0.001, request_bytes=length)

    return count


def _microseconds(work: Callable[[], object], *, seconds: float) -> float:
    """Time a piece of work by the processor time of this process, repeated for about so many seconds."""
    started, times = time.process_time(), 0
    while (passed := time.process_time() - started) < seconds:
        for _ in range(1 + times // 10):
            work()
            times += 1
    return passed / times * 1e6


def _table(medians: Mapping[tuple[str, str], Figure], per_kb: Mapping[str, float]) -> Table:
    rows = [
        (stage, *(str(medians[stage, size]) if (stage, size) in medians else "" for size in SIZES))
        for stage in (*STAGES, KNOWN)
    ]
    return Table(
        title="Microseconds for each stage: median (lowest..highest)",
        columns=("stage", *SIZES),
        rows=(*rows, ("all, for each KB", *(f"{per_kb[size]:.1f}" for size in SIZES))),
    )


def _rises(per_kb: Mapping[str, float]) -> list[str]:
    sizes = list(per_kb)
    return [
        f"a KB costs {per_kb[larger]:.1f} us in messages of {larger}, {per_kb[smaller]:.1f} in those of {smaller}"
        for smaller, larger in itertools.pairwise(sizes)
        if per_kb[larger] > per_kb[smaller] * RISE
    ]
