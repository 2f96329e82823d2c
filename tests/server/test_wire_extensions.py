"""Extensions on the wire: a real CRM, real containers, OZOMM in the server's process and served apart, over SOAP.

One deployment of each kind serves all tests, each of which has a licensee of its own.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from crm import Crm, started
from extending import TESTING, Deployment, apart, in_one_process, stocked
from wire import FIRM_CODE

from opendepot import DepotClient, FaultReceived, SalesClient
from server.cli.initialise import CONFIG
from server.listener import serving
from server.settings import load_settings
from soap.messages import depot, sales

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

YEAR, WEEK = timedelta(days=365), timedelta(days=7)
EMAIL = "someone@example.com"

CONFIGURATION = """
patience_seconds = {patience}
lease_seconds = 70
first_retry_seconds = 0.1
mail = true

[sources.crm]
kind = "http"
url = "{url}/ask"
failures = 1000
read = {{ eligible = "eligible", item_number = "article", text = "text", email = "customer.email" }}
offers = {{ list = "offers", campaign = "id", item_number = "article", title = "title", text = "words", url = "link" }}

[[rules]]
items = ["EDITOR", "EDITOR-*"]
eligibility = "crm"
periods = {{ 30 = "EDITOR-30" }}

[[rules]]
items = ["BRIDGED"]
eligibility = "crm"
when_silent = "provisional"
provisional_item = "EDITOR-7D"

[[rules]]
items = ["STRICT"]
eligibility = "crm"
when_silent = "refuse"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crm() -> AsyncIterator[Crm]:
    found = Crm()
    runner = await started(found)
    yield found
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["in one process", "apart"])
async def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, crm: Crm
) -> AsyncIterator[Deployment]:
    place, configuration = tmp_path_factory.mktemp("deployment"), CONFIGURATION.format(url=crm.url, patience=20)
    if request.param == "apart":
        made = apart(place / "depot", place / "ozomm", configuration)
    else:
        made = in_one_process(place / "depot", configuration)
    async with made as deployment:
        yield deployment


async def test_a_ticket_is_checked_extended_collected_and_told(deployment: Deployment, crm: Crm) -> None:
    licensee = await deployment.buys()
    crm.answers[licensee.ticket] = lambda _: {
        "eligible": "yes",
        "text": "Schön, dass Sie bleiben.",
        "customer": {"email": EMAIL, "name": "Someone"},
        "offers": [
            {"id": "spring", "article": "PLUGIN", "title": "Plug-in", "words": "Half price", "link": "https://x"}
        ],
    }
    before = licensee.ends()

    answer = await licensee.extend(context=licensee.context(), language="de-AT")

    assert (answer.state, answer.reason, answer.text) == ("Extended", "Approved", "Schön, dass Sie bleiben.")
    assert answer.license[0].expiration is not None
    assert answer.license[0].expiration.time == before + YEAR
    assert answer.update is not None
    assert answer.update.state == "Done"
    assert answer.update.file is not None
    assert [(each.offer_id, each.item_number, each.url) for each in answer.offer] == [("spring", "PLUGIN", "https://x")]
    assert await licensee.imported(answer.update.file) == "Confirmed"
    assert licensee.ends() == before + YEAR
    assert licensee.mails(crm) == ["mail.extended"]
    (question,) = licensee.asked(crm)
    assert (question["item_number"], question["language"]) == ("EDITOR", "de-AT")


async def test_the_same_request_again_extends_once_and_gives_the_file_again(deployment: Deployment, crm: Crm) -> None:
    licensee = await deployment.buys()
    before, context = licensee.ends(), licensee.context()

    answers = await asyncio.gather(*(licensee.extend(context=context) for _ in range(4)))
    answers.append(await licensee.extend(context=context))

    assert {(each.state, each.license[0].expiration.time) for each in answers} == {("Extended", before + YEAR)}  # type: ignore[union-attr]
    assert len({each.update.file for each in answers}) == 1  # type: ignore[union-attr]
    assert (licensee.orders(), len(licensee.asked(crm))) == (1, 1)
    with pytest.raises(FaultReceived) as refused:
        await licensee.extend(period=depot.WishedPeriod(days=30))
    assert refused.value.code == "TransactionConflict"


async def test_a_slow_crm_makes_it_pending_and_a_fresh_context_collects_it(tmp_path: Path, crm: Crm) -> None:
    go = asyncio.Event()

    async def slowly() -> Any:
        await go.wait()
        return {"eligible": True}

    async with in_one_process(tmp_path / "depot", CONFIGURATION.format(url=crm.url, patience=0.2)) as deployment:
        licensee = await deployment.buys()
        crm.answers[licensee.ticket] = lambda _: slowly()
        before = licensee.ends()
        answer = await licensee.extend(context=licensee.context(), language="fr")
        assert (answer.state, answer.reason, answer.update) == ("Pending", "Waiting", None)
        assert answer.retry_after is not None
        assert answer.text.startswith("Votre demande")

        go.set()
        await licensee.until("Extended")
        found = await licensee.get(context=licensee.context())

        assert found.update is not None
        assert found.update.file is not None
        licensee.container.import_update(found.update.file)
        assert licensee.ends() == before + YEAR
        assert licensee.orders() == 1


