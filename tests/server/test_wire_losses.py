"""Losses over TCP: a foreign client reports, support decides on the command line, and the SDK finds its way back."""

import asyncio
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
import zeep.exceptions
from test_wire_returns import opened, order_of, run
from test_wire_zeep import client
from wire import FIRM_CODE, Server

from opendepot import DepotClient, SupportNeeded
from server.cli.initialise import CONFIG


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_reports_a_loss_and_support_approves_it(server: Server, version: str) -> None:
    def cycle() -> None:
        depot, receipt = client(server, "depot", version), order_of(server, version, 1)
        container, config = server.container("lost.json"), server.folder / CONFIG
        update = depot.GetLicenseUpdate(ticket=receipt.ticket, context=container.context(FIRM_CODE)).update
        depot.ConfirmLicenseUpdate(receipt=container.import_update(update).receipt)
        report: dict[str, Any] = {"ticket": receipt.ticket, "serial": container.serial, "firmCode": FIRM_CODE}
        with pytest.raises(zeep.exceptions.Fault) as refused:
            depot.RestoreLicense(**{**report, "serial": "130-1"})
        assert b"ContainerUnknown" in zeep.wsdl.utils.etree_to_string(refused.value.detail)
        decision = depot.RestoreLicense(**report, reason="fell into a lake")
        assert decision.state == "ApprovalNeeded"
        assert decision.approvalId in run("approval", "list", "--config", config)
        (listed,) = json.loads(run("approval", "list", "--json", "--config", config))
        assert listed["reason"] == "fell into a lake"
        words = ("approval", "decide", decision.approvalId, "--approve", "--reason", "seen", "--config", config)
        assert run(*words) == "Lost\n"
        assert depot.RestoreLicense(**report).state == "Lost"
        assert depot.GetTicket(ticket=[receipt.ticket]).license[0].free == 1

    await asyncio.to_thread(cycle)


async def test_the_sdk_gives_up_what_a_found_container_holds_and_goes_on(server: Server) -> None:
    receipt = await asyncio.to_thread(order_of, server, "12", 1)
    container, config = server.container("found.json"), server.folder / CONFIG
    async with DepotClient(server.url) as depot:
        await depot.collect(receipt.ticket, container)
        decisions = await depot.report_lost(receipt.ticket, container.serial)
        assert decisions[FIRM_CODE].state == "ApprovalNeeded"
        with pytest.raises(LookupError, match="no licence of this ticket"):
            await depot.report_lost(receipt.ticket, "130-1")
        number = str(FIRM_CODE)
        words = ("container", "lost", container.serial, "--firm-code", number, "--reason", "r", "--config", config)
        await asyncio.to_thread(run, *words)
        said = await asyncio.to_thread(
            run, "report-lost", "--url", server.url, "--ticket", receipt.ticket, "--serial", container.serial
        )
        assert said == f"firm code {FIRM_CODE}: Lost\n"
        (collected,) = await depot.collect(receipt.ticket, container)
        assert [entry.quantity for entry in collected.listing] == [1], "given up, and collected anew"


async def test_support_accepts_a_copy_and_sees_its_history(server: Server, tmp_path: Path) -> None:
    receipt = await asyncio.to_thread(order_of, server, "12", 2)
    container, config = server.container("first.json"), server.folder / CONFIG
    async with DepotClient(server.url) as depot:
        await depot.collect(receipt.ticket, container)
        shutil.copy(server.folder / "first.json", server.folder / "second.json")
        copy = opened(server, "second.json")
        await depot.collect(receipt.ticket, container)
        with pytest.raises(SupportNeeded, match="Marked"):
            await depot.collect(receipt.ticket, copy)
        context, update = tmp_path / "a.rac.xml", tmp_path / "a.rau.xml"
        context.write_bytes(container.context(FIRM_CODE))
        here = (container.serial, "--firm-code", str(FIRM_CODE), "--reason", secrets.token_hex(2), "--config", config)
        said = await asyncio.to_thread(run, "container", "accept", *here, "--context", context, "--output", update)
        assert "is healing" in said
        (collected,) = await depot.collect(receipt.ticket, container)
        assert collected.confirmed
        for verb in ("block", "unblock"):
            words = ("container", verb, container.serial, "--reason", "r", "--config", config)
            await asyncio.to_thread(run, *words)
            if verb == "block":
                with pytest.raises(SupportNeeded, match="Blocked"):
                    await depot.collect(receipt.ticket, container)
    shown = await asyncio.to_thread(run, "container", "history", container.serial, "--config", config)
    assert "Accepted by cli:" in shown
    assert "Healed by container:" in shown
    (found,) = json.loads(
        await asyncio.to_thread(run, "container", "history", container.serial, "--json", "--config", config)
    )
    assert (found["mark"], found["holds"][0]["quantity"]) == ("ok", 2)
    assert {event["event"] for event in server.events() if event["level"] == "warning"} == {"container_marked"}
