"""TLS at the listener, with certificates of clients, and PROXY protocol before plain bytes."""

import asyncio
import contextlib
import io
import json
import socket
import ssl
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from http_cases import Read
from http_shell import LOOPS, PATIENCE, Recorder, answers_in
from http_slow_cases import CLOSING, GET, LARGE_GET, large_or_small
from http_slow_certificates import Authority, Certified
from http_slow_shell import INSTANT, LARGE, LIMITS, MIB, Rude, World, run, until, world
from wire import Start

from server.cli.initialise import CONFIG
from server.errors import SettingsError
from server.http.answers import PLAIN, Answer
from server.http.connection import Phase
from server.http.proxied import render_proxy_header
from server.listener import serving
from server.settings import Settings, load_settings
from server.tls import tls_context

each_loop = pytest.mark.parametrize("loop", LOOPS)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Certified:
    return authority.server()


def context_of(server: Certified, **settings: Any) -> ssl.SSLContext:
    """The context of a listener, as the settings make it."""
    context = tls_context(Settings(tls_certificate_file=server.certificate, tls_key_file=server.key, **settings))
    assert context is not None
    return context


class Secure:
    """A TLS client that blocks, for a thread."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, *, small: bool = False) -> None:
        plain = socket.socket()
        plain.settimeout(PATIENCE)
        if small:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            plain.connect(address)
            self.socket = context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def ask(self, request: bytes) -> bytes:
        """Send requests of which the last closes, and read all answers to the end that TLS knows."""
        with self.socket:
            self.socket.sendall(request)
            return b"".join(iter(lambda: self.socket.recv(65536), b""))


async def asked(here: World, context: ssl.SSLContext, request: bytes = CLOSING) -> bytes:
    return await asyncio.to_thread(lambda: Secure(here.address, context).ask(request))


# Versions


@each_loop
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_from_1_2_on_is_spoken(authority: Authority, server: Certified, version: ssl.TLSVersion, loop: str) -> None:
    async def scenario() -> None:
        client = authority.trusting()
        client.minimum_version = client.maximum_version = version
        async with world(tls=context_of(server)) as here:
            (first, second, last), _ = answers_in(await asked(here, client, GET * 2 + CLOSING), ["GET"] * 3)
            assert [answer.status for answer in (first, second, last)] == [200] * 3
            assert last.closes
            (connection,) = here.connections
            await here.empty()
            assert connection.peer.secure
            assert connection.peer.certificate is None
            assert here.reasons == []

    run(scenario, loop)


def old_client(authority: Authority) -> ssl.SSLContext:
    """A client that speaks TLS 1.1 and nothing else, with the ciphers of those days."""
    client = authority.trusting()
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    return client


@each_loop
def test_tls_1_1_is_refused(authority: Authority, server: Certified, loop: str) -> None:
    async def scenario() -> None:
        async with world(tls=context_of(server)) as here:
            with pytest.raises(ssl.SSLError) as heard:
                await asked(here, old_client(authority))
            assert heard.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
            await until(lambda: here.reasons == [(0, "no TLS handshake")])

    run(scenario, loop)


def test_a_client_of_tls_1_1_would_be_answered_by_a_listener_that_let_it(
    authority: Authority, server: Certified
) -> None:
    """Else the test before proved nothing."""

    async def scenario() -> None:
        context = context_of(server)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1_1
        async with world(tls=context) as here:
            (answer,), _ = answers_in(await asked(here, old_client(authority)), ["GET"])
            assert answer.status == 200

    run(scenario, "asyncio")


@each_loop
def test_http_1_1_is_what_is_agreed_on(authority: Authority, server: Certified, loop: str) -> None:
    async def scenario() -> None:
        client = authority.trusting()
        client.set_alpn_protocols(["h2", "http/1.1"])
        async with world(tls=context_of(server)) as here:

            def ask() -> str | None:
                secure = Secure(here.address, client)
                protocol = secure.socket.selected_alpn_protocol()
                secure.ask(CLOSING)
                return protocol

            assert await asyncio.to_thread(ask) == "http/1.1"

    run(scenario, loop)


# Handshakes that come to nothing


@each_loop
@pytest.mark.parametrize(
    "sends", [CLOSING, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), b""], ids=["HTTP", "half", "none"]
)
@pytest.mark.parametrize("resets", [False, True], ids=["finishes", "resets"])
def test_whoever_breaks_off_a_handshake_is_no_trouble(server: Certified, sends: bytes, resets: bool, loop: str) -> None:
    async def scenario() -> None:
        async with world(tls=context_of(server)) as here, Rude(here.address) as client:
            await client.send(sends)
            if resets:
                client.reset()
            else:
                with contextlib.suppress(OSError):
                    client.finish()
                assert b"HTTP" not in await client.to_end()
            await until(lambda: here.reasons == [(0, "no TLS handshake")])

    run(scenario, loop)


@each_loop
@pytest.mark.parametrize("sends", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half a hello"])
def test_a_handshake_has_its_time_and_no_more(server: Certified, sends: bytes, loop: str) -> None:
    async def scenario() -> None:
        async with world(tls=context_of(server), handshake_seconds=0.2) as here:
            begun = time.monotonic()
            async with Rude(here.address) as client:
                await client.send(sends)
                assert await client.to_end() == b""
            assert time.monotonic() - begun >= 0.2
            await until(lambda: here.reasons == [(0, "no TLS handshake")])

    run(scenario, loop)


@each_loop
def test_handshakes_that_take_their_time_count_among_the_most_connections(server: Certified, loop: str) -> None:
    async def scenario() -> None:
        limits = replace(LIMITS, connections=2)
        async with world(tls=context_of(server), limits=limits, handshake_seconds=0.2) as here:
            async with Rude(here.address), Rude(here.address), Rude(here.address) as third:
                await until(lambda: here.reasons == [(0, "too many connections")])
                assert await third.to_end() == b""
            await until(lambda: len(here.reasons) == 3)

    run(scenario, loop)


@each_loop
def test_a_client_that_is_silent_after_its_handshake_has_the_time_for_a_head(
    authority: Authority, server: Certified, loop: str
) -> None:
    async def scenario() -> None:
        async with world(tls=context_of(server)) as here:
            client = await asyncio.to_thread(Secure, here.address, authority.trusting())
            with client.socket:
                connection = await here.phase_is(Phase.OPENED)
                await here.pass_to(LIMITS.header_seconds - INSTANT)
                assert connection.phase is Phase.OPENED
                await here.pass_to(LIMITS.header_seconds)
                await here.empty()
                assert here.reasons == [(0, "no request came in time")]

    run(scenario, loop)


# Certificates of clients


@each_loop
@pytest.mark.parametrize("required", [False, True], ids=["optional", "required"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_a_client_is_told_when_it_is_verified(
    authority: Authority, server: Certified, version: ssl.TLSVersion, required: bool, loop: str
) -> None:
    client = authority.client()
    trusting = authority.trusting(client)
    trusting.minimum_version = trusting.maximum_version = version
    recorder = Recorder()

    async def scenario() -> None:
        context = context_of(
            server, tls_client_authorities_file=authority.file, tls_client_certificate_required=required
        )
        async with world(recorder, tls=context) as here:
            (answer,), _ = answers_in(await asked(here, trusting), ["GET"])
            assert answer.status == 200

    run(scenario, loop)
    (seen,) = recorder.seen
    assert (seen.peer.secure, seen.peer.certificate) == (True, client.der)


@each_loop
def test_a_client_may_come_without_a_certificate_where_none_is_required(
    authority: Authority, server: Certified, loop: str
) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        context = context_of(server, tls_client_authorities_file=authority.file)
        async with world(recorder, tls=context) as here:
            (answer,), _ = answers_in(await asked(here, authority.trusting()), ["GET"])
            assert answer.status == 200

    run(scenario, loop)
    assert recorder.seen[0].peer.certificate is None


@each_loop
def test_a_certificate_that_nobody_asked_for_is_not_told(authority: Authority, server: Certified, loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        async with world(recorder, tls=context_of(server)) as here:
            (answer,), _ = answers_in(await asked(here, authority.trusting(authority.client())), ["GET"])
            assert answer.status == 200

    run(scenario, loop)
    assert recorder.seen[0].peer.certificate is None


ALERTS = {
    "of another authority": "TLSV1_ALERT_UNKNOWN_CA",
    "expired": "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "of a server": "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
}
"""What a client hears, as OpenSSL names it."""


def alert_for(kind: str, version: ssl.TLSVersion) -> str:
    if kind == "none":
        old = version is ssl.TLSVersion.TLSv1_2
        return "SSLV3_ALERT_HANDSHAKE_FAILURE" if old else "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    return ALERTS[kind]


@each_loop
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("kind", "required"),
    [
        ("none", True),
        ("of another authority", False),
        ("of another authority", True),
        ("expired", False),
        ("expired", True),
        ("of a server", False),
    ],
)
def test_a_client_with_a_certificate_that_is_not_verified_is_not_let_in(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion, kind: str, *, required: bool, loop: str
) -> None:
    server = authority.server()
    client = {
        "none": lambda: None,
        "of another authority": lambda: Authority(tmp_path, "theirs").client(),
        "expired": lambda: authority.client("late", expired=True),
        "of a server": authority.server,
    }[kind]()
    trusting = authority.trusting(client)
    trusting.minimum_version = trusting.maximum_version = version
    recorder = Recorder()

    async def scenario() -> None:
        context = context_of(
            server, tls_client_authorities_file=authority.file, tls_client_certificate_required=required
        )
        async with world(recorder, tls=context) as here:
            # With TLS 1.3 the client has finished its part, and sent its requests, before it hears.
            with pytest.raises(ssl.SSLError) as heard:
                await asked(here, trusting, GET * 500 + CLOSING)
            assert heard.value.reason == alert_for(kind, version)
            await until(lambda: here.reasons == [(0, "no TLS handshake")])

    run(scenario, loop)
    assert recorder.seen == []


@each_loop
def test_a_client_that_keeps_open_what_failed_has_the_time_to_linger_and_no_more(
    authority: Authority, server: Certified, loop: str
) -> None:
    async def scenario() -> None:
        limits = replace(LIMITS, linger_seconds=0.2)
        async with world(tls=context_of(server), limits=limits) as here, Rude(here.address) as client:
            begun = time.monotonic()
            await client.send(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00")
            assert (await client.to_end())[:1] == b"\x15", "a record that is an alert"
            assert here.reasons == [(0, "no TLS handshake")]
            assert here.keeper._entered == 1, "it counts as long as it is there"
            await until(lambda: not here.keeper._entered)
            assert time.monotonic() - begun > limits.linger_seconds / 2

    run(scenario, loop)


# Answers


def slowly(secure: Secure, length: int, step: Callable[[int], None]) -> bytes:
    """Read so many bytes, and tell after each read how many there are."""
    received = bytearray()
    while len(received) < length:
        data = secure.socket.recv(65536)
        if not data:
            break
        received += data
        step(len(received))
    return bytes(received)


@each_loop
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "closed"])
def test_a_client_that_reads_slowly_and_above_the_rate_gets_its_large_answer_whole(
    authority: Authority, server: Certified, kept: bool, loop: str
) -> None:
    """It takes longer than a connection may be idle, linger or shake hands, and no longer than its answer may take."""
    rate = 8 * MIB
    limits = replace(LIMITS, bytes_a_second=rate)
    handshake_seconds = 0.3
    request = LARGE_GET if kept else LARGE_GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def scenario() -> None:
        recorder = Recorder(answering=large_or_small)
        context = context_of(server)
        async with world(recorder, tls=context, limits=limits, handshake_seconds=handshake_seconds) as here:
            running = asyncio.get_running_loop()
            secure = await asyncio.to_thread(Secure, here.address, authority.trusting(), small=True)
            with secure.socket:
                secure.socket.sendall(request)
                await here.phase_was(Phase.SENDING)
                # Half of the time has passed before anything is read, in the listener's clock and in the system's.
                await here.pass_to((LIMITS.body_seconds + LARGE / rate) / 2)
                await asyncio.sleep(2 * handshake_seconds)

                def passes(received: int) -> None:
                    seconds = (LIMITS.body_seconds + LARGE / rate) / 2 * (1 + min(received, LARGE) / LARGE) - INSTANT
                    running.call_soon_threadsafe(lambda: setattr(here.clock, "now", here.begun + seconds))

                received = await asyncio.to_thread(slowly, secure, LARGE, passes)
                if kept:
                    secure.socket.sendall(CLOSING)
                received += await asyncio.to_thread(slowly, secure, 2 * LARGE, lambda _: None)
            answers, left = answers_in(received, ["GET"] * 2)
            assert (len(answers), left) == (2 if kept else 1, b"")
            assert len(answers[0].body) == LARGE
            assert here.reasons == []

    run(scenario, loop)


@each_loop
def test_a_client_that_reads_slowly_and_above_the_rate_gets_its_pieces_whole(
    authority: Authority, server: Certified, loop: str
) -> None:
    """What ends the pieces waits behind a large one, and has that one's time."""
    rate = 8 * MIB

    async def pieces() -> Any:
        yield b"x" * LARGE

    recorder = Recorder(answering=lambda _: Answer(status=200, content_type=PLAIN, body=pieces()))

    async def scenario() -> None:
        limits = replace(LIMITS, bytes_a_second=rate)
        async with world(recorder, tls=context_of(server), limits=limits) as here:
            secure = await asyncio.to_thread(Secure, here.address, authority.trusting(), small=True)
            with secure.socket:
                secure.socket.sendall(CLOSING)
                await here.phase_was(Phase.SENDING)
                for _ in range(100):
                    await asyncio.sleep(0.001)
                await here.pass_to(LIMITS.body_seconds + LARGE / rate - INSTANT)
                received = await asyncio.to_thread(slowly, secure, 2 * LARGE, lambda _: None)
            assert received.endswith(b"x\r\n0\r\n\r\n")
            assert received.count(b"x") >= LARGE
            assert here.reasons == []

    run(scenario, loop)
    assert recorder.sent == 1


