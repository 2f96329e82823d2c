"""The real command with two workers: what it says, what it survives, what a reload takes up and what it refuses."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client.parser import text_string_to_metric_families
from supervised import Depot, Supervised, connected, frozen, peers, state_of, taken_port, until

from server.cli.initialise import TEMPLATE
from server.core import utc_now

Start = Callable[..., Supervised]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]


def configure(depot: Depot, *lines: str) -> None:
    """Write the settings file as `init` does, with these lines in it."""
    names = {line.partition("=")[0].strip() for line in lines}
    kept = [line for line in TEMPLATE.splitlines() if line.partition("=")[0].strip() not in names]
    depot.config.write_text("\n".join([*kept, *lines, ""]), encoding="utf-8")


async def reloaded(server: Supervised, event: str = "reloaded") -> dict[str, Any]:
    """Tell it to reload and wait for what comes of it: the event."""
    before = len(server.events(event))
    server.tell(signal.SIGHUP)
    return await server.event(event, count=before + 1)


async def checks(server: Supervised) -> tuple[int, dict[str, Any]]:
    status, body = await server.fetched("/readyz", admin=True)
    return status, json.loads(body)


# Starting and stopping


async def test_it_starts_shows_every_worker_and_stops_when_ctrl_c_reaches_all(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    assert [event["event"] for event in server.events()] == ["worker_ready", "worker_ready", "serving"]
    assert set(server.workers()) == {1, 2}
    assert set(server.workers().values()) == server.members()

    for count in range(6):
        assert await server.ordered(f"t-{count}") == 200
    assert await server.fetched("/healthz", admin=True) == (200, "ok\n")
    status, readiness = await checks(server)
    assert status == 200
    parts = ("", " storage", " keys", " firm_security_box")
    assert readiness == {
        "ready": True,
        "degraded": False,
        "checks": {f"worker {worker}{part}": "ok" for worker in (1, 2) for part in parts},
    }
    status, text = await server.fetched("/metrics", admin=True)
    assert status == 200
    found = list(text_string_to_metric_families(text))
    values = {(s.name, s.labels.get("worker")): s.value for family in found for s in family.samples}
    assert values["opendepot_workers", None] == 2
    assert values["opendepot_worker_restarts_total", None] == 0
    assert {worker for name, worker in values if name == "opendepot_connections"} == {"1", "2"}
    exchanges = [s for family in found for s in family.samples if s.name == "opendepot_exchanges_total"]
    assert sum(sample.value for sample in exchanges) == 6

    os.killpg(server.pid, signal.SIGINT)
    assert await server.ended() == 0
    assert server.members() == set()
    assert {event["code"] for event in server.events("worker_ended")} == {0}
    assert len(server.events("worker_ended")) == 2
    assert [event["event"] for event in server.events()][-1] == "stopped"
    assert not server.events("worker_died")
    assert server.plain() == []


async def test_the_service_manager_hears_ready_watchdog_reloading_and_stopping(depot: Depot, supervised: Start) -> None:
    heard: list[dict[str, str]] = []

    def took(manager: socket.socket) -> None:
        heard.append(dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines()))

    def named(name: str) -> list[int]:
        return [index for index, lines in enumerate(heard) if name in lines]

    with tempfile.TemporaryDirectory(prefix="n") as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{place}/notify")
        manager.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(manager, took, manager)
        try:
            environment = {"NOTIFY_SOCKET": f"{place}/notify", "WATCHDOG_USEC": "600000"}
            server = await supervised(depot, workers=1, environment=environment).serving()
            await until(lambda: named("READY"), "READY=1")
            await until(lambda: len(named("WATCHDOG")) >= 3, "WATCHDOG=1 three times")
            assert heard[0] == {"READY": "1", "STATUS": "1 workers"}
            server.tell(signal.SIGHUP)
            await until(lambda: len(named("READY")) == 2, "READY=1 again")
            reloading = heard[named("RELOADING")[0]]
            assert reloading["RELOADING"] == "1"
            assert int(reloading["MONOTONIC_USEC"]) > 0
            assert named("READY")[0] < named("RELOADING")[0] < named("READY")[1]
            assert server.events("reloaded")
            server.tell(signal.SIGTERM)
            assert await server.ended() == 0
            await until(lambda: named("STOPPING"), "STOPPING=1")
            assert heard[-1] == {"STOPPING": "1"}
        finally:
            loop.remove_reader(manager)


@pytest.mark.parametrize(
    ("setting", "broken"),
    [
        ("pepper_file", lambda depot: (depot.folder / "secrets" / "pepper").unlink()),
        ("database", lambda depot: depot.database.write_bytes(b"no database" * 1000)),
        ("host, port", None),
        ("admin_host, admin_port", None),
    ],
    ids=["secret", "database", "port", "admin port"],
)
async def test_what_cannot_start_ends_with_1_and_says_why(
    depot: Depot, supervised: Start, setting: str, broken: Callable[[Depot], None] | None
) -> None:
    with taken_port() as port:
        if broken is not None:
            broken(depot)
            server = supervised(depot)
        else:
            server = supervised(depot, **{"port" if setting.startswith("host") else "admin_port": port})
        assert await server.ended() == 1
    await server.all_gone()
    assert not server.events("serving")
    why = server.plain()
    assert not any("Traceback" in line for line in why)
    assert all(line.startswith("opendepot: ") for line in why)
    assert any(setting in line for line in why)
    told = [line for line in why if "stands above" not in line]
    assert len(told) == 1, "one cause is told once"


# Workers that die


async def test_a_worker_that_is_killed_or_hangs_is_seen_and_replaced_and_the_other_goes_on(
    depot: Depot, supervised: Start
) -> None:
    server = await supervised(depot, environment={"OPENDEPOT_HANG_SECONDS": "2"}).serving()
    first, second = server.workers()[1], server.workers()[2]

    os.kill(first, signal.SIGKILL)
    died = await server.event("worker_died", worker=1, process=first)
    assert died["code"] == -signal.SIGKILL
    for count in range(3):
        assert await server.ordered(f"meanwhile-{count}") == 200
    await server.event("worker_ready", worker=1, count=2)
    assert server.workers()[1] != first
    assert server.workers()[2] == second

    os.kill(second, signal.SIGSTOP)
    await until(lambda: state_of(second) == "T", "the worker is stopped")
    (status, readiness), (_, text) = await asyncio.gather(checks(server), server.fetched("/metrics", admin=True))
    assert status == 200, "the other serves"
    assert (readiness["ready"], readiness["degraded"]) == (True, True)
    assert readiness["checks"]["worker 1"] == "ok"
    assert readiness["checks"]["worker 2"] == "no answer"
    assert "opendepot_workers 1.0" in text
    for count in range(3):
        assert await server.ordered(f"hanging-{count}") == 200
    await server.event("worker_hung", worker=2, process=second)
    assert (await server.event("worker_died", process=second))["code"] == -signal.SIGKILL
    await server.event("worker_ready", worker=2, count=2)
    assert len(server.events("worker_hung")) == 1, "the one that lives is left alone"

    assert set(server.workers().values()) == server.members()
    assert (await checks(server))[0] == 200
    _, text = await server.fetched("/metrics", admin=True)
    assert "opendepot_worker_restarts_total 2.0" in text
    ready = {
        sample.labels["worker"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "opendepot_ready"
    }
    assert ready == {"1": 1, "2": 1}, "the metric tells what the last check of each worker found"


async def test_no_worker_is_started_any_more_once_the_server_stops(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    body = depot.order_body("slow")
    async with connected(server.port) as (reader, writer):
        writer.write(depot.head(body) + body[:10])
        holder = await until(lambda: _holder(server, writer), "a worker has taken the connection")
        other = ({1, 2} - {holder}).pop()
        os.kill(server.workers()[other], signal.SIGKILL)
        await server.event("worker_died", worker=other)
        server.tell(signal.SIGTERM)
        await server.event("draining")
        # One that was being started by then, as on a machine that took more than ten seconds to come so far, ends.
        await until(lambda: server.members() == {server.workers()[holder]}, "the one that has a request is left")
        # Twice the wait before a replacement.
        await asyncio.sleep(1.0)
        assert server.members() == {server.workers()[holder]}
        writer.write(body[10:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert await server.ended() == 0
    assert server.members() == set()
    after = server.events()[server.events().index(server.events("draining")[0]) :]
    assert [event for event in after if event["event"] == "worker_ready"] == []


def _holder(server: Supervised, writer: asyncio.StreamWriter) -> int | None:
    """The slot of the worker that has accepted a connection."""
    port = writer.get_extra_info("sockname")[1]
    return next((slot for slot, pid in server.workers().items() if port in peers(pid)), None)


async def test_a_worker_that_dies_before_a_reload_is_replaced_once(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    os.kill(server.workers()[1], signal.SIGKILL)
    await server.event("worker_died", worker=1)
    await reloaded(server)
    # Both the reload and the death have asked for a new worker in this place by then.
    await until(lambda: server.members() == set(server.workers().values()), "who is not needed has ended")
    assert len(server.members()) == 2


# Reloading


async def test_a_reload_takes_up_settings_and_the_number_of_workers(depot: Depot, supervised: Start) -> None:
    configure(depot, "workers = 2")
    server = await supervised(depot, workers=None).serving()
    before = set(server.workers().values())

    configure(depot, "workers = 3", 'public_url = "https://licences.example.com"')
    assert (await reloaded(server))["workers"] == 3
    assert set(server.workers()) == {1, 2, 3}
    await until(lambda: not before & server.members(), "the old workers have ended")
    for _ in range(6):
        assert "https://licences.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]
    assert len((await checks(server))[1]["checks"]) == 12
    assert await server.ordered("after") == 200

    configure(depot, "workers = 1", 'log_format = "text"', "admin_port = 1")
    assert (await reloaded(server))["workers"] == 1
    assert server.events("reload_needs_restart")[0]["settings"] == ["log_format"], "what the command line says, stays"
    await until(lambda: len(server.members()) == 1, "one worker is left")
    assert f"{server.url}/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]
    assert len((await checks(server))[1]["checks"]) == 4
    assert await server.ordered("after-all") == 200
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0
    assert server.members() == set()


async def test_a_reload_that_cannot_be_is_refused_and_nothing_changes(depot: Depot, supervised: Start) -> None:
    configure(depot, 'public_url = "https://before.example.com"')
    server = await supervised(depot).serving()
    before = server.workers()
    new = 'public_url = "https://after.example.com"'
    for count, (lines, reason) in enumerate(
        [
            (["public_url = "], str(depot.config)),
            ([new, "max_depth = -1"], "max_depth"),
            ([new, "no_such_setting = 1"], "no_such_setting"),
            ([new, 'tls_certificate_file = "missing.pem"', 'tls_key_file = "missing.pem"'], ""),
            ([new, 'pepper_file = "missing"'], ""),
        ],
        1,
    ):
        configure(depot, *lines)
        assert reason in (await reloaded(server, "reload_refused"))["reason"]
        assert server.workers() == before, lines
        assert server.members() == set(before.values()), lines
        assert "https://before.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1], lines
        assert await server.ordered(f"still-{count}") == 200
        assert (await checks(server))[0] == 200
    assert not server.events("reloaded")
    assert not server.events("worker_died")
    configure(depot, new)
    await reloaded(server)
    await until(lambda: not set(before.values()) & server.members(), "the old workers have ended")
    assert "https://after.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]


SECOND_FAILS = """
import pathlib, sys
if "server.supervise.worker" in sys.orig_argv:
    armed = pathlib.Path({armed!r})
    if armed.exists():
        count = int(armed.read_text() or 0) + 1
        armed.write_text(str(count))
        if count == 2:
            import server.soap_listener
            from server.errors import SettingsError
            def fails(settings):
                raise SettingsError("the second does not start")
            server.soap_listener.tls_context = fails
