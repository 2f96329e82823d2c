"""The whole way of an extension on the wire: a real CRM, a real container, in one process and with OZOMM in its own."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crm import Crm, started
from wire import FIRM_CODE, Server, Start, initialise_in_thread

from opendepot import Container, DepotClient, FaultReceived, OzommClient, SalesClient
from server.app import opened_core
from server.cli.initialise import CONFIG
from server.settings import load_settings
from soap.messages import depot, ozomm, sales

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]

YEAR = timedelta(days=365)
WEEK = timedelta(days=7)

CONFIGURATION = """
patience_seconds = {patience}
lease_seconds = 70
first_retry_seconds = {retry}
mail = true

[sources.crm]
kind = "http"
url = "{url}/ask"
seconds = {seconds}
failures = 1000
read = {{ eligible = "eligible", item_number = "article", text = "text", email = "customer.email" }}
offers = {{ list = "offers", campaign = "id", item_number = "article", title = "title", text = "words", url = "link" }}

[[rules]]
items = ["EDITOR*"]
eligibility = "crm"
when_silent = "{silence}"
{more}
"""


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    found = Crm()
    runner = await started(found)
    yield found
    await runner.cleanup()


def configured(
    folder: Path, crm: Crm, *, silence: str = "queue", patience: float = 5, retry: float = 0.1, **more: Any
) -> Path:
    path = folder / "ozomm.toml"
    lines = [more["lines"]] if "lines" in more else []
    if silence == "provisional":
        lines.append('provisional_item = "EDITOR-7D"')
    path.write_text(
        CONFIGURATION.format(
            url=crm.url,
            silence=silence,
            patience=patience,
            retry=retry,
            seconds=more.get("seconds", 5),
            more="\n".join(lines),
        )
    )
    return path


async def more_items(server: Server) -> None:
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        for number, options in (("EDITOR-7D", ("expirationTime=add:7d",)), ("EDITOR-30", ("expirationTime=add:30d",))):
            await core.catalogue.add_item(item_number=number, firm_code=FIRM_CODE, product_code=100, options=options)


class Deployment:
    """A server whose Depot an application speaks to; `ozomm_url` is where OZOMM answers."""

    def __init__(self, server: Server, ozomm_url: str, ozomm_folder: Path) -> None:
        self.server = server
        self.ozomm_url = ozomm_url
        self.ozomm_database = ozomm_folder / "opendepot.sqlite3"
        self.container: Container = server.container()
        self.ticket = ""

    async def bought(self, **customer: Any) -> sales.OrderReceipt:
        async with SalesClient(self.server.url, api_key=self.server.api_key) as shop:
            receipt = await shop.create_order(
                sales.CreateOrderRequest(
                    transaction_id="t-1",
                    customer=sales.Customer(name="Someone", **customer) if customer else None,
                    order_line=(sales.OrderLine(item_number="EDITOR", quantity=1),),
                )
            )
        self.ticket = receipt.ticket
        async with DepotClient(self.server.url) as licensee:
            await licensee.collect(receipt.ticket, self.container)
        return receipt

    def ends(self) -> datetime:
        """When the container's licence ends."""
        (entry,) = self.container.listing(FIRM_CODE)
        assert entry.options.expiration_time is not None
        return entry.options.expiration_time

    async def ends_centrally(self) -> datetime:
        async with DepotClient(self.server.url) as licensee:
            (license_,) = (await licensee.get_ticket(self.ticket)).license
        assert license_.expiration is not None
        return license_.expiration.time

    def request(self, name: str = "x-1", **values: Any) -> dict[str, Any]:
        return {"transaction_id": name, "ticket": self.ticket, **values}

    def context(self) -> bytes:
        return self.container.context(FIRM_CODE)

    async def extend(self, name: str = "x-1", *, context: bytes | None = None, **values: Any) -> depot.Extension:
        """Ask the Depot, which passes it on."""
        async with DepotClient(self.server.url, attempts=1) as client:
            message = depot.ExtendLicenseRequest(
                **self.request(name, **values),
                context=None if context is None else depot.ContainerContext(file=context),
            )
            answer: depot.ExtendLicenseAnswer = await client.call("ExtendLicense", message)
        return answer.extension

    async def get(self, name: str = "x-1", *, context: bytes | None = None) -> ozomm.Extension:
        """Ask OZOMM at its own address."""
        async with OzommClient(self.ozomm_url, attempts=1) as client:
            return await client.get_extension(
                ozomm.GetExtensionRequest(
                    **self.request(name), context=None if context is None else ozomm.ContainerContext(file=context)
                )
            )

    async def until(self, state: str, name: str = "x-1") -> ozomm.Extension:
        for _ in range(400):
            found = await self.get(name)
            if found.state == state:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"it is still {found}")

    def mails(self) -> list[str]:
        with closing(sqlite3.connect(self.ozomm_database)) as db:
            return [
                kind for (kind,) in db.execute("SELECT kind FROM outbox WHERE channel = 'mail' ORDER BY message_id")
            ]

    def orders(self) -> int:
        with closing(sqlite3.connect(self.server.folder / "opendepot.sqlite3")) as db:
            return int(db.execute("SELECT count(*) FROM orders WHERE transaction_id LIKE 'ozomm-%'").fetchone()[0])


