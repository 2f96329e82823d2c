"""Each kind of source asked for real: HTTP with proofs, SOAP by its own WSDL, SQL, CSV, code; and their guards."""

import asyncio
import base64
import hashlib
import hmac
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from crm import QUESTION as ASKED
from crm import Crm, started

from licensing.extensions.guarding import Breaker, BreakerState, Guarded, Limits
from licensing.extensions.questions import AllOf, AnyOf, Question, Unanswered, Verdict
from server.core import utc_now
from server.errors import SettingsError
from server.ozomm.assembling import Assembler
from server.ozomm.configuration import OzommConfiguration, load_configuration

SECRET = base64.b64encode(bytes(range(32))).decode()
QUESTION = replace(ASKED, language="de")
WSDL = """<?xml version="1.0"?>
<definitions name="Crm" targetNamespace="urn:crm" xmlns:t="urn:crm" xmlns="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <types><xs:schema targetNamespace="urn:crm" elementFormDefault="qualified">
    <xs:element name="Check"><xs:complexType><xs:sequence>
      <xs:element name="contract" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="CheckResponse"><xs:complexType><xs:sequence>
      <xs:element name="status" type="xs:string"/><xs:element name="mail" type="xs:string"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:schema></types>
  <message name="In"><part name="parameters" element="t:Check"/></message>
  <message name="Out"><part name="parameters" element="t:CheckResponse"/></message>
  <portType name="Crm"><operation name="Check"><input message="t:In"/><output message="t:Out"/></operation></portType>
  <binding name="Crm" type="t:Crm"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Check"><soap:operation soapAction="urn:check" style="document"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
  <service name="Crm"><port name="Crm" binding="t:Crm"><soap:address location="http://127.0.0.1:9/"/></port></service>
</definitions>"""


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    found = Crm()
    runner = await started(found)
    yield found
    await runner.cleanup()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def source(stack: AsyncExitStack, folder: Path, **sources: Any) -> Any:
    """The first source, as a rule has it."""
    first = next(iter(sources))
    configuration = OzommConfiguration(sources=sources, rules=({"items": ["*"], "eligibility": first},))  # type: ignore[arg-type]
    assembler = Assembler(
        configuration, folder=folder, stack=stack, clock=utc_now, monotonic=time.monotonic, told=lambda *_: None
    )
    (rule,) = await assembler.rules()
    return rule.eligibility


def secret_file(folder: Path, text: str) -> str:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return "secret"