@each_loop
def test_a_client_that_never_reads_ends_when_its_answer_may_take_no_longer(
    authority: Authority, server: Certified, loop: str
) -> None:
    rate = 16 * MIB
    seconds = LIMITS.body_seconds + LARGE / rate
    recorder = Recorder(answering=large_or_small)

    async def scenario() -> None:
        limits = replace(LIMITS, bytes_a_second=rate)
        async with world(recorder, tls=context_of(server), limits=limits) as here:
            secure = await asyncio.to_thread(Secure, here.address, authority.trusting(), small=True)
            with secure.socket:
                secure.socket.sendall(LARGE_GET)
                await here.phase_was(Phase.SENDING)
                await here.pass_to(seconds - INSTANT)
                assert here.keeper.open_connections == 1
                await here.pass_to(seconds + INSTANT)
                await here.empty()

    run(scenario, loop)
    assert recorder.opened == 1


@each_loop
def test_a_client_that_never_reads_cannot_have_one_answer_after_the_other_made(
    authority: Authority, server: Certified, loop: str
) -> None:
    recorder = Recorder(answering=large_or_small)

    async def scenario() -> None:
        async with world(recorder, tls=context_of(server)) as here:
            secure = await asyncio.to_thread(Secure, here.address, authority.trusting(), small=True)
            with secure.socket:
                secure.socket.sendall(LARGE_GET * 100)
                await here.phase_was(Phase.SENDING)
                for _ in range(100):
                    await asyncio.sleep(0.001)
                assert recorder.opened <= 2, "the layers of TLS hold one more"

    run(scenario, loop)