async def test_who_is_not_eligible_is_told_why(deployment: Deployment, crm: Crm) -> None:
    licensee = await deployment.buys()
    crm.answers[licensee.ticket] = lambda _: {
        "eligible": False,
        "text": "Please pay first.",
        "customer": {"email": EMAIL},
    }

    answer = await licensee.extend(context=licensee.context())

    assert (answer.state, answer.reason, answer.text) == ("Refused", "NotEligible", "Please pay first.")
    assert answer.update is None
    assert (licensee.orders(), licensee.mails(crm)) == (0, ["mail.refused"])


@pytest.mark.parametrize("eligible", [True, False])
async def test_a_provisional_extension_is_confirmed_or_withdrawn_by_the_late_answer(
    deployment: Deployment, crm: Crm, eligible: bool
) -> None:
    licensee = await deployment.buys("BRIDGED")
    crm.answers[licensee.ticket] = lambda _: 503
    before = licensee.ends()

    answer = await licensee.extend(context=licensee.context())
    assert (answer.state, answer.reason) == ("Pending", "Provisional")
    assert answer.update is not None
    assert answer.update.file is not None
    licensee.container.import_update(answer.update.file)
    assert licensee.ends() == before + WEEK

    crm.answers[licensee.ticket] = lambda _: {"eligible": eligible, "customer": {"email": EMAIL}}
    await licensee.until("Extended" if eligible else "Refused")

    assert await licensee.ends_centrally() == (before + YEAR if eligible else before)
    found = await licensee.get(context=licensee.context())
    assert (found.update is not None) is eligible
    async with DepotClient(deployment.url) as client:
        await client.update(licensee.container, FIRM_CODE)
    assert licensee.ends() == (before + YEAR if eligible else before)
    assert licensee.mails(crm) == ["mail.extended" if eligible else "mail.withdrawn"]


async def test_a_silent_crm_is_refused_where_the_policy_says_so(deployment: Deployment, crm: Crm) -> None:
    licensee = await deployment.buys("STRICT")
    crm.answers[licensee.ticket] = lambda _: 500

    answer = await licensee.extend()

    assert (answer.state, answer.reason) == ("Refused", "NoAnswer")
    assert licensee.orders() == 0


async def test_the_crm_or_a_wish_chooses_the_item(deployment: Deployment, crm: Crm) -> None:
    licensee = await deployment.buys()
    before = await licensee.ends_centrally()

    assert (await licensee.extend("w-1", period=depot.WishedPeriod(days=30))).state == "Extended"
    assert await licensee.ends_centrally() == before + timedelta(days=30)
    refused = await licensee.extend("w-2", period=depot.WishedPeriod(days=31))
    assert (refused.state, refused.reason) == ("Refused", "NotOffered")
    crm.answers[licensee.ticket] = lambda _: {"eligible": True, "article": "EDITOR-7D"}
    assert (await licensee.extend("w-3")).state == "Extended"
    assert await licensee.ends_centrally() == before + timedelta(days=37)


async def test_wished_pieces_become_a_licence_of_their_own(deployment: Deployment) -> None:
    licensee = await deployment.buys()

    answer = await licensee.extend(pieces=depot.WishedPieces(quantity=3), context=licensee.context())

    assert answer.state == "Extended"
    async with DepotClient(deployment.url) as client:
        licenses = (await client.get_ticket(licensee.ticket)).license
    assert sorted(each.quantity for each in licenses) == [1, 2]
    assert {each.license_id for each in answer.license} == {each.license_id for each in licenses}


async def test_what_cannot_be_named_or_extended_is_refused(deployment: Deployment, crm: Crm) -> None:
    licensee, asked = await deployment.buys(), len(crm.asked)
    for name, values, code in (
        ("n-1", {"ticket": "0" * 25}, "TicketUnknown"),
        ("n-2", {"license": (depot.ExtendedLicense(license_id="nothing"),)}, "LicenseUnknown"),
    ):
        with pytest.raises(FaultReceived) as refused:
            await licensee.extend(name, **values)
        assert refused.value.code == code
    with pytest.raises(FaultReceived) as refused:
        await licensee.get("never")
    assert refused.value.code == "ExtensionUnknown"
    async with SalesClient(deployment.url, api_key=deployment.api_key) as shop:
        receipt = await shop.create_order(
            sales.CreateOrderRequest(
                transaction_id="for-ever", order_line=(sales.OrderLine(item_number="PLUGIN", quantity=1),)
            )
        )
    answer = await licensee.extend("n-3", ticket=receipt.ticket)
    assert (answer.state, answer.reason) == ("Refused", "NothingToExtend")
    assert len(crm.asked) == asked


async def test_a_depot_whose_ozomm_is_away_says_later(tmp_path: Path) -> None:
    folder, log = tmp_path / "depot", io.StringIO()
    api_key = await stocked(folder)
    settings = load_settings(folder / CONFIG, **TESTING, ozomm_url="http://127.0.0.1:9")
    async with serving(settings, log=log) as up:
        deployment = Deployment(
            url=up.url, api_key=api_key, folder=folder, ozomm_url="", ozomm_folder=folder, log=log, ozomm_log=log
        )
        licensee = await deployment.buys()
        with pytest.raises(FaultReceived) as refused:
            await licensee.extend()
    assert (refused.value.code, refused.value.retry) == ("CentralUnavailable", True)
    assert '"ozomm_unavailable"' in log.getvalue()
