"""Where bytes are cut changes nothing of how they are read; any bytes end as answers or a closed connection."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from examples import examples
from http_cases import AFTER, CASES, MOST, Case, Ends, Read, request
from http_reading import LIMITS, Reading, SecondOpinion, cut, read_pieces
from http_shell import NOW, Client, FakeClock, FakeTransport, Recorder, answers_in, listening, run, settle
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.http.chunked import chunk
from server.http.connection import Connection
from server.http.head import HeadLimits
from server.http.keeper import ConnectionLimits, Keeper

VALID = [case for case in CASES if not case.refused and 413 not in case.statuses]
ONE_FAULT = [case for case in CASES if not case.name.startswith("limits: ")]
quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

# Exchanges

TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "SEARCH")
TAKEN = {
    "authorization", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
    "proxy-connection", "soapaction", "transfer-encoding", "upgrade",
}  # fmt: skip

targets = st.text("abcXYZ019-._~!$&'()*+,;=:@/?", max_size=20).map(lambda rest: f"/{rest}") | st.just("/%20%41?%7e")
names = st.text(TCHARS, min_size=1, max_size=12).filter(lambda name: name.lower() not in TAKEN)
values = st.text([chr(code) for code in (*range(0x20, 0x7F), 0x09, *range(0x80, 0x100))], max_size=20)
paddings = st.sampled_from(["", " ", "\t", "  \t "])
bodies = st.binary(max_size=60) | st.sampled_from([AFTER, b"0\r\n\r\n", b"\r\n\r\n", b"x" * MOST])


@st.composite
def chunked_bodies(draw: st.DrawFn, body: bytes) -> bytes:
    pieces = cut(body, draw(st.lists(st.integers(0, MOST), max_size=4)))
    size = draw(st.sampled_from(["%x", "%X", "%08x", "%03X"]))
    coded = b"".join((size % len(piece)).encode() + b"\r\n" + piece + b"\r\n" for piece in pieces)
    return coded + draw(st.sampled_from([b"0", b"00", b"00000000"])) + b"\r\n\r\n"


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[bytes, Read]:
    """A valid request that keeps the connection, and its reading."""
    method, target = draw(st.sampled_from(METHODS)), draw(targets)
    fields = [("Host", draw(st.sampled_from(["a", "a.test:80", "[::1]"])))]
    fields += draw(st.lists(st.tuples(names, values), max_size=4))
    body = draw(bodies)
    coding = draw(st.sampled_from(["none", "length", "chunked"]))
    data = b""
    if coding == "length":
        fields.append(("Content-Length", draw(st.sampled_from(["%d", "%05d"])) % len(body)))
        data = body
    elif coding == "chunked":
        fields.append(("Transfer-Encoding", draw(st.sampled_from(["chunked", "CHUNKED"]))))
        data = draw(chunked_bodies(body))
    fields = draw(st.permutations(fields))
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}:{draw(paddings)}{v}{draw(paddings)}" for n, v in fields)]
    start = draw(st.sampled_from([b"", b"", b"\r\n"]))
    raw = start + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data
    return raw, Read(method, target, b"" if coding == "none" else body)


streams = st.lists(exchanges(), min_size=1, max_size=4)
places = st.lists(st.integers(0, 10_000), max_size=12)
junk = st.sampled_from(
    [b"", b"\0", b"G", b"GET / HTTP/1.1\r\nHos", b"\r\n\r\n\r\n", b"x: y\r\n\r\n", b"\n"]
) | st.binary(max_size=20)


def joined(stream: list[tuple[bytes, Read]]) -> tuple[bytes, tuple[Read, ...]]:
    return b"".join(raw for raw, _ in stream), tuple(read for _, read in stream)


@quick
@given(streams, places)
def test_a_valid_stream_is_read_as_it_was_written_wherever_it_is_cut(
    stream: list[tuple[bytes, Read]], cuts: list[int]
) -> None:
    raw, reads = joined(stream)
    for pieces in ([raw], cut(raw, cuts), [raw[i : i + 1] for i in range(len(raw))]):
        assert read_pieces(pieces).told == (reads, None, False)


@quick
@given(streams, junk, places)
def test_junk_behind_a_valid_stream_changes_nothing_of_it_wherever_it_is_cut(
    stream: list[tuple[bytes, Read]], behind: bytes, cuts: list[int]
) -> None:
    raw, reads = joined(stream)
    whole = read_pieces([raw + behind])
    assert whole.reads == reads
    assert read_pieces(cut(raw + behind, cuts)).told == whole.told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_reader_alone_reads_a_case_as_the_table_says_in_one_piece_and_byte_by_byte(case: Case) -> None:
    refused = next((status for status in case.statuses if status != 200), None)
    for pieces in ([case.raw], [case.raw[i : i + 1] for i in range(len(case.raw))]):
        reading = read_pieces(pieces)
        assert (reading.reads, reading.refused) == (case.reads, refused)
        assert reading.begun <= (case.ends is Ends.WAITS)


@pytest.mark.examples
@settings(parent=quick, max_examples=examples(120))
@given(st.sampled_from(ONE_FAULT), places)
def test_a_case_is_read_in_the_same_way_wherever_it_is_cut(case: Case, cuts: list[int]) -> None:
    assert read_pieces(cut(case.raw, cuts)).told == read_pieces([case.raw]).told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_cut_in_two_is_read_in_the_same_way(case: Case) -> None:
    """At every place beside a sign that separates something, and around the greatest size of a head."""
    raw, size = case.raw, min(len(case.raw), 600)
    near = {i for i in range(size + 1) if not raw[max(0, i - 1) : i + 1].isalnum()}
    near |= {i for i in range(16_380, 16_400) if i < len(raw)}
    whole = read_pieces([raw])
    for place in near:
        assert read_pieces([raw[:place], raw[place:]]).told == whole.told, place


@quick
@given(st.integers(-6, 6), places)
def test_the_greatest_head_is_as_great_wherever_it_is_cut(beyond: int, cuts: list[int]) -> None:
    limits = HeadLimits(head_bytes=100)
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    raw = start + b"x" * (100 - len(start) + beyond) + b"\r\n\r\n"
    expected = ((Read("GET", "/"),), None, False) if beyond <= 0 else ((), 431, False)
    for pieces in ([raw], cut(raw, cuts), [raw[i : i + 1] for i in range(len(raw))]):
        assert read_pieces(pieces, limits).told == expected


# Any bytes

MUTATIONS = (b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"x", b"\xff", b"chunked", b"\x0b", b"")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good stream with some bytes taken out, put in, doubled or exchanged."""
    data = bytearray(joined(draw(streams))[0] if draw(st.booleans()) else draw(st.sampled_from(VALID)).raw)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 3))
        data[place : place + gone] = draw(st.sampled_from(MUTATIONS) | st.binary(max_size=3))
    return bytes(data)


