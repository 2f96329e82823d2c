"""The whole way of an extension, every part of it real.

A CRM over HTTP that believes only OAuth2 and a signature, an SMTP server with TLS and login, containers, Sales and
Depot on the wire; OZOMM in the server's process, and in a process of its own that speaks Sales and Depot over SOAP.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from crm import Crm, started
from extending import EVENTS, PRODUCT_CODE, Deployment, Licensee, apart, in_one_process
from smtp_receiver import PASSWORD, USER, Arrived, SmtpReceiver, made_certificate, smtp_started
from wire import FIRM_CODE

from opendepot import Licence
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.operating.doctor import inspect
from server.settings import load_settings

pytestmark = pytest.mark.slow

YEAR, HOUR = timedelta(days=365), timedelta(hours=1)
SECRET = bytes(range(32))
CLIENT, CLIENT_SECRET = "opendepot", "correct horse staple"
LINK = "https://shop.example.com/plugin"
WILLING, UNWILLING = "willing@example.com", "unwilling@example.com"

CONFIGURATION = """
patience_seconds = 2
lease_seconds = 70
first_retry_seconds = 0.2
most_retry_seconds = 0.5

[sources.crm]
kind = "http"
url = "{url}/ask"
seconds = 30
failures = 1000
hmac_secret_file = "secrets/crm-hmac"
yes = ["active"]

[sources.crm.oauth2]
token_url = "{url}/token"
client_id = "opendepot"
client_secret_file = "secrets/crm-client"
scope = "renewals"

[sources.crm.send]
ticket = "ticket"
extension_id = "extension_id"
"license.article" = "item_number"
"license.ends" = "expires_at"
speaks = "language"

[sources.crm.read]
eligible = "contract.status"
text = "contract.message"
email = "contact.mail"
name = "contact.name"

[sources.crm.offers]
list = "offers"
campaign = "id"
item_number = "article"
title = "title"
text = "words"
url = "link"

[[rules]]
items = ["EDITOR-2D"]
eligibility = "crm"
extend_with = "EDITOR"

[[rules]]
items = ["STRICT-2D"]
eligibility = "crm"
extend_with = "STRICT"
when_silent = "refuse"
"""


@dataclass
class ProvenCrm(Crm):
    """Answers only who brings a token that it gave, and has signed the body with the secret that both know."""

    unproven: int = 0
    given: set[str] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        signed = f"{request.headers.get('webhook-id')}.{request.headers.get('webhook-timestamp')}.".encode() + body
        proof = "v1," + base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
        if token not in self.given or request.headers.get("webhook-signature") != proof:
            self.unproven += 1
            return web.Response(status=401)
        assert request.headers["Idempotency-Key"] == json.loads(body)["extension_id"]
        return await super().handle(request)

    async def token(self, request: web.Request) -> web.StreamResponse:
        expected = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.Response(status=401)
        answer = await super().token(request)
        self.given.add(f"token-{len(self.tokens)}")
        return answer


@dataclass(kw_only=True)
class Scene:
    """All parts, at work."""

    deployment: Deployment
    crm: ProvenCrm
    smtp: SmtpReceiver
    own_process: bool

    def events(self) -> list[dict[str, Any]]:
        """What the server of Sales and Depot has told."""
        return [json.loads(line) for line in self.deployment.log.getvalue().splitlines()]

    def told(self) -> str:
        """All that was told, wherever OZOMM runs."""
        own = self.deployment.ozomm_folder / EVENTS
        return self.deployment.log.getvalue() + (own.read_text() if own.exists() else "")

    def mails_to(self, address: str) -> list[Arrived]:
        return [each for each in self.smtp.arrived if each.recipients == [address]]

    async def mailed(self, address: str, count: int = 1) -> list[Arrived]:
        """Wait until so many mails to an address have been handed over, and give them."""
        async with asyncio.timeout(30), self.smtp.came:
            await self.smtp.came.wait_for(lambda: len(self.mails_to(address)) >= count)
        return self.mails_to(address)


@pytest.fixture
async def crm() -> AsyncIterator[ProvenCrm]:
    found = ProvenCrm()
    runner = await started(found)
    yield found
    await runner.cleanup()


@pytest.fixture(params=["in the server's process", "in a process of its own"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path, crm: ProvenCrm) -> AsyncIterator[Scene]:
    authorities, tls = made_certificate(tmp_path)
    folder, place = tmp_path / "depot", tmp_path / "ozomm"
    own_process = request.param == "in a process of its own"
    ozomm_folder = place if own_process else folder
    async with smtp_started(SmtpReceiver(), starttls=tls) as smtp:
        settings = {
            "public_url": "https://licences.example.com",
            "mail_server": "127.0.0.1",
            "mail_port": smtp.port,
            "mail_from": "Example Ltd <licences@example.com>",
            "mail_authorities_file": str(authorities),
            "mail_user": USER,
            "mail_password_file": str(ozomm_folder / "secrets" / "smtp"),
        }
        secrets_of = {
            "smtp": PASSWORD,
            "crm-client": CLIENT_SECRET,
            "crm-hmac": f"whsec_{base64.b64encode(SECRET).decode()}",
        }
        configuration = CONFIGURATION.format(url=crm.url)
        if own_process:
            made = apart(folder, place, configuration, secrets_of=secrets_of, process=True, **settings)
        else:
            made = in_one_process(folder, configuration, secrets_of=secrets_of, **settings)
        async with made as deployment:
            yield Scene(deployment=deployment, crm=crm, smtp=smtp, own_process=own_process)
        await all_is_well(folder, ozomm_folder)


async def all_is_well(*folders: Path) -> None:
    """`doctor --deep` finds nothing wrong with the data, of either computer."""
    for folder in {*folders}:
        report = await inspect(load_settings(folder / CONFIG), deep=True)
        checked = [each for each in report.findings if each.invariant is not None]
        assert len(checked) >= 10
        assert [each for each in checked if each.count] == []


def checked(licensee: Licensee, at: datetime) -> tuple[str, datetime | None]:
    """What the application's own check of its licence says at a time: the reason, and when the licence ends."""
    licence = Licence(licensee.container, firm_code=FIRM_CODE, product_code=PRODUCT_CODE, clock=lambda: at)
    found = licence.check()
    return found.reason, found.until


