"""OZOMM on a computer of its own, whose Sales and Depot carry out what they are sent and answer too late, twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from crm import ADDRESS, DECIDES, Crm, listening, started
from extending import Deployment, Licensee, apart

from opendepot import FaultReceived
from server.errors import SettingsError

pytestmark = pytest.mark.slow

YEAR = timedelta(days=365)
SECONDS = 0.8
CONFIGURATION = f"""
patience_seconds = 5
central_seconds = {{seconds}}
lease_seconds = 60
first_retry_seconds = 0.1
most_retry_seconds = 0.2
mail = true
{DECIDES}
[[rules]]
items = ["BRIDGED"]
eligibility = "crm"
when_silent = "provisional"
provisional_item = "EDITOR-7D"
"""


@dataclass
class Slow:
    """Passes requests on at once, and answers to some operations only when nobody waits for them any more."""

    target: str = ""
    url: str = ""
    late: dict[str, int] = field(default_factory=dict)
    passed: list[tuple[str, int]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name in {"Authorization", "Content-Type"}}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.target + request.path, data=body, headers=headers) as response,
        ):
            answer, status, kind = await response.read(), response.status, response.headers["Content-Type"]
        operation = next((each for each in OPERATIONS if f"<m:{each} ".encode() in body), "")
        self.passed.append((operation, status))
        if self.late.get(operation, 0) > 0:
            self.late[operation] -= 1
            await asyncio.sleep(SECONDS * 2)
        return web.Response(body=answer, status=status, headers={"Content-Type": kind})


OPERATIONS = ("CreateOrder", "CancelOrder", "GetTicket", "GetLicenseUpdate")


@dataclass(kw_only=True)
class Scene:
    deployment: Deployment
    slow: Slow
    crm: Crm


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    crm, slow = Crm(), Slow()
    crm.answer = lambda _: {"eligible": True, "email": ADDRESS}
    asked = await started(crm)
    application = web.Application()
    application.router.add_post("/{path:.*}", slow.handle)
    runner, slow.url = await listening(application)
    configuration = CONFIGURATION.format(url=crm.url, seconds=SECONDS)
    async with apart(tmp_path / "depot", tmp_path / "ozomm", configuration, ozomm_central_url=slow.url) as deployment:
        slow.target = deployment.url
        yield Scene(deployment=deployment, slow=slow, crm=crm)
    await runner.cleanup()
    await asked.cleanup()


async def settled(scene: Scene, licensee: Licensee, name: str) -> None:
    """Ask for an extension and let it come to its end, which is when its mail is written."""
    before = len(licensee.mails(scene.crm))
    await licensee.extend(name, context=licensee.context())
    assert (await licensee.until("Extended", name)).reason == "Approved"
    async with asyncio.timeout(20):
        while len(licensee.mails(scene.crm)) == before:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)


async def test_what_sales_and_depot_answer_late_twice_is_done_once(scene: Scene) -> None:
    slow = scene.slow
    licensee = await scene.deployment.buys()
    end = licensee.ends()

    slow.late["CreateOrder"] = 2
    await settled(scene, licensee, "x-1")
    ordered = [status for operation, status in slow.passed if operation == "CreateOrder"]
    assert len(ordered) >= 3
    assert set(ordered) == {200}
    assert (licensee.orders(), await licensee.ends_centrally()) == (1, end + YEAR)

    slow.late["GetLicenseUpdate"] = 2
    await settled(scene, licensee, "x-2")
    assert (licensee.orders(), await licensee.ends_centrally()) == (2, end + 2 * YEAR)
    update = (await licensee.get("x-2", context=licensee.context())).update
    assert update is not None
    assert update.file is not None
    assert await licensee.imported(update.file) == "Confirmed"
    assert licensee.ends() == end + 2 * YEAR

    slow.late["GetTicket"] = 4  # twice for OZOMM, which the Depot asks twice
    with pytest.raises(FaultReceived) as refused:
        await licensee.extend("x-3")
    assert (refused.value.code, refused.value.retry) == ("CentralUnavailable", True)
    await settled(scene, licensee, "x-3")
    assert (licensee.orders(), await licensee.ends_centrally()) == (3, end + 3 * YEAR)
    assert licensee.mails(scene.crm) == ["mail.extended"] * 3
    assert len(licensee.asked(scene.crm)) == 3
    assert set(slow.late.values()) == {0}


async def test_a_provisional_order_and_its_withdrawal_answered_late_twice_are_done_once(scene: Scene) -> None:
    licensee = await scene.deployment.buys("BRIDGED")
    end = licensee.ends()
    scene.crm.answer = lambda _: 503
    scene.slow.late["CreateOrder"] = 2
    await licensee.extend()
    while (await licensee.get()).reason != "Provisional":  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0.05)
    assert (licensee.orders(), await licensee.ends_centrally()) == (1, end + timedelta(days=7))

    scene.slow.late["CancelOrder"] = 2
    scene.crm.answer = lambda _: {"eligible": True}
    await licensee.until("Extended")

    assert (licensee.orders(), await licensee.ends_centrally()) == (2, end + YEAR)
    assert set(scene.slow.late.values()) == {0}


async def test_a_lease_that_a_step_could_outlast_is_refused(tmp_path: Path) -> None:
    configuration = CONFIGURATION.format(url="http://127.0.0.1:9", seconds=15)
    with pytest.raises(SettingsError, match="lease_seconds must be more than 4 times central_seconds"):
        async with apart(tmp_path / "depot", tmp_path / "ozomm", configuration):
            pass