anything = st.binary(max_size=200) | mutated()


@pytest.mark.examples
@settings(parent=quick, max_examples=examples(150))
@given(anything, places)
def test_any_bytes_are_read_or_refused_and_cuts_do_not_decide_which(data: bytes, cuts: list[int]) -> None:
    """Which of several faults is named may depend on what was there first; that there is one may not."""
    whole, pieces = read_pieces([data]), read_pieces(cut(data, cuts))
    assert pieces.reads == whole.reads
    assert (pieces.refused is None) is (whole.refused is None)


# The whole connection, in memory


async def in_memory(pieces: list[bytes]) -> tuple[Recorder, FakeTransport]:
    recorder = Recorder()
    keeper = Keeper(recorder, limits=ConnectionLimits(), clock=lambda: NOW, monotonic=FakeClock())
    assert keeper.enter("192.0.2.1")
    transport = FakeTransport(Connection(keeper, address="192.0.2.1"))
    for piece in pieces:
        if not transport.give(piece):
            break
        await asyncio.sleep(0)
    await settle()
    transport.end_of_bytes()
    await settle()
    transport.lose()
    await keeper.drain(seconds=0)
    return recorder, transport


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


def through(runner: asyncio.Runner, pieces: list[bytes]) -> tuple[Recorder, FakeTransport]:
    escaped: list[Any] = []

    async def watched() -> tuple[Recorder, FakeTransport]:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: escaped.append(context))
        return await in_memory(pieces)

    result = runner.run(watched())
    assert not escaped
    return result


def as_reading(recorder: Recorder) -> tuple[tuple[Read, ...], int | None]:
    refused = [status for _, status, _ in recorder.refusals] + [413 for _ in recorder.troubles]
    assert len(refused) <= 1
    return recorder.reads, refused[0] if refused else None


@pytest.mark.examples
@settings(parent=quick, max_examples=examples(30))
@given(stream=streams, behind=junk, cuts=places)
def test_a_connection_reads_what_the_reader_reads_wherever_it_is_cut(
    runner: asyncio.Runner, stream: list[tuple[bytes, Read]], behind: bytes, cuts: list[int]
) -> None:
    raw = joined(stream)[0] + behind
    whole = read_pieces([raw])
    for pieces in ([raw], cut(raw, cuts), [raw[i : i + 1] for i in range(len(raw))]):
        recorder, transport = through(runner, pieces)
        assert as_reading(recorder) == (whole.reads, whole.refused)
        assert_answered(transport, whole)


@pytest.mark.examples
@settings(parent=quick, max_examples=examples(80))
@given(data=anything, cuts=places)
def test_any_bytes_end_as_answers_or_a_closed_connection(runner: asyncio.Runner, data: bytes, cuts: list[int]) -> None:
    pieces = cut(data, cuts)
    expected = read_pieces(pieces)
    recorder, transport = through(runner, pieces)
    assert as_reading(recorder) == (expected.reads, expected.refused)
    assert_answered(transport, expected)
    assert recorder.opened == recorder.sent + recorder.aborted