def says(status: str, *, mail: str, message: str | None = None) -> dict[str, Any]:
    """An answer of this CRM, with an offer."""
    return {
        "contract": {"status": status, "message": message},
        "contact": {"mail": mail, "name": "Ada Lovelace"},
        "offers": [{"id": "stay", "article": "PLUGIN", "title": "Zusatz", "words": "Zum halben Preis.", "link": LINK}],
    }


async def test_a_licence_near_its_end_is_extended_by_the_whole_way(scene: Scene) -> None:
    async with opened_core(load_settings(scene.deployment.ozomm_folder / CONFIG)) as core:
        await core.addresses.record_consent(WILLING, source="shop", actor="cli")
    await extended_imported_and_confirmed(scene)
    await asyncio.gather(
        pending_then_collected_with_a_fresh_context(scene),
        refused_in_the_customers_language(scene),
        a_crm_that_is_down_is_handled_by_policy(scene),
    )
    await offers_are_mailed_to_who_agreed_under_one_message_id(scene)
    assert (scene.crm.unproven, len(scene.crm.tokens)) == (0, 1)
    told = scene.told()
    assert "extension_step" in told
    for secret in (WILLING, UNWILLING, "Lovelace", PASSWORD, CLIENT_SECRET, "token-1", *scene.crm.answers):
        assert secret not in told


async def extended_imported_and_confirmed(scene: Scene) -> None:
    licensee = await scene.deployment.buys("EDITOR-2D")
    scene.crm.answers[licensee.ticket] = lambda _: says("active", mail=WILLING)
    scene.smtp.data = lambda mail: "451 4.3.0 later" if scene.mails_to(WILLING) == [mail] else "250 2.0.0 taken"
    end = licensee.ends()
    assert checked(licensee, end - HOUR) == ("Held", end)
    assert checked(licensee, end) == ("Expired", end)

    answer = await licensee.extend(context=licensee.context(), language="de")

    assert (answer.state, answer.reason, answer.text) == ("Extended", "Approved", "Ihre Lizenz wurde verlängert.")
    assert [(each.offer_id, each.title, each.url) for each in answer.offer] == [("stay", "Zusatz", LINK)]
    (question,) = licensee.asked(scene.crm)
    assert (question["license"]["article"], question["speaks"]) == ("EDITOR-2D", "de")
    assert datetime.fromisoformat(question["license"]["ends"]) == end
    assert answer.update is not None
    assert answer.update.file is not None
    assert await licensee.imported(answer.update.file) == "Confirmed"
    assert checked(licensee, end) == ("Held", end + YEAR)
    assert await licensee.ends_centrally() == end + YEAR
    assert licensee.orders() == 1
    exchanged = {
        (event["service"], event["operation"], event["shop"])
        for event in scene.events()
        if event["event"] == "exchange"
    }
    over_soap = {("Sales", "CreateOrder", "the-ozomm"), ("Depot", "GetLicenseUpdate", None)}
    assert ("Depot", "ExtendLicense", None) in exchanged
    assert (over_soap <= exchanged) is scene.own_process