@pytest.fixture(params=["in one process", "in its own"])
async def deploy(request: pytest.FixtureRequest, start: Start, folder: Path, tmp_path: Path, crm: Crm) -> Any:
    async def run(**values: Any) -> Deployment:
        if request.param == "in one process":
            server = await start(ozomm_file=configured(folder, crm, **values))
            await more_items(server)
            return Deployment(server, server.url, folder)
        # OZOMM has keys, a database and a configuration of its own, and an API key of the central's.
        place = tmp_path / "ozomm"
        initialise_in_thread(place)
        async with opened_core(load_settings(folder / CONFIG)) as core:
            _, api_key = await core.catalogue.add_shop("the-ozomm", rights=("order", "extend-any"))
        secret = place / "secrets" / "api-key"
        secret.write_text(api_key)
        secret.chmod(0o600)
        # The central must be told where OZOMM is before either is up: it takes a port that is free now.
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        server = await start(ozomm_url=f"http://127.0.0.1:{port}", services=("sales", "depot"))
        await more_items(server)
        other = load_settings(
            place / CONFIG,
            port=port,
            admin_port=0,
            validate_answers=True,
            services=("ozomm",),
            ozomm_file=configured(place, crm, **values),
            ozomm_central_url=server.url,
            ozomm_api_key_file=secret,
        )
        await start.also(other)  # type: ignore[attr-defined]
        return Deployment(server, f"http://127.0.0.1:{port}", place)

    return run