def assert_answered(transport: FakeTransport, reading: Reading) -> None:
    """One answer for each request that was read, one more for a refusal, and nothing else."""
    answers, left = answers_in(transport.written, list(reading.methods), at_end=True)
    assert not left
    statuses = [200] * len(reading.reads) + ([] if reading.refused is None else [reading.refused])
    assert [answer.status for answer in answers] == statuses
    assert transport.is_closing()


def test_every_case_byte_by_byte_over_tcp_is_read_as_the_table_says() -> None:
    """The network joins bytes as it likes; in memory, above, it cannot."""
    recorder = Recorder()
    # The system may give one client's port to a later one; what came from it then came in their order.
    ports: dict[int, list[Case]] = {}
    short = [case for case in CASES if len(case.raw) < 1000]

    async def one(address: tuple[str, int], case: Case, gate: asyncio.Semaphore) -> None:
        async with gate, Client(address) as client:
            ports.setdefault(client.port, []).append(case)
            for byte in case.raw:
                if not await client.send(bytes([byte])):
                    break
                await asyncio.sleep(0)
            client.finish()
            answers = answers_in(await client.to_end(), [read.method for read in case.reads], at_end=True)[0]
            # A reset may take answers from a client that still sends after it was refused.
            assert [answer.status for answer in answers] == list(case.statuses)[: len(answers)]

    async def scenario() -> None:
        gate = asyncio.Semaphore(50)
        async with listening(recorder) as server:
            ends = await asyncio.gather(*[one(server.address, case, gate) for case in short], return_exceptions=True)
            for error in filter(None, ends):
                raise error

    run(scenario)
    for port, cases in ports.items():
        expected = tuple(read for case in cases for read in case.reads)
        names = [case.name for case in cases]
        assert tuple(seen.read for seen in recorder.seen if seen.peer.port == port) == expected, names


# A second opinion


KNOWN = re.compile(
    rb"(?im)^proxy-connection|^transfer-encoding:[ \t]*chunked[ \t]*\t|^connection:[^\n]*keep-alive[^\n]*close"
)
"""What llhttp sees otherwise, none of it a matter of framing: Proxy-Connection is Connection to it; it refuses a tab
after `chunked`; and in HTTP/1.0 `keep-alive` outdoes a `close` behind it."""


def agree(data: bytes) -> None:
    """Whatever is read here, llhttp reads in the same way, up to where this reader stops."""
    if KNOWN.search(data):
        return
    reading = read_pieces([data])
    if not reading.reads:
        return
    known = [read.method in METHODS for read in reading.reads]
    count = len(known) if all(known) else known.index(False)
    second = SecondOpinion()
    fed = 0
    # llhttp gets no byte beyond the last request that was read here: what follows is refused, or not whole.
    while fed < len(data) and len(second.opinions) < count:
        second.feed(data[fed : fed + 1])
        fed += 1
    assert len(second.opinions) == count
    assert read_pieces([data[:fed]]).reads[:count] == reading.reads[:count]
    for read, head, opinion in zip(reading.reads, reading.heads, second.opinions, strict=False):
        assert (opinion.method, opinion.target, opinion.body) == (read.method, read.target, read.body)
        joined_fields: dict[str, str] = {}
        for name, value in opinion.fields:
            joined_fields[name] = f"{joined_fields[name]}, {value}" if name in joined_fields else value
        assert joined_fields == head.fields
        assert opinion.version == f"1.{head.minor}"
        assert opinion.keep_alive == head.keep_alive


def test_what_llhttp_sees_otherwise_is_no_framing() -> None:
    assert [case.name for case in CASES if KNOWN.search(case.raw) and case.reads] == [
        "coding: space and tab behind",
        "connection: close behind keep-alive",
        "connection: Proxy-Connection is nothing",
        "connection: HTTP/1.0, keep-alive and close",
    ]


@pytest.mark.parametrize("case", [case for case in CASES if case.reads], ids=lambda case: case.name)
def test_llhttp_reads_a_case_as_it_is_read_here(case: Case) -> None:
    agree(case.raw)


@pytest.mark.examples
@settings(parent=quick, max_examples=examples(120))
@given(streams.map(lambda stream: joined(stream)[0]) | mutated())
@example(request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n") + AFTER)
def test_llhttp_reads_whatever_is_read_here_in_the_same_way(data: bytes) -> None:
    agree(data)


@quick
@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_what_is_written_in_chunks_is_read_by_llhttp_and_here_as_one_body(body: bytes, cuts: list[int]) -> None:
    coded = b"".join(chunk(piece) for piece in cut(body, cuts)) + b"0\r\n\r\n"
    data = request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=coded)
    assert read_pieces([data], LIMITS).reads == (Read("POST", "/", body),)
    agree(data)