async def test_http_with_oauth2_and_a_signature(crm: Crm, stack: AsyncExitStack, tmp_path: Path) -> None:
    oauth2 = {
        "token_url": f"{crm.url}/token",
        "client_id": "od",
        "client_secret_file": secret_file(tmp_path, "hush"),
        "scope": "crm",
    }
    (tmp_path / "hmac").write_text(f"whsec_{SECRET}")
    (tmp_path / "hmac").chmod(0o600)
    asking = await source(
        stack, tmp_path, crm={"kind": "http", "url": f"{crm.url}/ask", "oauth2": oauth2, "hmac_secret_file": "hmac"}
    )

    assert (await asking.ask(QUESTION)).eligible is True
    crm.answer = lambda _: 401 if crm.headers[-1]["authorization"] == "Bearer token-1" else {"eligible": "no"}
    assert (await asking.ask(QUESTION)).eligible is False

    assert [each["grant_type"] for each in crm.tokens] == ["client_credentials"] * 2
    assert base64.b64decode(crm.tokens[0]["proof"].split()[1]) == b"od:hush"
    sent = crm.headers[0]
    assert (sent["authorization"], sent["idempotency-key"]) == ("Bearer token-1", "e-1")
    signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.{sent['']}".encode()
    expected = base64.b64encode(hmac.digest(base64.b64decode(SECRET), signed, hashlib.sha256)).decode()
    assert sent["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("answer", [500, 302, {"other": 1}, "text", []])
async def test_what_cannot_be_understood_is_no_answer_and_404_is_a_no(
    crm: Crm, stack: AsyncExitStack, tmp_path: Path, answer: Any
) -> None:
    asking = await source(stack, tmp_path, crm={"kind": "http", "url": f"{crm.url}/ask"})
    crm.answer = lambda _: answer
    if answer == []:
        assert (await asking.ask(QUESTION)).eligible is False
    else:
        with pytest.raises(Unanswered):
            await asking.ask(QUESTION)
    crm.answer = lambda _: 404
    assert (await asking.ask(QUESTION)).eligible is False


async def test_soap_by_the_vendors_own_wsdl(stack: AsyncExitStack, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def check(request: web.Request) -> web.Response:
        asked.append(await request.read())
        body = "<CheckResponse xmlns='urn:crm'><status>paid</status><mail>a@example.com</mail></CheckResponse>"
        if len(asked) > 1:
            body = "<e:Fault><faultcode>e:Server</faultcode><faultstring>no</faultstring></e:Fault>"
        envelope = (
            f"<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>{body}</e:Body></e:Envelope>"
        )
        return web.Response(text=envelope, content_type="text/xml", status=200 if len(asked) == 1 else 500)

    application = web.Application()
    application.router.add_post("/crm", check)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "crm.wsdl").write_text(WSDL)
    asking = await source(
        stack,
        tmp_path,
        crm={
            "kind": "soap",
            "wsdl": "crm.wsdl",
            "operation": "Check",
            "address": f"http://127.0.0.1:{runner.addresses[0][1]}/crm",
            "send": {"contract": "ticket"},
            "read": {"eligible": "status", "email": "mail"},
            "yes": ["paid"],
        },
    )

    verdict = await asking.ask(QUESTION)

    assert (verdict.eligible, verdict.customer.address) == (True, "a@example.com")
    assert b"AAAAA-BBBBB" in asked[0]
    with pytest.raises(Unanswered):
        await asking.ask(QUESTION)


async def test_sql_asks_a_view_and_no_row_is_a_no(stack: AsyncExitStack, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.sqlite3")) as db, db:
        db.execute("CREATE TABLE renewals (ticket TEXT, paid INTEGER, mail TEXT)")
        db.execute("INSERT INTO renewals VALUES ('AAAAA-BBBBB', 1, 'a@example.com')")
    settings = {
        "kind": "sql",
        "database": "erp.sqlite3",
        "query": "SELECT paid AS eligible, mail FROM renewals WHERE ticket = :ticket",
        "read": {"eligible": "eligible", "email": "mail"},
    }
    asking = await source(stack, tmp_path, erp=settings)

    verdict = await asking.ask(QUESTION)
    assert (verdict.eligible, verdict.customer.address) == (True, "a@example.com")
    with closing(sqlite3.connect(tmp_path / "erp.sqlite3")) as db, db:
        db.execute("DELETE FROM renewals")
    assert (await asking.ask(QUESTION)).eligible is False
    (tmp_path / "erp.sqlite3").unlink()
    with pytest.raises(Unanswered):
        await asking.ask(QUESTION)
    with pytest.raises(SettingsError, match="nobody_knows"):
        await source(stack, tmp_path, erp={**settings, "query": "SELECT :nobody_knows AS eligible"})


async def test_csv_is_read_again_when_it_has_changed(stack: AsyncExitStack, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Ticket;Active\naaaaa-bbbbb;yes\n", encoding="utf-8-sig")
    asking = await source(
        stack,
        tmp_path,
        file={
            "kind": "csv",
            "file": "customers.csv",
            "match": {"Ticket": "ticket"},
            "read": {"eligible": "Active"},
            "delimiter": ";",
        },
    )

    assert (await asking.ask(QUESTION)).eligible is True
    path.write_text("Ticket;Active\nother;yes and more\n")
    assert (await asking.ask(QUESTION)).eligible is False
    path.write_text("Column;Active\n")
    with pytest.raises(Unanswered):
        await asking.ask(QUESTION)


class OnlyOdd:
    """A vendor's own code."""

    def __init__(self, remainder: int) -> None:
        self._remainder = remainder

    async def ask(self, question: Question) -> Verdict:
        return Verdict(eligible=question.licenses[0].quantity % 2 == self._remainder)


async def test_code_of_the_vendors_own_and_everybody(stack: AsyncExitStack, tmp_path: Path) -> None:
    own = {"kind": "python", "factory": f"{__name__}:OnlyOdd", "options": {"remainder": 1}}
    assert (await (await source(stack, tmp_path, own=own)).ask(QUESTION)).eligible is False
    assert (await (await source(stack, tmp_path, all={"kind": "everybody"})).ask(QUESTION)).eligible is True
    for wrong in ("nothing-of-this-name", f"{__name__}:Nothing", "os:getcwd"):
        with pytest.raises(SettingsError):
            await source(stack, tmp_path, own={"kind": "python", "factory": wrong})


class Says:
    def __init__(self, said: bool | str | None) -> None:
        self._said = said

    async def ask(self, question: Question) -> Verdict:
        if isinstance(self._said, str):
            raise Unanswered(self._said)
        return Verdict(eligible=self._said)


@pytest.mark.parametrize("chain", [AllOf, AnyOf])
@pytest.mark.parametrize("one", [True, False, None, "down"])
@pytest.mark.parametrize("other", [True, False, None, "down"])
async def test_a_chain_decides_as_its_word_says_whoever_is_silent(chain: Any, one: Any, other: Any) -> None:
    deciding = chain is AnyOf
    asked = chain([Says(one), Says(other)]).ask(QUESTION)
    if deciding in {one, other} and (one is deciding or other is deciding):
        assert (await asked).eligible is deciding
    elif "down" in {one, other}:
        with pytest.raises(Unanswered):
            await asked
    else:
        assert (await asked).eligible is (None if None in {one, other} else not deciding)


def test_a_breaker_opens_rests_and_lets_one_try() -> None:
    now = [0.0]
    breaker = Breaker(Limits(failures=2, rest_seconds=10), monotonic=lambda: now[0])
    for _ in range(2):
        assert breaker.admits()
        breaker.failed()
    assert (breaker.state, breaker.admits()) == (BreakerState.OPEN, False)
    now[0] = 10.0
    assert breaker.admits()
    assert not breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    now[0] = 20.0
    assert breaker.admits()
    breaker.answered()
    assert breaker.state is BreakerState.CLOSED


async def test_a_guard_limits_time_and_number_and_a_full_house_says_nothing_of_the_source() -> None:
    running = 0
    most = 0

    class Slow:
        async def ask(self, question: Question) -> Verdict:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(3600)
            finally:
                running -= 1
            raise AssertionError

    outcomes: list[str] = []
    guarded = Guarded(
        Slow(),
        name="slow",
        limits=Limits(seconds=0.05, at_once=2, failures=3),
        monotonic=time.monotonic,
        told=lambda _, outcome, __: outcomes.append(outcome),
    )
    found = await asyncio.gather(*(guarded.ask(QUESTION) for _ in range(6)), return_exceptions=True)

    assert all(isinstance(each, Unanswered) for each in found)
    assert (most, running) == (2, 0)
    assert set(outcomes) <= {"slow", "full", "resting"}
    assert guarded.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[rules]]\nitems = ['A']\neligibility = 'none'", "there is no source none"),
        ("[sources.a]\nkind = 'all'\nof = ['a']", "leads to itself"),
        ("[sources.a]\nkind = 'http'\nurl = 'http://u:p@x/'", "sources.a.http.url"),
        ("[sources.a]\nkind = 'http'\nurl = 'http://x/'\nsend = {x = 'tickt'}", "there is no tickt"),
        ("[sources.a]\nkind = 'http'\nurl = 'http://x/'\nread = {eligable = 'x'}", "must map eligible"),
        (
            "[sources.a]\nkind = 'everybody'\n[[rules]]\nitems = ['A']\neligibility = 'a'\nwhen_silent = 'provisional'",
            "belong",
        ),
        ("[texts.de]\nAproved = 'x'", "there is no Aproved"),
        ("x =", "Invalid value"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "ozomm.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=place):
        load_configuration(path)