"""


async def test_a_reload_whose_second_worker_does_not_start_leaves_both_old_ones(
    depot: Depot, supervised: Start, tmp_path: Path
) -> None:
    patch, armed = tmp_path / "patch", tmp_path / "armed"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(SECOND_FAILS.format(armed=str(armed)))
    configure(depot, 'public_url = "https://before.example.com"')
    server = await supervised(depot, environment={"PYTHONPATH": str(patch)}).serving()
    before = server.workers()
    configure(depot, 'public_url = "https://after.example.com"')
    armed.touch()
    server.tell(signal.SIGHUP)
    answered = 0
    while not server.events("reload_refused"):
        assert "https://before.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]
        answered += 1
    assert server.events("reload_refused")[0]["reason"] == "the second does not start"
    assert answered > 10, "it was asked while the first was there already"
    assert server.workers() == before
    assert server.members() == set(before.values())
    for _ in range(6):
        assert "https://before.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]
    assert (await checks(server))[0] == 200
    armed.unlink()
    await reloaded(server)
    await until(lambda: not set(before.values()) & server.members(), "the old workers have ended")
    for _ in range(6):
        assert "https://after.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]


async def test_a_server_none_of_whose_workers_is_ready_is_not(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    with frozen(*server.workers().values()):
        status, readiness = await checks(server)
    assert status == 503
    assert (readiness["ready"], readiness["degraded"]) == (False, False)
    assert (await checks(server))[0] == 200


async def test_a_replaced_worker_has_the_settings_of_the_others_until_a_reload(depot: Depot, supervised: Start) -> None:
    configure(depot, 'public_url = "https://before.example.com"')
    server = await supervised(depot).serving()
    configure(depot, "public_url = ")
    await reloaded(server, "reload_refused")
    os.kill(server.workers()[1], signal.SIGKILL)
    await until(lambda: len(server.events("worker_ready")) == 3 or server.plain(), "it is replaced")
    assert server.plain() == [], "a settings file that was refused must not keep a worker from being replaced"
    configure(depot, 'public_url = "https://not-yet.example.com"')
    os.kill(server.workers()[2], signal.SIGKILL)
    await server.event("worker_ready", count=4)
    for _ in range(6):
        assert "https://before.example.com/v1/sales" in (await server.fetched("/v1/sales?wsdl"))[1]


def certificate(folder: Path, name: str) -> x509.Certificate:
    """Write a new self-signed certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(hours=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


async def shown(server: Supervised, trusted: x509.Certificate) -> bytes:
    """Say GET over TLS, trusting one certificate only; the certificate that was shown."""
    context = ssl.create_default_context(cadata=trusted.public_bytes(serialization.Encoding.PEM).decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname="localhost")
    try:
        writer.write(b"GET /v1/sales?wsdl HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await reader.read()
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        await writer.wait_closed()
    assert isinstance(found, bytes)
    return found


async def test_a_renewed_certificate_is_taken_up_and_a_lost_one_is_refused(depot: Depot, supervised: Start) -> None:
    configure(depot, 'tls_certificate_file = "tls.pem"', 'tls_key_file = "tls.key"')
    first = certificate(depot.folder, "first")
    server = await supervised(depot, workers=1).serving()
    assert server.url.startswith("https://")
    before = set(server.workers().values())
    for _ in range(4):
        assert await shown(server, first) == first.public_bytes(serialization.Encoding.DER)

    second = certificate(depot.folder, "second")
    assert await shown(server, first) == first.public_bytes(serialization.Encoding.DER), "nobody has asked for it yet"
    await reloaded(server)
    await until(lambda: not before & server.members(), "the old workers have ended")
    for _ in range(4):
        assert await shown(server, second) == second.public_bytes(serialization.Encoding.DER)

    (depot.folder / "tls.pem").unlink()
    kept = server.workers()
    await reloaded(server, "reload_refused")
    assert server.workers() == kept
    assert await shown(server, second) == second.public_bytes(serialization.Encoding.DER)


# What has come in is answered, whoever ends


async def test_workers_drain_and_end_by_themselves_when_their_supervisor_is_killed(
    depot: Depot, supervised: Start
) -> None:
    server = await supervised(depot).serving()
    body = depot.order_body("half")
    port = server.port
    async with connected(port) as (reader, writer):
        writer.write(depot.head(body) + body[:20])
        holder = server.workers()[await until(lambda: _holder(server, writer), "a worker has taken the connection")]
        server.tell(signal.SIGKILL)
        assert await server.ended() == -signal.SIGKILL
        await until(lambda: server.members() == {holder}, "the worker without an exchange has ended")
        writer.write(body[20:])
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.rstrip().endswith(b"Envelope>")
    await server.all_gone()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def told(server: Supervised) -> None:
    server.tell(signal.SIGTERM)


async def all_told_and_the_supervisor_late(server: Supervised) -> None:
    """As by a service manager that tells all processes of a service."""
    workers = server.workers().values()
    with frozen(server.pid):
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0.5)
        server.tell(signal.SIGTERM)


async def supervisor_killed(server: Supervised) -> None:
    server.tell(signal.SIGKILL)


@pytest.mark.parametrize("end", [told, all_told_and_the_supervisor_late, supervisor_killed])
async def test_requests_that_wait_to_be_accepted_are_answered_when_the_server_ends(
    depot: Depot, supervised: Start, end: Callable[[Supervised], Awaitable[None]]
) -> None:
    server = await supervised(depot).serving()
    count, pids = 40, list(server.workers().values())
    async with AsyncExitStack() as stack:
        with frozen(*pids):
            await until(lambda: all(state_of(pid) == "T" for pid in pids), "the workers are stopped")
            connections = [await stack.enter_async_context(connected(server.port)) for _ in range(count)]
            for number, (_, writer) in enumerate(connections):
                writer.write(depot.order(f"waiting-{number}"))
            await end(server)
            await until(lambda: server.events("draining") or state_of(server.pid) in {"Z", ""}, "it has heard")
        answers = await asyncio.gather(*(reader.read() for reader, _ in connections), return_exceptions=True)
    await server.ended()
    await server.all_gone()
    whole = [a for a in answers if isinstance(a, bytes) and a.startswith(b"HTTP/1.1 200") and a.endswith(b"Envelope>")]
    assert len(whole) == count
    with closing(sqlite3.connect(depot.database)) as db:
        assert db.execute("SELECT count(*), count(DISTINCT transaction_id) FROM orders").fetchone() == (count, count)
