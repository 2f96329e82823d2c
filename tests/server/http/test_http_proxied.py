"""PROXY protocol version 2: whose connection it is, told by a trusted proxy and by nobody else."""

import asyncio
import ipaddress
import socket
import struct
from contextlib import AsyncExitStack

import pytest
from http_cases import Read, request
from http_reading import cut
from http_shell import LOOPS, Client, Recorder, listening, run
from hypothesis import given
from hypothesis import strategies as st

from server.http.keeper import ConnectionLimits
from server.http.proxied import SIGNATURE, Proxied, read_proxy_header, render_proxy_header
from server.http.refusals import HttpRefused

ports = st.integers(0, 65535)
fours = st.integers(0, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number)))
sixes = st.integers(0, 2**128 - 1).map(lambda number: socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big")))
pairs = st.one_of(*[st.tuples(st.tuples(kind, ports), st.tuples(kind, ports)) for kind in (fours, sixes)])
GET = request(b"GET /q000/it HTTP/1.1", b"Connection: close")
LOCAL, PROXY = 0x20, 0x21
TCP4 = bytes([192, 0, 2, 7, 192, 0, 2, 1]) + struct.pack("!HH", 4711, 443)


def header(command: int, family: int, rest: bytes, *, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


@given(pairs, st.binary(max_size=30))
def test_what_is_rendered_is_read_and_what_follows_is_left(
    pair: tuple[tuple[str, int], tuple[str, int]], behind: bytes
) -> None:
    source, destination = pair
    rendered = render_proxy_header(source, destination)
    assert read_proxy_header(rendered + behind) == Proxied(client=source, taken=len(rendered))


@given(pairs, st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=5))
def test_tlvs_are_skipped_whatever_is_in_them(
    pair: tuple[tuple[str, int], tuple[str, int]], fields: list[tuple[int, bytes]]
) -> None:
    source, destination = pair
    rendered = render_proxy_header(source, destination)
    family, rest = rendered[13], rendered[16:] + b"".join(tlv(kind, value) for kind, value in fields)
    assert read_proxy_header(header(PROXY, family, rest)) == Proxied(client=source, taken=16 + len(rest))


@given(st.integers(0, 255), st.binary(max_size=100))
def test_local_is_the_proxys_own_connection_and_whatever_it_holds_is_skipped(family: int, rest: bytes) -> None:
    assert read_proxy_header(header(LOCAL, family, rest) + b"GET") == Proxied(client=None, taken=16 + len(rest))


@given(pairs)
def test_cut_anywhere_it_is_not_whole_and_neither_read_nor_refused(
    pair: tuple[tuple[str, int], tuple[str, int]],
) -> None:
    rendered = render_proxy_header(*pair)
    for place in range(len(rendered)):
        assert read_proxy_header(rendered[:place]) is None


REFUSED = {
    "version 1": b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n",
    "version 1, unknown": b"PROXY UNKNOWN\r\n",
    "no header but a request": GET,
    "one byte that begins none": b"G",
    "an empty line that is no signature": b"\r\n\r\nGET",
    "a signature with one byte wrong": SIGNATURE[:-1] + b"\r" + header(PROXY, 0x11, TCP4)[12:],
    "version 1 in binary": header(0x11, 0x11, TCP4),
    "version 3": header(0x31, 0x11, TCP4),
    "an unknown command": header(0x22, 0x11, TCP4),
    "TCP without a family": header(PROXY, 0x01, TCP4),
    "unspecified": header(PROXY, 0x00, b""),
    "unspecified with addresses": header(PROXY, 0x00, TCP4),
    "UDP over IPv4": header(PROXY, 0x12, TCP4),
    "UDP over IPv6": header(PROXY, 0x22, bytes(36)),
    "a Unix stream": header(PROXY, 0x31, bytes(216)),
    "a Unix datagram": header(PROXY, 0x32, bytes(216)),
    "an unknown family": header(PROXY, 0x41, TCP4),
    "addresses too short": header(PROXY, 0x11, TCP4[:-1]),
    "no addresses": header(PROXY, 0x11, b""),
    "IPv4 addresses said to be IPv6": header(PROXY, 0x21, TCP4),
    "IPv6 addresses too short": header(PROXY, 0x21, bytes(35)),
    "too long": header(PROXY, 0x11, TCP4, length=2049),
    "as long as can be said": header(PROXY, 0x11, TCP4, length=65535),
    "too long and local": header(LOCAL, 0x00, b"", length=2049),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_anything_but_version_2_over_tcp_is_refused(data: bytes) -> None:
    with pytest.raises(HttpRefused) as refused:
        read_proxy_header(data)
    assert refused.value.status == 400


def test_the_longest_header_is_read() -> None:
    rest = TCP4 + bytes(2048 - len(TCP4))
    read = read_proxy_header(header(PROXY, 0x11, rest))
    assert read == Proxied(client=("192.0.2.7", 4711), taken=16 + 2048)


@given(st.binary(max_size=40), st.lists(st.integers(0, 60), max_size=4))
def test_any_bytes_are_a_header_or_refused_or_not_whole_and_cuts_do_not_decide_which(
    data: bytes, cuts: list[int]
) -> None:
    def outcome(pieces: list[bytes]) -> object:
        buffer, read = b"", None
        for piece in pieces:
            buffer += piece
            try:
                read = read_proxy_header(buffer)
            except HttpRefused:
                return "refused"
            if read is not None:
                break
        assert read is None or read.taken <= len(buffer)
        return read

    for whole in (data, SIGNATURE + data):
        assert outcome([whole]) == outcome(cut(whole, cuts))


# Over TCP


def over_tcp(pieces: list[bytes], *, loop: str = "asyncio") -> tuple[Recorder, bytes]:
    recorder, received = Recorder(), []

    async def scenario() -> None:
        async with listening(recorder, proxied_from=lambda host: host == "127.0.0.1") as server:
            async with Client(server.address) as client:
                for piece in pieces:
                    await client.send(piece)
                received.append(await client.to_end())
            while server.keeper.open_connections:  # noqa: ASYNC110  no event to wait for
                await asyncio.sleep(0)
            assert server.keeper._addresses.total() == 0, "whoever was counted in is counted out"

    run(scenario, LOOPS[loop])
    return recorder, received[0]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_application_sees_the_client_that_the_proxy_tells_of(loop: str) -> None:
    pairs_told = (
        (("192.0.2.7", 4711), ("192.0.2.1", 443)),
        (("2001:db8::7", 4711), ("2001:db8::1", 443)),
    )
    for source, destination in pairs_told:
        told = render_proxy_header(source, destination)
        for pieces in ([told + GET], [told, GET], [*[told[i : i + 1] for i in range(len(told))], GET]):
            recorder, received = over_tcp(pieces, loop=loop)
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")
            (seen,) = recorder.seen
            assert seen.read == Read("GET", "/q000/it")
            assert (seen.peer.address, seen.peer.port, seen.peer.secure) == (*source, False)


def test_a_local_connection_is_the_proxys_own() -> None:
    recorder, received = over_tcp([header(LOCAL, 0, b"") + GET])
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    (seen,) = recorder.seen
    assert seen.peer.address == "127.0.0.1"
    assert seen.peer.port > 0


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_connection_without_its_header_is_cut_without_a_word(data: bytes) -> None:
    recorder, received = over_tcp([data])
    assert received == b""
    assert not recorder.seen
    ((peer, status, _),) = recorder.refusals
    assert (peer.address, status) == ("127.0.0.1", 400)


def test_a_second_header_is_no_request() -> None:
    told = render_proxy_header(("192.0.2.7", 1), ("192.0.2.1", 2))
    recorder, received = over_tcp([told + told + GET])
    assert received.startswith(b"HTTP/1.1 400 ")
    assert not recorder.seen


def test_a_client_that_ends_within_its_header_is_let_go_without_a_word() -> None:
    recorder, received = Recorder(), []

    async def scenario() -> None:
        async with listening(recorder, proxied_from=lambda _host: True) as server, Client(server.address) as client:
            await client.send(SIGNATURE)
            client.finish()
            received.append(await client.to_end())

    run(scenario)
    assert received == [b""]
    assert not recorder.refusals


def test_a_peer_that_is_no_trusted_proxy_is_turned_away() -> None:
    recorder, received = Recorder(), []

    async def scenario() -> None:
        async with listening(recorder, proxied_from=lambda _host: False) as server, Client(server.address) as client:
            await client.send(render_proxy_header(("192.0.2.7", 1), ("192.0.2.1", 2)) + GET)
            received.append(await client.to_end())

    run(scenario)
    assert received == [b""]
    assert not recorder.seen
    assert [reason for _, _, reason in recorder.refusals] == ["not one of the trusted proxies"]


def test_connections_are_counted_for_the_client_and_not_for_the_proxy() -> None:
    """Of one client no more than its share is let in, whichever proxy it comes by; others are not touched by that."""
    recorder = Recorder()
    limits = ConnectionLimits(connections_an_address=2)
    first = render_proxy_header(("192.0.2.7", 1), ("192.0.2.1", 2))
    other = render_proxy_header(("192.0.2.8", 1), ("192.0.2.1", 2))
    stay = request(b"GET /q000/it HTTP/1.1")

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(
                listening(recorder, limits=limits, proxied_from=lambda _host: True)
            )
            # One by one: until its header has come, a connection counts for the proxy.
            for told, statuses in ((first, [200]), (first, [200]), (first, []), (other, [200])):
                client = await stack.enter_async_context(Client(server.address))
                await client.send(told + stay)
                assert [answer.status for answer in await client.answers(["GET"])] == statuses
            assert server.keeper.open_connections == 3

    run(scenario)
    assert [(peer.address, reason) for peer, _, reason in recorder.refusals] == [
        ("192.0.2.7", "too many connections of one address")
    ]
    assert [seen.peer.address for seen in recorder.seen] == ["192.0.2.7", "192.0.2.7", "192.0.2.8"]


def test_a_connection_is_not_counted_twice_when_its_client_is_told() -> None:
    """It is one of the connections that there may be, before and after its header."""
    recorder = Recorder()

    async def scenario() -> None:
        limits = ConnectionLimits(connections=1)
        async with (
            listening(recorder, limits=limits, proxied_from=lambda _host: True) as server,
            Client(server.address) as client,
        ):
            await client.send(render_proxy_header(("192.0.2.7", 1), ("192.0.2.1", 2)) + GET)
            assert [answer.status for answer in await client.answers(["GET"])] == [200]

    run(scenario)
    assert not recorder.refusals
