"""Push over TCP: a foreign client asks by poll, the SDK follows, and a drain does not wait for those who wait."""

import asyncio
from typing import Any

import pytest
from test_wire_returns import order_of, run
from test_wire_zeep import client
from wire import FIRM_CODE, Server

from opendepot import DepotClient, SupportNeeded
from server.cli.initialise import CONFIG
from server.core import opened_core, utc_now
from server.settings import load_settings
from soap.messages import depot as messages
from storage.commands import LoadServer, RaiseEpoch
from storage.records import AuditRow


async def new_epoch(server: Server) -> None:
    """Make something to wait for: a new epoch brings every container a reset."""
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        view = await core.storage.query(LoadServer())
        assert view is not None
        audit = AuditRow(at=utc_now(), actor="test", action="NewEpoch", subject="server", details="{}")
        await core.storage.execute(RaiseEpoch(epoch=view.current_epoch + 1000, audit=audit))


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_asks_by_poll_and_by_context(server: Server, version: str) -> None:
    def cycle() -> None:
        depot, receipt = client(server, "depot", version), order_of(server, version, 1)
        container = server.container("push.json")
        assert depot.CheckForUpdates(statement=container.poll(FIRM_CODE)).state == "NothingNew"
        update = depot.GetLicenseUpdate(ticket=receipt.ticket, context=container.context(FIRM_CODE)).update
        opened = depot.GetOpenTransfers(statement=container.poll(FIRM_CODE))
        assert (opened.state, [step.kind for step in opened.step]) == ("Open", ["Reset"])
        assert opened.step[0].issuedAt.tzinfo is not None
        assert depot.CheckForUpdates(statement=container.poll(FIRM_CODE), wait={"seconds": 5}).state == "UpdateWaiting"
        assert depot.GetAutoUpdate(statement=container.poll(FIRM_CODE)).update == update
        depot.ConfirmLicenseUpdate(receipt=container.import_update(update).receipt)
        assert depot.GetAutoUpdate(statement=container.context(FIRM_CODE)).state == "NothingNew"
        assert depot.GetOpenTransfers(statement=container.poll(FIRM_CODE)).state == "None"

    await asyncio.to_thread(cycle)


async def test_a_statement_that_is_neither_is_refused_and_not_echoed(server: Server) -> None:
    for data in (b"CANARY", b"<poll>CANARY</poll>", b"<context/>"):
        async with DepotClient(server.url) as depot:
            with pytest.raises(Exception, match=r"Malformed|Invalid") as refused:
                await depot.check_for_updates(data)
        assert "CANARY" not in str(refused.value)


async def test_the_sdk_follows_resumes_and_ends_when_support_is_needed(server: Server) -> None:
    receipt = await asyncio.to_thread(order_of, server, "12", 1)
    container = server.container("follow.json")
    async with DepotClient(server.url) as depot:
        await depot.get_license_update(_collect(receipt.ticket, container.context(FIRM_CODE)))
        following = depot.follow(container, FIRM_CODE, wait_seconds=5)
        resumed = await anext(following)
        assert (resumed.applied, resumed.confirmed) == (1, True), "what was left open is finished first"
        waiting = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0.05)
        await new_epoch(server)
        changed = await asyncio.wait_for(waiting, 10)
        assert (changed.applied, len(changed.listing)) == (1, 1)
        words = ("container", "block", container.serial, "--reason", "r", "--config", server.folder / CONFIG)
        await asyncio.to_thread(run, *words)
        with pytest.raises(SupportNeeded, match="Blocked"):
            await asyncio.wait_for(anext(following), 10)
    said = await asyncio.to_thread(
        run, "container", "unblock", container.serial, "--reason", "r", "--config", server.folder / CONFIG
    )
    assert "not blocked" in said
    said = await asyncio.to_thread(run, "update", "--url", server.url, "--container", server.folder / "follow.json")
    assert said.startswith(f"firm code {FIRM_CODE}: 0 step(s) imported, confirmed")


def _collect(ticket: str, context: bytes) -> Any:
    return messages.GetLicenseUpdateRequest(ticket=ticket, context=context)


async def test_a_drain_answers_those_who_wait(start: Any) -> None:
    server = await start(drain_seconds=30)
    receipt = await asyncio.to_thread(order_of, server, "12", 1)
    container = server.container("drain.json")
    async with DepotClient(server.url, attempts=1, timeout_seconds=20) as depot:
        await depot.collect(receipt.ticket, container)
        waiting = asyncio.ensure_future(depot.check_for_updates(container.poll(FIRM_CODE), wait_seconds=50))
        await asyncio.sleep(0.2)
        server.up.application.stop_waiting()
        assert await asyncio.wait_for(waiting, 5) == "NothingNew"
