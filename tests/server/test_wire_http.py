"""HTTP rules around the services: methods, the WSDL, slow and broken bodies, aborts, the drain, health and metrics."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from lxml import etree
from wire import Server, Start, envelope, order

import server.listener
import wsdl
from server.cli.initialise import CONFIG
from server.errors import SettingsError
from server.settings import load_settings
from storage.sqlite.engine import SqliteStorage


async def test_other_methods_are_refused_with_a_hint(server: Server) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        async with server.session.request(method, f"{server.url}/v1/sales") as response:
            assert response.status == 405
            assert "POST" in response.headers["Allow"]
            assert "?wsdl" in await response.text()
    for method in ("POST", "GET", "HEAD", "OPTIONS"):
        async with server.session.request(method, f"{server.url}/nowhere") as response:
            assert response.status == 404


async def test_options_say_which_methods_there_are(server: Server) -> None:
    async with server.session.options(f"{server.url}/v1/sales") as response:
        assert (response.status, response.headers["Allow"]) == (200, "POST, GET, HEAD, OPTIONS")
        assert await response.read() == b""


async def test_the_schema_files_are_served_as_they_are_published(server: Server) -> None:
    for service, name in (("sales", "sales.xsd"), ("depot", "depot.xsd"), ("depot", "header.xsd")):
        async with server.session.get(f"{server.url}/v1/{service}?xsd={name}") as response:
            assert response.status == 200
            assert await response.read() == wsdl.read(f"v1/{name}")
    async with server.session.get(f"{server.url}/v1/sales?xsd=../../settings.py") as response:
        assert response.status == 405


async def test_every_document_is_the_same_bytes_after_a_restart(start: Start) -> None:
    found = []
    for _ in range(2):
        server = await start(public_url="https://licences.example.com", admin_soap_port=0)
        documents: dict[tuple[str, str], bytes] = {}
        admin = str(server.up.admin_soap_url)
        for service in ("sales", "depot", "ozomm", "admin"):
            base = admin if service == "admin" else server.up.local_url
            for query in ("wsdl", "wsdl=apart", f"xsd={service}.xsd", "xsd=header.xsd", "soapui"):
                for _ in range(2):
                    async with server.session.get(f"{base}/v1/{service}?{query}") as response:
                        # The port of this listener is another one each time here.
                        body = (await response.read()).replace(admin.encode(), b"https://admin.example.com")
                        assert (response.status, documents.setdefault((service, query), body)) == (200, body)
        found.append(documents)
    assert found[0] == found[1]


async def test_the_wsdl_has_the_configured_url_and_never_that_of_the_host_header(start: Start) -> None:
    configured = await start(public_url="https://licences.example.com/")
    found = set()
    for service in ("sales", "depot"):
        for query in ("wsdl", "WSDL"):
            for host in ("evil.example", "other.example:99"):
                local = f"{configured.up.local_url}/v1/{service}?{query}"
                async with configured.session.get(local, headers={"Host": host}) as response:
                    body = await response.read()
                    assert response.status == 200
                    assert b"evil" not in body
                    assert b"other.example" not in body
                    addresses = set(etree.fromstring(body).xpath("//@location"))
                    assert addresses == {f"https://licences.example.com/v1/{service}"}
                    found.add((service, body))
    assert len(found) == 2, "the same bytes on every request"


async def test_head_of_the_wsdl_has_no_body(server: Server) -> None:
    async with server.session.head(f"{server.url}/v1/depot?wsdl") as response:
        assert response.status == 200
        assert await response.read() == b""


async def raw(server: Server, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    await writer.drain()
    return reader, writer


def head(server: Server, length: int) -> bytes:
    return (
        f"POST /v1/sales HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n"
        f"Authorization: Bearer {server.api_key}\r\n\r\n"
    ).encode()


async def test_a_body_that_does_not_arrive_in_time_is_a_fault_and_the_connection_ends(start: Start) -> None:
    server = await start(body_seconds=0.05)
    reader, writer = await raw(server, head(server, 100) + b"<a>")
    answer = await reader.read()
    writer.close()
    assert b"408" in answer.split(b"\r\n")[0]
    assert b"BodyTooSlow" in answer
    assert b"<f:retry>Later</f:retry>" in answer


async def test_a_client_that_goes_away_in_the_middle_of_its_body_is_an_abort_without_an_error(server: Server) -> None:
    _, writer = await raw(server, head(server, 100) + b"<a>")
    await asyncio.sleep(0)
    while not server.up.application.metrics.in_flight:  # noqa: ASYNC110  no event to wait for
        await asyncio.sleep(0.001)
    writer.close()
    while not any(event["event"] == "exchange" for event in server.events()):  # noqa: ASYNC110  as above
        await asyncio.sleep(0.001)
    (event,) = [event for event in server.events() if event["event"] == "exchange"]
    assert (event["outcome"], event["status"], event["stage"]) == ("aborted", 0, "received")
    assert not any(event["event"] == "internal_error" for event in server.events())


async def test_one_event_for_each_exchange_and_the_reference_of_the_fault_is_in_it(server: Server) -> None:
    good = await server.post("sales", envelope(order("e-1")))
    bad = await server.post("sales", envelope(order("e-2", item="NONE")))
    assert good.status == 200
    first, second = [event for event in server.events() if event["event"] == "exchange"]
    assert (first["operation"], first["outcome"], first["stage"], first["shop"]) == (
        "CreateOrder",
        "ok",
        "answering",
        server.extra["shop"],
    )
    assert (second["outcome"], second["stage"]) == ("ItemUnknown", "running")
    assert second["reference"] == bad.fault()["reference"]


async def test_metrics_health_and_readiness(server: Server) -> None:
    await server.post("sales", envelope(order("m-1")))
    await server.post("sales", b"x")
    async with server.session.get(f"{server.up.admin_url}/metrics") as response:
        text = await response.text()
    assert 'opendepot_exchanges_total{operation="CreateOrder",outcome="ok",service="Sales"} 1.0' in text
    assert 'opendepot_exchanges_total{operation="",outcome="Malformed",service="Sales"} 1.0' in text
    async with server.session.get(f"{server.up.admin_url}/healthz") as response:
        assert await response.text() == "ok\n"
    async with server.session.get(f"{server.up.admin_url}/readyz") as response:
        assert (response.status, (await response.json())["ready"]) == (200, True)


async def test_readiness_says_what_is_wrong(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteStorage, "ready", broken)
    server = await start()
    async with server.session.get(f"{server.up.admin_url}/readyz") as response:
        assert response.status == 503
        assert "No space left" in (await response.json())["checks"]["storage"]


async def test_a_bug_is_an_internal_fault_with_its_text_withheld_and_logged(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: object, _query: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(SqliteStorage, "query", broken)
    received = await server.post(
        "depot",
        envelope('<GetTicket xmlns="urn:opendepot:depot:1"><ticket>00000-00000-00000-00000-00000</ticket></GetTicket>'),
    )
    found = received.fault()
    assert (received.status, found["code"], found["element"], found["retry"]) == (
        500,
        "Internal",
        "ServerFault",
        "Never",
    )
    assert "secret" not in received.body.decode()
    (event,) = [event for event in server.events() if event["event"] == "internal_error"]
    assert event["reference"] == found["reference"]
    assert "secret inside" in event["exception"]


async def test_an_exchange_past_its_deadline_may_be_repeated(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start(exchange_seconds=0.05)

    async def stuck(_self: object, _query: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(SqliteStorage, "query", stuck)
    received = await server.post("sales", envelope(order()))
    found = received.fault()
    assert (received.status, found["code"], found["retry"]) == (500, "DeadlinePassed", "Later")


async def test_an_address_that_is_taken_is_told_by_the_name_of_the_setting(start: Start, folder: Path) -> None:
    running = await start()
    port = int(running.url.rpartition(":")[2])
    with pytest.raises(SettingsError, match="host, port: cannot listen"):
        async with server.listener.serving(load_settings(folder / CONFIG, port=port, admin_port=0), log=running.log):
            pass


async def test_sigterm_ends_a_server_after_its_drain(folder: Path, tmp_path: Path) -> None:
    settings = load_settings(folder / CONFIG, port=0, admin_port=0)
    with (tmp_path / "log").open("w+") as log:
        task = asyncio.create_task(server.listener.serve_until_told(settings, log=log))
        while not log.tell():  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await task
        log.seek(0)
        assert [json.loads(line)["event"] for line in log] == ["serving", "draining", "stopped"]


def test_ipv6_addresses_stand_in_brackets() -> None:
    listening = server.listener.bind("::1", 0, setting="host")
    with listening:
        assert server.listener.url_of(listening).startswith("http://[::1]:")
