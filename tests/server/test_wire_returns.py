"""Returns over TCP: a foreign client in both SOAP versions, the SDK, the command line and files."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from test_wire_zeep import client
from typer.testing import CliRunner
from wire import FIRM_CODE, Server, envelope

from containers import Container
from opendepot import DepotClient
from server.cli.main import app
from server.core import utc_now
from soap import Version


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def opened(server: Server, name: str) -> Container:
    return Container.open(server.folder / name, clock=utc_now, random=secrets.token_bytes)


def order_of(server: Server, version: str, quantity: int = 2) -> Any:
    sales = client(server, "sales", version, server.api_key)
    line = {"itemNumber": "EDITOR", "quantity": quantity}
    return sales.CreateOrder(transactionId=secrets.token_hex(4), orderLine=[line])


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_returns_a_licence_and_collects_it_elsewhere(server: Server, version: str) -> None:
    def cycle() -> None:
        depot, receipt = client(server, "depot", version), order_of(server, version)
        first, second = server.container("one.json"), server.container("two.json")
        update = depot.GetLicenseUpdate(ticket=receipt.ticket, context=first.context(FIRM_CODE)).update
        depot.ConfirmLicenseUpdate(receipt=first.import_update(update).receipt)
        overview = depot.GetTicket(ticket=[receipt.ticket])
        assert overview.license[0].action == ["Return"]
        answer = depot.ReturnLicense(
            ticket=receipt.ticket,
            license=[{"licenseId": receipt.license[0].licenseId, "remainder": {"quantity": 1}}],
            context=first.context(FIRM_CODE),
        )
        assert answer.state == "Done"
        assert depot.ConfirmLicenseUpdate(receipt=first.import_update(answer.update).receipt).state == "Confirmed"
        update = depot.GetLicenseUpdate(ticket=receipt.ticket, context=second.context(FIRM_CODE)).update
        second.import_update(update)
        assert [entry.quantity for entry in (*first.listing(FIRM_CODE), *second.listing(FIRM_CODE))] == [1, 1]

    await asyncio.to_thread(cycle)


@pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])
async def test_a_remainder_out_of_range_is_a_schema_violation(server: Server, version: Version) -> None:
    body = (
        '<ReturnLicense xmlns="urn:opendepot:depot:1"><ticket>00000-00000-00000-00000-00000</ticket><license>'
        "<licenseId>x</licenseId><remainder><quantity>-1</quantity></remainder></license><context>AA==</context>"
        "</ReturnLicense>"
    )
    received = await server.post("depot", envelope(body, version=version), version=version)
    assert received.fault()["path"] == "ReturnLicense/license/remainder/quantity"
    received = await server.post("depot", envelope(body.replace("-1", "0"), version=version), version=version)
    assert received.fault()["code"] == "ContextRefused"
    assert etree.QName(received.payload).localname == "Fault"


async def test_the_sdk_gives_back_and_the_command_line_too(server: Server) -> None:
    receipt = await asyncio.to_thread(order_of, server, "12")
    container = server.container("sdk.json")
    async with DepotClient(server.url) as depot:
        await depot.collect(receipt.ticket, container)
        (returned,) = await depot.give_back(receipt.ticket, container)
        assert (returned.confirmed, returned.listing) == (True, ())
        assert (await depot.get_ticket(receipt.ticket)).license[0].free == 2
        await depot.collect(receipt.ticket, container)
    path = server.folder / "sdk.json"
    said = await asyncio.to_thread(
        run, "give-back", "--url", server.url, "--ticket", receipt.ticket, "--container", path
    )
    assert said == f"firm code {FIRM_CODE}: 1 step(s) imported, confirmed\n"
    assert container.listing(FIRM_CODE) == ()


async def test_the_offline_way_by_files(server: Server, tmp_path: Path) -> None:
    receipt = await asyncio.to_thread(order_of, server, "12", 1)
    container = server.folder / "offline.json"
    trust = server.folder / "vendor-certificate.pem"
    context, update, proof = tmp_path / "a.rac.xml", tmp_path / "a.rau.xml", tmp_path / "b.rac.xml"
    online = ("--url", server.url, "--ticket", receipt.ticket, "--context", context, "--output", update)

    def walk() -> None:
        run("container", "create", container, "--trust", trust)
        for verb, held in (("collect", 1), ("give-back", 0)):
            run("container", "context", container, "--firm-code", str(FIRM_CODE), "--output", context)
            assert "Done" in run("offline", verb, *online)
            run("container", "import", container, update, "--receipt", proof)
            assert "Confirmed" in run("offline", "confirm", proof, "--url", server.url)
            assert len(opened(server, "offline.json").listing(FIRM_CODE)) == held
        run("container", "context", container, "--firm-code", str(FIRM_CODE), "--output", context)
        assert "NothingNew: there is no update file" in run("offline", "give-back", *online)

    await asyncio.to_thread(walk)