async def test_a_ticket_is_checked_extended_collected_and_told(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy()
    crm.answer = lambda _: {
        "eligible": "yes",
        "text": "Schön, dass Sie bleiben.",
        "customer": {"email": "someone@example.com", "name": "Someone"},
        "offers": [
            {"id": "spring", "article": "PLUGIN", "title": "Plug-in", "words": "Half price", "link": "https://x"}
        ],
    }
    await world.bought()
    before = world.ends()

    answer = await world.extend(context=world.context(), language="de-AT")

    assert (answer.state, answer.reason, answer.text) == ("Extended", "Approved", "Schön, dass Sie bleiben.")
    assert answer.license[0].expiration is not None
    assert answer.license[0].expiration.time == before + YEAR
    assert answer.update is not None
    assert answer.update.state == "Done"
    assert answer.update.file is not None
    assert [(each.offer_id, each.item_number, each.url) for each in answer.offer] == [("spring", "PLUGIN", "https://x")]
    receipt = world.container.import_update(answer.update.file).receipt
    async with DepotClient(world.server.url) as licensee:
        assert (await licensee.confirm_license_update(receipt)).state == "Confirmed"
    assert world.ends() == before + YEAR
    assert world.mails() == ["mail.extended"]
    (question,) = crm.asked
    assert (question["ticket"], question["item_number"], question["language"]) == (world.ticket, "EDITOR", "de-AT")


async def test_the_same_request_again_extends_once_and_gives_the_file_again(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy()
    await world.bought()
    before, context = world.ends(), world.context()

    answers = await asyncio.gather(*(world.extend(context=context) for _ in range(4)))
    answers.append(await world.extend(context=context))

    assert {(each.state, each.license[0].expiration.time) for each in answers} == {("Extended", before + YEAR)}
    assert len({each.update.file for each in answers}) == 1
    assert (world.orders(), len(crm.asked)) == (1, 1)
    with pytest.raises(FaultReceived) as refused:
        await world.extend(period=depot.WishedPeriod(days=30))
    assert refused.value.code == "TransactionConflict"


async def test_a_slow_crm_makes_it_pending_and_a_fresh_context_collects_it(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy(patience=0.2)
    go = asyncio.Event()

    async def slowly() -> Any:
        await go.wait()
        return {"eligible": True}

    crm.answer = lambda _: slowly()
    await world.bought()
    before = world.ends()
    answer = await world.extend(context=world.context(), language="fr")
    assert (answer.state, answer.reason, answer.update) == ("Pending", "Waiting", None)
    assert answer.retry_after is not None
    assert answer.text.startswith("Votre demande")

    go.set()
    await world.until("Extended")
    found = await world.get(context=world.context())

    assert found.update is not None
    assert found.update.file is not None
    world.container.import_update(found.update.file)
    assert world.ends() == before + YEAR
    assert world.orders() == 1


async def test_who_is_not_eligible_is_told_why(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy()
    crm.answer = lambda _: {"eligible": False, "text": "Please pay first.", "customer": {"email": "s@example.com"}}
    await world.bought()

    answer = await world.extend(context=world.context())

    assert (answer.state, answer.reason, answer.text, answer.update) == (
        "Refused",
        "NotEligible",
        "Please pay first.",
        None,
    )
    assert (world.orders(), world.mails()) == (0, ["mail.refused"])


@pytest.mark.parametrize("eligible", [True, False])
async def test_a_provisional_extension_is_confirmed_or_withdrawn_by_the_late_answer(
    deploy: Any, crm: Crm, eligible: bool
) -> None:
    world: Deployment = await deploy(silence="provisional")
    crm.answer = lambda _: 503
    await world.bought()
    before = world.ends()

    answer = await world.extend(context=world.context())
    assert (answer.state, answer.reason) == ("Pending", "Provisional")
    assert answer.update is not None
    assert answer.update.file is not None
    world.container.import_update(answer.update.file)
    assert world.ends() == before + WEEK

    crm.answer = lambda _: {"eligible": eligible, "customer": {"email": "s@example.com"}}
    await world.until("Extended" if eligible else "Refused")

    assert await world.ends_centrally() == (before + YEAR if eligible else before)
    found = await world.get(context=world.context())
    assert (found.update is not None) is eligible
    async with DepotClient(world.server.url) as licensee:
        await licensee.update(world.container, FIRM_CODE)
    assert world.ends() == (before + YEAR if eligible else before)
    assert world.mails() == ["mail.extended" if eligible else "mail.withdrawn"]


async def test_a_silent_crm_is_refused_where_the_policy_says_so(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy(silence="refuse")
    crm.answer = lambda _: 500
    await world.bought()

    answer = await world.extend()

    assert (answer.state, answer.reason) == ("Refused", "NoAnswer")
    assert world.orders() == 0


async def test_the_crm_or_a_wish_chooses_the_item(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy(lines='periods = { 30 = "EDITOR-30" }')
    await world.bought()
    before = await world.ends_centrally()

    assert (await world.extend("w-1", period=depot.WishedPeriod(days=30))).state == "Extended"
    assert await world.ends_centrally() == before + timedelta(days=30)
    refused = await world.extend("w-2", period=depot.WishedPeriod(days=31))
    assert (refused.state, refused.reason) == ("Refused", "NotOffered")
    crm.answer = lambda _: {"eligible": True, "article": "EDITOR-7D"}
    assert (await world.extend("w-3")).state == "Extended"
    assert await world.ends_centrally() == before + timedelta(days=37)


async def test_wished_pieces_become_a_licence_of_their_own(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy()
    await world.bought()

    answer = await world.extend(pieces=depot.WishedPieces(quantity=3), context=world.context())

    assert answer.state == "Extended"
    async with DepotClient(world.server.url) as licensee:
        licenses = (await licensee.get_ticket(world.ticket)).license
    assert sorted(each.quantity for each in licenses) == [1, 2]
    assert {each.license_id for each in answer.license} == {each.license_id for each in licenses}


async def test_what_cannot_be_named_or_extended_is_refused(deploy: Any, crm: Crm) -> None:
    world: Deployment = await deploy()
    await world.bought()
    for name, values, code in (
        ("n-1", {"ticket": "0" * 25}, "TicketUnknown"),
        ("n-2", {"license": (depot.ExtendedLicense(license_id="nothing"),)}, "LicenseUnknown"),
    ):
        with pytest.raises(FaultReceived) as refused:
            await world.extend(name, **values)
        assert refused.value.code == code
    with pytest.raises(FaultReceived) as refused:
        await world.get("never")
    assert refused.value.code == "ExtensionUnknown"
    async with SalesClient(world.server.url, api_key=world.server.api_key) as shop:
        receipt = await shop.create_order(
            sales.CreateOrderRequest(
                transaction_id="t-2", order_line=(sales.OrderLine(item_number="PLUGIN", quantity=1),)
            )
        )
    answer = await world.extend("n-3", ticket=receipt.ticket)
    assert (answer.state, answer.reason) == ("Refused", "NothingToExtend")
    assert crm.asked == []


async def test_a_depot_whose_ozomm_is_away_says_later(start: Start, folder: Path) -> None:
    world = Deployment(await start(ozomm_url="http://127.0.0.1:9"), "", folder)
    await world.bought()

    with pytest.raises(FaultReceived) as refused:
        await world.extend()

    assert (refused.value.code, refused.value.retry) == ("CentralUnavailable", True)