@each_loop
def test_a_client_that_keeps_what_was_closed_ends_after_it_has_lingered(
    authority: Authority, server: Certified, loop: str
) -> None:
    """It has its answer; nobody is told that it was too slow."""

    async def scenario() -> None:
        async with world(tls=context_of(server)) as here:
            secure = await asyncio.to_thread(Secure, here.address, authority.trusting())
            with secure.socket:
                secure.socket.sendall(CLOSING)
                await until(lambda: here.recorder.sent == 1)
                await here.pass_to(LIMITS.exchange_seconds)
                await here.empty()
            assert here.reasons == []

    run(scenario, loop)


@each_loop
def test_what_is_sent_in_pieces_is_whole_over_tls(authority: Authority, server: Certified, loop: str) -> None:
    async def pieces() -> Any:
        for number in range(64):
            yield b"%x" % (number % 16) * 65536
            await asyncio.sleep(0)

    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=pieces())

    async def scenario() -> None:
        async with world(Recorder(answering=answering), tls=context_of(server)) as here:
            received = await asked(here, authority.trusting())
            assert received.endswith(b"\r\n0\r\n\r\n")
            assert sum(received.count(b"%x" % (number % 16) * 65536) for number in range(16)) == 64

    run(scenario, loop)


@each_loop
def test_what_breaks_over_tls_never_looks_whole(authority: Authority, server: Certified, loop: str) -> None:
    """Not even to an old client: TLS itself tells a cut from an end."""

    async def pieces() -> Any:
        yield b"the first part"
        raise RuntimeError("expected")

    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=pieces())

    async def scenario() -> None:
        async with world(Recorder(answering=answering), tls=context_of(server)) as here:
            with pytest.raises((ssl.SSLEOFError, ConnectionError)):
                await asyncio.to_thread(unforgiving, here, authority.trusting())

    run(scenario, loop, escapes=[])


