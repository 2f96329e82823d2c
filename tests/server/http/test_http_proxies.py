"""Two readers of one message: no case is read differently by a proxy and by the listener behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from http_cases import CASES, Case, Read
from http_proxies import BY_ITSELF, HAProxy, Nginx, Passed, case_of, disagreements, in_front, program, token
from http_shell import Client, Recorder, listening, run

PROXIES = {
    "nginx, kept HTTP/1.1": Nginx(keep=True),
    "nginx, HTTP/1.0": Nginx(keep=False),
    "nginx, kept HTTP/1.1, bodies as they come": Nginx(keep=True, buffered=False),
    "nginx that passes odd fields on": Nginx(keep=True, ignore_invalid=False),
    "HAProxy": HAProxy(),
    "HAProxy that waits for bodies": HAProxy(buffered=True),
    "HAProxy that passes odd requests on": HAProxy(buffered=True, accept_invalid=True),
}


async def send_all(path: str, cases: dict[str, Case]) -> dict[str, bytes]:
    """Send every case through the proxy on a connection of its own, and read to its end."""
    gate = asyncio.Semaphore(32)
    received = {}

    async def one(name: str, case: Case) -> None:
        async with gate, Client(path) as client:
            await client.send(case.raw_as(name.encode()))
            client.finish()
            received[name] = await client.to_end()

    ends = await asyncio.gather(*[one(name, case) for name, case in cases.items()], return_exceptions=True)
    for error in filter(None, ends):
        raise error
    return received


def numbered(cases: tuple[Case, ...]) -> dict[str, Case]:
    return {token(number).decode(): case for number, case in enumerate(cases, 1)}


def arrived_at(recorder: Recorder) -> Callable[[str], tuple[Read, ...]]:
    by_case: dict[str, tuple[Read, ...]] = {}
    for seen in recorder.seen:
        name = case_of(seen.read.target, seen.head.fields.get("x-case", ""))
        by_case[name] = (*by_case.get(name, ()), seen.read)
    return lambda name: by_case.get(name, ())


@pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)
def test_no_case_is_read_differently_by_a_proxy_and_the_listener(proxy: Nginx | HAProxy) -> None:
    recorder = Recorder()
    cases = numbered(CASES)
    passed = []

    async def scenario() -> None:
        async with listening(recorder) as server, in_front(proxy, server.address) as front:
            await send_all(front.path, cases)
        passed.extend(front.passed)

    run(scenario)
    arrived = arrived_at(recorder)
    wrong = disagreements(passed, arrived, cases)
    assert not wrong, "\n".join(f"{line}  [{cases[line[:4]].name}]" for line in wrong)
    assert all(case_of(s.read.target, s.head.fields.get("x-case", "")) in cases for s in recorder.seen)
    # A proxy that takes a bare line feed for a line end knows of a second request here, and says so.
    smuggled = {case_of(read.target) for read in recorder.reads if "smuggled" in read.target}
    assert {cases[name].name for name in smuggled} <= {"fields: bare line feeds as an end of the head"}
    # Each refusal that the proxy tells of was the listener's own. One that passes bodies on as they come may itself
    # give up in the middle of what the listener refuses as well.
    refused = sum(one.upstream not in {200, BY_ITSELF} for one in passed)
    ours = len(recorder.refusals) + len(recorder.troubles)
    assert refused == ours if proxy.buffered else refused <= ours
    # The comparison is of something: most of what has a reading has come through, and with bodies.
    whole = [name for name, case in cases.items() if case.reads and arrived(name) == case.reads_as(name.encode())]
    assert len(whole) > 100
    assert sum(bool(read.body) for read in recorder.reads) > 50


class SloppyServer:
    """A reader as there have been some: a GET has no body for it, so that a body is its next request."""

    def __init__(self) -> None:
        self.reads: list[Read] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split("\r\n")[0].split(" ")
                size = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                body = b"" if method == "GET" else await reader.readexactly(int(size[0]) if size else 0)
                self.reads.append(Read(method, target, body))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[str, int]]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[:2]
        finally:
            server.close()
            await server.wait_closed()


@pytest.mark.parametrize("proxy", [Nginx(keep=True), Nginx(keep=False), HAProxy()], ids=repr)
def test_a_reader_that_takes_a_body_for_a_request_is_caught_by_the_comparison(proxy: Nginx | HAProxy) -> None:
    names = ("bodies: GET with a request for a body", "bodies: PUT with a request for a body")
    cases = numbered(tuple(case for case in CASES if case.name in names))
    sloppy = SloppyServer()
    passed = []

    async def scenario() -> None:
        async with sloppy.listening() as address, in_front(proxy, address) as front:
            await send_all(front.path, cases)
        passed.extend(front.passed)

    run(scenario)
    wrong = disagreements(passed, lambda name: tuple(r for r in sloppy.reads if case_of(r.target) == name), cases)
    caught = [name for name, case in cases.items() if case.name == names[0]]
    assert [line[:4] for line in wrong] == caught
    assert Read("GET", f"/{caught[0]}/smuggled") in sloppy.reads


def test_the_comparison_sees_each_difference() -> None:
    read = Read("POST", "/q001/it", b"abc")
    told = Passed(case="q001", method="POST", target="/q001/it", body=b"abc", upstream=200)
    by_itself = replace(told, upstream=BY_ITSELF)
    different = {
        "one more arrived": ([told], (read, Read("GET", "/q001/smuggled"))),
        "one arrived that was refused": ([by_itself], (read,)),
        "one arrived that nobody sent": ([], (read,)),
        "one did not arrive": ([told, told], (read,)),
        "another method": ([told], (Read("GET", "/q001/it", b"abc"),)),
        "another target": ([told], (Read("POST", "/q001/other", b"abc"),)),
        "another body": ([told], (Read("POST", "/q001/it", b"abcd"),)),
        "another order": ([told, replace(told, target="/q001/2")], (Read("POST", "/q001/2", b"abc"), read)),
    }
    for what, (passed, arrived) in different.items():
        assert disagreements(passed, lambda _, arrived=arrived: arrived, ["q001"]), what
    assert not disagreements([told], lambda _: (read,), ["q001"])
    assert not disagreements([replace(told, body=None)], lambda _: (read,), ["q001"])
    assert not disagreements([by_itself], lambda _: (), ["q001"])


def test_a_proxy_that_is_not_installed_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("http_proxies.shutil.which", lambda *_, **__: None)
    with pytest.raises(AssertionError, match="apt-get install nginx-light"):
        program("nginx")


def test_a_proxy_that_does_not_start_fails_with_its_own_words() -> None:
    async def scenario() -> None:
        with pytest.raises(AssertionError, match=r"invalid port|host not found"):
            async with in_front(Nginx(keep=True), ("127.0.0.1", 99999)):
                pass

    run(scenario)
