"""Every framing case over TCP: what reaches the application, what is answered, and whether the connection lives on."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import pytest
from http_cases import CANARY, CASES, GROUPS, MOST, Case, Ends, Read, request
from http_shell import LOOPS, Client, Recorder, listening, refusal_bytes, run

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
both_loops = pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS)
STILL_THERE = request(b"GET /q000/still-there HTTP/1.1", b"Connection: close")


def test_the_table_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 170
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.raw for case in CASES}) >= len(CASES) - 5
    assert not any("smuggled" in read.target for case in CASES for read in case.reads)
    assert all(b"q000" in case.raw or not case.reads for case in CASES)
    assert all(len(case.statuses) >= len(case.reads) for case in CASES)


@both_loops
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_has_its_one_reading(case: Case, loop_factory: LoopFactory) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        async with listening(recorder) as server, Client(server.address) as client:
            await conversation(client, case)

    run(scenario, loop_factory)
    expected = case.reads
    if case.ends is Ends.OPEN:
        expected = (*expected, Read("GET", "/q000/still-there"))
    assert recorder.reads == expected
    assert recorder.opened == recorder.sent + recorder.aborted
    assert [status for _, status, _ in recorder.refusals] == [s for s in case.statuses if s not in {200, 413}]


async def conversation(client: Client, case: Case) -> None:
    """Send the case, and compare the answers and the end of the connection."""
    methods = [read.method for read in case.reads]
    await client.send(case.raw)
    if case.ends is Ends.CLOSED:
        # Nothing more is sent and the client does not finish: that the end comes is the server's doing.
        answers = await client.answers(methods, whole=True)
        assert [answer.status for answer in answers] == list(case.statuses)
        assert [answer.closes for answer in answers] == [False] * (len(answers) - 1) + [True]
    else:
        answers = await client.answers(methods)
        assert [answer.status for answer in answers] == list(case.statuses)
        assert not any(answer.closes for answer in answers)
        if case.ends is Ends.OPEN:
            await client.send(STILL_THERE)
            answers = await client.answers([*methods, "GET"], whole=True)
            assert [answer.status for answer in answers] == [*case.statuses, 200]
        else:
            client.finish()
            assert len(await client.answers(methods, whole=True)) == len(case.statuses)
    for read, answer in zip(case.reads, answers, strict=False):
        told = f"{read.method} {read.target} and {len(read.body)} bytes\n".encode()
        assert answer.body == (b"" if read.method == "HEAD" else told)
    if case.refused:
        status = case.statuses[-1]
        assert answers[-1].raw == refusal_bytes(status, HTTPStatus(status).phrase)
        assert CANARY not in answers[-1].raw


@both_loops
def test_all_cases_at_once_on_one_listener_do_not_disturb_each_other(loop_factory: LoopFactory) -> None:
    recorder = Recorder()
    # The system may give one client's port to a later one; what came from it then came in their order.
    ports: dict[int, list[Case]] = {}

    async def one(address: tuple[str, int], case: Case, gate: asyncio.Semaphore) -> None:
        async with gate, Client(address) as client:
            ports.setdefault(client.port, []).append(case)
            await conversation(client, case)

    async def scenario() -> None:
        gate = asyncio.Semaphore(len(CASES))
        async with listening(recorder) as server:
            ends = await asyncio.gather(*[one(server.address, case, gate) for case in CASES], return_exceptions=True)
            for error in filter(None, ends):
                raise error

    run(scenario, loop_factory)
    assert sum(map(len, ports.values())) == len(CASES)
    for port, cases in ports.items():
        reads = tuple(seen.read for seen in recorder.seen if seen.peer.port == port)
        for case in cases:
            assert reads[: len(case.reads)] == case.reads, case.name
            reads = reads[len(case.reads) + (case.ends is Ends.OPEN) :]
        assert reads == (), [case.name for case in cases]


def test_nothing_of_what_is_refused_is_echoed_wherever_it_stands() -> None:
    """The word stands in the method, the target, the version, names, values, and in a chunk's size."""
    places = [
        b"CANARY /canary HTTP/canary\r\n\r\n",
        b"canary / HTTP/1.1\r\n\r\n",
        b"GET canary HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /canary#canary HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/7.7\r\nHost: canary\r\nCanary: canary\r\n\r\n",
        b"GET / HTTP/1.1\r\ncanary\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\ncanary canary: canary\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: canary/canary\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: canary\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: canary\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: canary\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: canary\r\n\r\n",
        b"POST /canary HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n",
        b"GET /canary HTTP/1.1\r\nHost: x\r\nX: \x1b]0;canary\x07<script>canary</script>\r\n\r\n",
        b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"canary" * 1000),
        b"GET / HTTP/1.1\r\nHost: x\r\n%s\r\n" % (b"canary: canary\r\n" * 100),
    ]
    recorder = Recorder()

    async def scenario() -> None:
        async with listening(recorder) as server:
            for data in places:
                async with Client(server.address) as client:
                    await client.send(data)
                    answer = await client.to_end()
                    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), data
                    assert b"canary" not in answer.lower()

    run(scenario)
    assert not recorder.reads
    assert len(recorder.refusals) == len(places)
    assert not any("canary" in reason.lower() for _, _, reason in recorder.refusals)


@both_loops
def test_a_client_that_waits_for_100_gets_it_once_and_then_the_answer(loop_factory: LoopFactory) -> None:
    recorder = Recorder()
    framings = (b"Content-Length: 3", b"abc"), (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n")

    async def scenario() -> None:
        async with listening(recorder) as server, Client(server.address) as client:
            for number, (field, body) in enumerate(framings):
                await client.send(request(b"POST /q000/it HTTP/1.1", field, b"Expect: 100-continue"))
                start = len(client.received)
                while len(client.received) < start + 25:
                    assert await client.more()
                assert client.received[start:] == b"HTTP/1.1 100 Continue\r\n\r\n"
                await client.send(body)
                await client.answers(["POST"] * (number + 1))
            assert client.received.count(b"100 Continue") == 2

    run(scenario, loop_factory)
    assert recorder.reads == (Read("POST", "/q000/it", b"abc"),) * 2


@both_loops
def test_a_client_that_waits_for_100_in_vain_is_told_no_and_never_100(loop_factory: LoopFactory) -> None:
    """Too large, unknown, or in HTTP/1.0, where nobody waits for it."""
    expectation = b"Expect: 100-continue"
    too_large = request(b"POST /q000/it HTTP/1.1", b"Content-Length: %d" % (MOST + 1), expectation)
    old = request(b"POST /q000/it HTTP/1.0", b"Content-Length: 3", expectation)
    empty = request(b"POST /q000/it HTTP/1.1", b"Content-Length: 0", expectation, b"Connection: close")
    received = []

    async def scenario() -> None:
        async with listening(Recorder()) as server:
            for head, body in ((too_large, b""), (old, b"abc"), (empty, b"")):
                async with Client(server.address) as client:
                    await client.send(head)
                    await asyncio.sleep(0)
                    await client.send(body)
                    received.append(await client.to_end())

    run(scenario, loop_factory)
    assert [data.split(b" ")[1] for data in received] == [b"413", b"200", b"200"]
    assert not any(b"100 Continue" in data for data in received)


def test_every_group_has_good_and_bad_cases_so_that_neither_reading_can_be_the_only_one() -> None:
    for name, cases in GROUPS.items():
        kinds = {case.ends for case in cases}
        assert name == "ends" or {Ends.OPEN, Ends.CLOSED} <= kinds, name