def unforgiving(here: World, context: ssl.SSLContext) -> None:
    """Ask, and take no end but that of TLS."""
    with socket.create_connection(here.address, timeout=PATIENCE) as plain:
        secure = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        with secure:
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while secure.recv(65536):
                pass


# Settings


def test_a_plain_listener_has_no_context() -> None:
    assert tls_context(Settings()) is None


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"tls_certificate_file": "missing.pem"}, ["tls_certificate_file", "missing.pem", "No such file"]),
        ({"tls_key_file": "missing.key"}, ["tls_key_file", "missing.key", "No such file"]),
        ({"tls_certificate_file": "rubbish.pem"}, ["tls_certificate_file", "rubbish.pem"]),
        ({"tls_key_file": "rubbish.pem"}, ["tls_key_file", "rubbish.pem"]),
        ({"tls_key_file": "other.key"}, ["tls_key_file", "other.key", "KEY_VALUES_MISMATCH"]),
        (
            {"tls_client_authorities_file": "missing.pem"},
            ["tls_client_authorities_file", "missing.pem", "No such file"],
        ),
        ({"tls_client_authorities_file": "rubbish.pem"}, ["tls_client_authorities_file", "rubbish.pem"]),
    ],
)
def test_files_that_are_missing_or_wrong_are_named_with_their_setting(
    authority: Authority, server: Certified, tmp_path: Path, changes: dict[str, str], names: list[str]
) -> None:
    (tmp_path / "rubbish.pem").write_text("rubbish\n")
    (tmp_path / "other.key").write_bytes(authority.client("other").key.read_bytes())
    given = {"tls_certificate_file": server.certificate, "tls_key_file": server.key}
    given.update({setting: tmp_path / name for setting, name in changes.items()})
    with pytest.raises(SettingsError) as raised:
        tls_context(Settings(**given))
    for name in names:
        assert name in str(raised.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tls_certificate_file": "a.pem"}, "tls_certificate_file and tls_key_file belong together"),
        ({"tls_key_file": "a.key"}, "tls_certificate_file and tls_key_file belong together"),
        ({"tls_client_authorities_file": "a.pem"}, "tls_client_authorities_file needs tls_certificate_file"),
        (
            {"tls_certificate_file": "a.pem", "tls_key_file": "a.key", "tls_client_certificate_required": True},
            "tls_client_certificate_required needs tls_client_authorities_file",
        ),
        (
            {"tls_certificate_file": "a.pem", "tls_key_file": "a.key", "proxy_protocol_from": ("127.0.0.1",)},
            "proxy_protocol_from is for plain listeners only",
        ),
        ({"proxy_protocol_from": ("127.0.0.1/8",)}, "proxy_protocol_from"),
        ({"proxy_protocol_from": ("proxy.example",)}, "proxy_protocol_from"),
    ],
)
def test_settings_that_do_not_fit_together_say_so(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load_settings(None, **given)


async def test_a_server_does_not_start_with_a_key_that_is_missing(folder: Path, server: Certified) -> None:
    settings = load_settings(
        folder / CONFIG, port=0, admin_port=0, tls_certificate_file=server.certificate, tls_key_file=folder / "none"
    )
    with pytest.raises(SettingsError, match="tls_key_file"):
        async with serving(settings, log=io.StringIO()):
            pass


# Whole servers


async def test_a_server_with_tls_answers_a_client_of_another_maker_and_says_https(
    start: Start, authority: Authority, server: Certified
) -> None:
    up = await start(tls_certificate_file=server.certificate, tls_key_file=server.key)
    assert up.url.startswith("https://")
    trusting = authority.trusting()
    for number in range(3):
        async with up.session.get(f"{up.url}/v1/sales?wsdl", ssl=trusting) as answer:
            assert answer.status == 200
            assert f'location="{up.url}/v1/sales"'.encode() in await answer.read()
        assert up.up.keeper.open_connections == 1, f"request {number} used the connection that there was"
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await up.session.get(f"{up.url}/v1/sales?wsdl", ssl=ssl.create_default_context())


async def test_a_server_that_requires_certificates_lets_in_who_has_one(
    start: Start, authority: Authority, server: Certified
) -> None:
    up = await start(
        tls_certificate_file=server.certificate,
        tls_key_file=server.key,
        tls_client_authorities_file=authority.file,
        tls_client_certificate_required=True,
    )
    async with up.session.get(f"{up.url}/v1/sales?wsdl", ssl=authority.trusting(authority.client())) as answer:
        assert answer.status == 200
    with pytest.raises(aiohttp.ClientError):
        await up.session.get(f"{up.url}/v1/sales?wsdl", ssl=authority.trusting())


UNKNOWN_ORDER = (
    b"POST /v1/sales HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
)


async def raw(url: str, data: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").rpartition(":")
    async with Rude((host, int(port))) as client:
        await client.send(data)
        return await client.to_end()


async def test_behind_a_trusted_proxy_the_event_has_the_address_of_the_client(start: Start) -> None:
    up = await start(proxy_protocol_from=("127.0.0.0/8",))
    header = render_proxy_header(("203.0.113.9", 4711), ("192.0.2.1", 80))
    assert (await raw(up.url, header + UNKNOWN_ORDER)).startswith(b"HTTP/1.1 500 ")
    (event,) = [event for event in up.events() if event["event"] == "exchange"]
    assert (event["peer"], event["outcome"]) == ("203.0.113.9", "Malformed")
    header = render_proxy_header(("2001:db8::9", 4711), ("2001:db8::1", 80))
    assert (await raw(up.url, header + UNKNOWN_ORDER)).startswith(b"HTTP/1.1 500 ")
    assert [event["peer"] for event in up.events() if event["event"] == "exchange"] == ["203.0.113.9", "2001:db8::9"]


async def test_a_trusted_proxy_that_sends_no_header_is_cut(start: Start) -> None:
    up = await start(proxy_protocol_from=("127.0.0.1",))
    assert await raw(up.url, UNKNOWN_ORDER) == b""
    (event,) = [event for event in up.events() if event["event"] == "http_refused"]
    assert (event["peer"], event["reason"]) == ("127.0.0.1", "no PROXY protocol header")
    assert not [event for event in up.events() if event["event"] == "exchange"]


async def test_a_peer_that_is_no_trusted_proxy_is_cut_whatever_it_sends(start: Start) -> None:
    up = await start(proxy_protocol_from=("192.0.2.0/24", "2001:db8::/32"))
    for data in (UNKNOWN_ORDER, render_proxy_header(("203.0.113.9", 4711), ("192.0.2.1", 80)) + UNKNOWN_ORDER):
        assert await raw(up.url, data) == b""
    events = [event for event in up.events() if event["event"] == "http_refused"]
    assert [(event["peer"], event["reason"]) for event in events] == [
        ("127.0.0.1", "not one of the trusted proxies")
    ] * 2
    assert json.dumps(up.events()).count("203.0.113.9") == 0