async def pending_then_collected_with_a_fresh_context(scene: Scene) -> None:
    licensee, go = await scene.deployment.buys("EDITOR-2D"), asyncio.Event()

    async def slowly() -> dict[str, Any]:
        await go.wait()
        return says("active", mail="slow@example.com")

    scene.crm.answers[licensee.ticket] = lambda _: slowly()
    end = licensee.ends()
    answer = await licensee.extend(context=licensee.context(), language="fr")
    assert (answer.state, answer.reason, answer.update) == ("Pending", "Waiting", None)
    assert answer.text.startswith("Votre demande est en cours")
    assert answer.retry_after is not None

    go.set()
    await licensee.until("Extended")
    found = await licensee.get_by_depot(context=licensee.context())

    assert found.update is not None
    assert found.update.file is not None
    assert await licensee.imported(found.update.file) == "Confirmed"
    assert checked(licensee, end) == ("Held", end + YEAR)
    assert (licensee.orders(), len(licensee.asked(scene.crm))) == (1, 1)
    await scene.mailed("slow@example.com")


async def refused_in_the_customers_language(scene: Scene) -> None:
    ours = "Votre licence ne peut pas être prolongée. Veuillez contacter l'éditeur."
    for language, message in (("de", "Bitte begleichen Sie zuerst Ihre Rechnung."), ("fr", None)):
        licensee = await scene.deployment.buys("EDITOR-2D")
        said = says("unpaid", mail=f"{language}@example.com", message=message)
        scene.crm.answers[licensee.ticket] = lambda _, said=said: said
        end = licensee.ends()

        answer = await licensee.extend(context=licensee.context(), language=language)

        assert (answer.state, answer.reason, answer.text) == ("Refused", "NotEligible", message or ours)
        assert (answer.update, licensee.orders(), await licensee.ends_centrally()) == (None, 0, end)
        (mail,) = await scene.mailed(f"{language}@example.com")
        content = mail.message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert (message or ours) in content


async def a_crm_that_is_down_is_handled_by_policy(scene: Scene) -> None:
    queued, strict = await scene.deployment.buys("EDITOR-2D"), await scene.deployment.buys("STRICT-2D")
    scene.crm.answers[queued.ticket] = scene.crm.answers[strict.ticket] = lambda _: 503

    answers = [await strict.extend(), await queued.extend()]

    assert [(each.state, each.reason) for each in answers] == [("Refused", "NoAnswer"), ("Pending", "Waiting")]
    scene.crm.answers[queued.ticket] = lambda _: says("active", mail="queued@example.com")
    await queued.until("Extended")
    assert (queued.orders(), strict.orders()) == (1, 0)
    assert len({question["extension_id"] for question in queued.asked(scene.crm)}) == 1
    await scene.mailed("queued@example.com")


async def offers_are_mailed_to_who_agreed_under_one_message_id(scene: Scene) -> None:
    licensee = await scene.deployment.buys("EDITOR-2D")
    scene.crm.answers[licensee.ticket] = lambda _: says("active", mail=UNWILLING)
    assert [each.title for each in (await licensee.extend()).offer] == ["Zusatz"]
    (plain,) = await scene.mailed(UNWILLING)
    assert "Zusatz" not in plain.content.decode()
    assert plain.message["List-Unsubscribe"] is None

    tries = await scene.mailed(WILLING, 2)  # the first one was refused for a while
    assert len({each.message["Message-ID"] for each in tries}) == 1
    for each in tries:
        assert (each.secure, each.user, each.message["To"]) == (True, USER, WILLING)
        assert each.message["Subject"] == "Ihre Lizenz wurde verlängert"
        assert "Zum halben Preis." in each.message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    (path,) = re.findall(r"https://licences\.example\.com(/\S+)>", tries[0].message["List-Unsubscribe"])
    async with (
        aiohttp.ClientSession() as session,
        session.post(scene.deployment.ozomm_url + path, data="List-Unsubscribe=One-Click") as response,
    ):
        assert response.status == 200

    again = await scene.deployment.buys("EDITOR-2D")
    scene.crm.answers[again.ticket] = lambda _: says("active", mail=WILLING)
    assert (await again.extend()).state == "Extended"
    last = (await scene.mailed(WILLING, 3))[-1]
    assert "Zusatz" not in last.content.decode()
    assert last.message["Message-ID"] != tries[0].message["Message-ID"]
