"""After a whole cycle on each database, no secret, ticket or person stands anywhere that it should not.

Ordered, collected, downloaded, extended, withdrawn, told to another system and mailed, by good and bad callers, with
keys replaced on the way; then searched for in events, faults, metrics, what commands say, backups, exports, and the
files of the database with their logs. A control plants one in each of these places, and the same search must find it.
"""

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from crm import Crm
from crm import started as crm_started
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from digest_messages import LIST_ITEMS, digest_message
from filtered import core_of
from openssl_made import self_signed
from postgres_server import PostgresServer, started_server
from secrets_search import backup_places, forms, postgres_places, search, sqlite_places
from smtp_receiver import PASSWORD, USER, SmtpReceiver, made_certificate, smtp_started
from typer.testing import CliRunner
from webhook_receiver import SECRET, SECRET_TEXT, Receiver
from webhook_receiver import started as receiver_started
from wire import FIRM_CODE, Received, Server, Start, envelope, initialise_in_thread, order

from opendepot import DepotClient, OzommClient, SalesClient
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.core import utc_now
from server.keys.files import read_rings
from server.keys.rotating import Rotating
from server.settings import load_settings
from soap.messages import depot as depot_messages
from soap.messages import ozomm, sales
from storage.keys import KeyKind

pytestmark = pytest.mark.slow

PERSON = {
    "name": "Ada Augusta Lovelace",
    "company": "Analytical Engines Ltd",
    "email": "ada.lovelace@example.org",
    "customer_number": "CUST-1815-1210",
}
STAFF = "charles.babbage@example.org"
REASON = "the card reader of the customer burnt down"
HUSH = b"the phrase that opens the engine"
CLIENT_SECRET = "oauth-client-secret-31415926"
TOKEN = "oauth-token-"
OZOMM_FILE = """
patience_seconds = 20
lease_seconds = 70

[sources.crm]
kind = "http"
url = "{url}/ask"
hmac_secret_file = "secrets/hmac"
read = {{ eligible = "eligible", text = "text", email = "email" }}

[sources.crm.oauth2]
token_url = "{url}/token"
client_id = "od"
client_secret_file = "secrets/oauth"

[[rules]]
items = ["EDITOR"]
eligibility = "crm"
"""
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> tuple[PostgresServer, str] | None:
    """A database on the tests' PostgreSQL; None: the file."""
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server, server.new_database()


@pytest.fixture
def folder(tmp_path: Path, database: tuple[PostgresServer, str] | None) -> Path:
    place = tmp_path / "depot"
    initialise_in_thread(place)
    if database is not None:
        server, name = database
        config = place / CONFIG
        config.write_text(config.read_text().replace('"opendepot.sqlite3"', f'"{server.address(name)}"'))
        for file in place.glob("opendepot.sqlite3*"):
            file.unlink()
    return place


@dataclass
class Lived:
    """A server that a whole cycle has gone through: its secrets, and everywhere that it has left bytes."""

    server: Server
    database: tuple[PostgresServer, str] | None
    work: Path
    secrets: dict[str, bytes] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=dict)

    async def places(self) -> dict[str, bytes]:
        """All bytes by where they are; a new backup and a new export each time."""
        return await asyncio.to_thread(self._places)

    def _places(self) -> dict[str, bytes]:
        number = len(list(self.work.glob("backup*")))
        backup, export = self.work / f"backup{number}", self.work / f"export{number}"
        told = {"log": self.server.log.getvalue().encode(), "metrics": self.server.up.application.metrics.exposition()}
        for words in (["backup", str(backup)], ["export", str(export)], *VERBS):
            told[f"output of {' '.join(words[:2])}"] = self.command(*words).encode()
        folder = self.server.folder
        told["journal"] = (folder / "journal").read_bytes()
        files = sqlite_places(folder) if self.database is None else postgres_places(*self.database)
        exported = {f"export {file.name}": file.read_bytes() for file in export.rglob("*") if file.is_file()}
        return {**self.said, **told, **dict(files), **dict(backup_places(backup)), **exported}

    def command(self, *words: str) -> str:
        result = RUNNER.invoke(app, [*words, "--config", str(self.server.folder / CONFIG)])
        assert result.exit_code in {0, 3}, result.output
        return str(result.output)

    def plant(self, text: str) -> None:
        """Write a text where nothing secret may stand: into the database, the events and the metrics."""
        statement = f"INSERT INTO campaigns VALUES ('planted', '{{}}', '{text}', 0, NULL)"
        if self.database is not None:
            self.database[0].run(statement, database=self.database[1])
        else:
            with closing(sqlite3.connect(self.server.folder / "opendepot.sqlite3", isolation_level=None)) as db:
                db.execute(statement)
        self.server.up.application.events.info("planted", text=text)
        self.server.up.application.metrics.alarms.labels(text).inc()
        self.said["fault"] = text.encode()


VERBS = (
    ["doctor", "--deep"],
    ["keys", "list"],
    ["keys", "check"],
    ["audit", "list"],
    ["audit", "verify"],
    ["outbox", "list"],
    ["extension", "list"],
    ["shop", "list"],
    ["admin", "list"],
    ["ipfilter", "list"],
)


@asynccontextmanager
async def surroundings(folder: Path, work: Path) -> AsyncIterator[tuple[dict[str, Any], Crm, Receiver, SmtpReceiver]]:
    """A CRM, a receiver of webhooks and an SMTP server, and the settings that name them and their secrets."""
    crm, receiver = Crm(), Receiver()
    crm.answer = lambda _: {"eligible": True, "text": "thank you", "email": PERSON["email"]}
    authorities, context = made_certificate(work)
    pair = self_signed(work, "answers")
    for name, content in (
        ("smtp", PASSWORD),
        ("webhook", SECRET_TEXT),
        ("hmac", SECRET_TEXT),
        ("oauth", CLIENT_SECRET),
    ):
        (folder / "secrets" / name).write_text(content)
        (folder / "secrets" / name).chmod(0o600)
    async with AsyncExitStack() as stack:
        for runner in (await crm_started(crm), await receiver_started(receiver)):
            stack.push_async_callback(runner.cleanup)
        smtp = await stack.enter_async_context(smtp_started(SmtpReceiver(), starttls=context))
        (folder / "ozomm.toml").write_text(OZOMM_FILE.format(url=crm.url))
        settings = {
            "admin_soap_port": 0, "update_link_seconds": 600, "journal": folder / "journal",
            "webhook_url": receiver.url, "webhook_secret_file": folder / "secrets" / "webhook",
            "mail_server": "127.0.0.1", "mail_port": smtp.port, "mail_from": "licences@example.com",
            "mail_authorities_file": authorities, "mail_user": USER,
            "mail_password_file": folder / "secrets" / "smtp", "public_url": "https://licences.example.com",
            "ozomm_file": folder / "ozomm.toml", "sign_answers": "all",
            "signing_certificate_file": pair.certificate, "signing_key_file": pair.key,
        }  # fmt: skip
        yield settings, crm, receiver, smtp


def private_forms(path: Path) -> dict[str, bytes]:
    """A private key's number and its text in PEM, of which each line would do."""
    pem = path.read_bytes()
    key = load_pem_private_key(pem, password=None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    number = key.private_numbers().private_value.to_bytes(32)  # type: ignore[union-attr]
    return {"signing key": number, "signing key's DER": der, "signing key's PEM": pem.splitlines()[1]}


async def asked(server: Server, service: str, body: bytes, *, key: str | None = None) -> Received:
    """Ask at the server's own address, since its public one leads nowhere."""
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    async with server.session.post(f"{server.up.local_url}/v1/{service}", data=body, headers=headers) as answer:
        return Received(status=answer.status, headers=dict(answer.headers), body=await answer.read())


async def cycle(server: Server, lived: Lived, receiver: Receiver, smtp: SmtpReceiver, crm: Crm) -> None:
    """Everything that a server does, by those who may; their secrets are kept."""
    url, secrets = server.up.local_url, lived.secrets
    refused = iter([500])
    receiver.answer = lambda _: next(refused, 204)
    async with core_of(server) as core:
        await core.catalogue.add_item(
            item_number="ENGINE", firm_code=FIRM_CODE, product_code=7, data={"secret": {0: HUSH}}
        )
        rotated, _ = await core.credentials.rotate_key(server.extra["shop"], overlap=timedelta(hours=1))
        username = await core.credentials.add_username(server.extra["shop"], "difference-engine")
        secrets |= {"rotated key": rotated.secret.encode(), "username's secret": username.secret.encode()}
        secrets["administrator's key"] = (await core.catalogue.add_administrator("ops")).encode()
        await core.addresses.record_consent(PERSON["email"], source="test", actor="test")
    line = (sales.OrderLine(item_number="EDITOR", quantity=2), sales.OrderLine(item_number="ENGINE", quantity=1))
    async with SalesClient(url, api_key=server.api_key) as shop:
        receipt = await shop.create_order(
            sales.CreateOrderRequest(transaction_id="t-1", customer=sales.Customer(**PERSON), order_line=line)
        )
        gone = await shop.create_order(sales.CreateOrderRequest(transaction_id="t-2", order_line=line[:1]))
        await shop.withdraw_license(
            sales.WithdrawLicenseRequest(transaction_id="w-1", license_id=gone.license[0].license_id, reason=REASON)
        )
    secrets |= {"ticket": receipt.ticket.encode(), "withdrawn ticket": gone.ticket.encode()}
    assert (await asked(server, "sales", digest_message("difference-engine", username.secret))).status == 200
    container = server.container()
    async with DepotClient(url) as licensee:
        request = depot_messages.GetLicenseUpdateRequest(
            ticket=receipt.ticket, context=container.context(FIRM_CODE), user=STAFF
        )
        update = await licensee.get_license_update(request)
        assert update.update is not None
        assert update.update_url is not None
        await licensee.confirm_license_update(container.import_update(update.update).receipt)
    link = update.update_url.rpartition("/")[2]
    secrets["link of an update file"] = link.encode()
    path = update.update_url.partition("example.com")[2]
    async with server.session.get(f"{url}{path}") as file:
        assert await file.read() == update.update
    async with OzommClient(url) as licensee:
        extending = ozomm.ExtendLicenseRequest(transaction_id="x-1", ticket=receipt.ticket)
        async with asyncio.timeout(30):
            while (await licensee.extend_license(extending)).state != "Extended":  # noqa: ASYNC110  a CRM decides
                await asyncio.sleep(0.05)
    await asyncio.gather(receiver.count(3), smtp.count(1))
    assert crm.tokens, "the CRM was asked with a token"
    secrets["OAuth token"] = b"Bearer token-1"


async def misuse(server: Server, lived: Lived) -> None:
    """What bad callers send: it must not come back, nor be written down."""
    ticket, secret = lived.secrets["ticket"].decode(), lived.secrets["username's secret"].decode()
    wrong = {
        "wrong key": "od_" + "w" * 43,
        "wrong ticket": "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE",
        "wrong secret": "guess-4711-x",
    }
    lived.secrets |= {name: value.encode() for name, value in wrong.items()}
    get = '<GetTicket xmlns="urn:opendepot:depot:1"><ticket>{}</ticket></GetTicket>'
    bodies = [
        ("depot", envelope(get.format(text)), None)
        for text in (wrong["wrong ticket"], ticket[:-1], f"{ticket}<", f"{ticket}x")
    ]
    bodies += [
        ("sales", envelope(LIST_ITEMS), key)
        for key in (wrong["wrong key"], lived.secrets["administrator's key"].decode())
    ]
    bodies += [
        ("sales", digest_message("difference-engine", wrong["wrong secret"]), None),
        ("sales", digest_message("difference-engine", secret)[:-9], None),
        ("sales", envelope(order("t-1", extra=f"<originalTicket>{ticket}</originalTicket>")), server.api_key),
        ("sales", envelope(f"<Nothing>{PERSON['email']}</Nothing>"), server.api_key),
    ]
    replayed = digest_message("difference-engine", secret)
    bodies += [("sales", replayed, None), ("sales", replayed, None)]
    for number, (service, body, key) in enumerate(bodies):
        answer = await asked(server, service, body, key=key)
        lived.said[f"fault {number}"] = b"" if answer.status == 200 else answer.body
    async with server.session.get(f"{server.up.local_url}/v1/updates/{'w' * 22}") as nothing:
        lived.said["no download"] = await nothing.read()


@pytest.fixture
async def lived(
    start: Start, folder: Path, database: tuple[PostgresServer, str] | None, tmp_path: Path
) -> AsyncIterator[Lived]:
    async with surroundings(folder, tmp_path) as (settings, crm, receiver, smtp):
        server = await start(**settings)
        made = Lived(server=server, database=database, work=tmp_path)
        made.secrets |= {"API key": server.api_key.encode(), "other API key": server.other_api_key.encode()}
        made.secrets |= {"webhook secret": SECRET.encode(), "webhook secret's bytes": base64.b64decode(SECRET)}
        made.secrets |= {"OAuth client's secret": CLIENT_SECRET.encode(), "SMTP password": PASSWORD.encode()}
        made.secrets |= {f"customer's {name}": text.encode() for name, text in PERSON.items()}
        made.secrets |= {"staff member": STAFF.encode(), "reason": REASON.encode(), "secret data": HUSH}
        made.secrets |= private_forms(settings["signing_key_file"])
        await cycle(server, made, receiver, smtp, crm)
        await misuse(server, made)
        async with core_of(server) as core:
            for kind in KeyKind:
                rotating = Rotating(
                    load_settings(folder / CONFIG),
                    storage=core.storage,
                    vault=core.vault,
                    keeper=core.keys,
                    clock=utc_now,
                    random=token_bytes,
                    tell=lambda line: made.said.update({f"said {line}": line.encode()}),
                    wait_seconds=20,
                )
                await rotating.rotate(kind)
        for kind, ring in read_rings(load_settings(folder / CONFIG)).items():
            made.secrets |= {f"{kind} {key.name}": key.material for key in ring}
        await cycle_again(server, made)
        yield made


async def cycle_again(server: Server, lived: Lived) -> None:
    """One more order with the new keys."""
    placed = await asked(server, "sales", envelope(order("t-9")), key=server.api_key)
    assert placed.status == 200, placed.body
    lived.secrets["newer ticket"] = str(placed.payload.findtext(".//{*}ticket")).encode()
    assert (
        await asked(server, "sales", digest_message("difference-engine", lived.secrets["username's secret"].decode()))
    ).status == 200


async def test_no_secret_stands_anywhere_and_one_that_is_planted_is_found(lived: Lived) -> None:
    places = await lived.places()
    kinds = {name.partition(" ")[0] for name in places}
    assert {"log", "metrics", "output", "fault", "backup", "export", "database"} <= kinds, kinds
    assert len(lived.secrets) >= 25, sorted(lived.secrets)
    assert search(lived.secrets, places) == []
    ticket = lived.secrets["ticket"].decode()
    lived.plant(ticket)
    found = search({"ticket": ticket.encode()}, await lived.places())
    held = {place.partition(" ")[0] for _, _, place in found}
    assert {"log", "metrics", "fault", "backup", "export", "database"} <= held, found
    if lived.database is not None:
        assert "dump" in held
        assert any("pg_wal" in place for _, _, place in found), found
    else:
        assert any(place.endswith("-wal") for _, _, place in found), found


@pytest.mark.parametrize("secret", [b"od_0123456789-0123456789", bytes(range(200, 232)), b"ada@example.org"])
def test_the_search_finds_a_secret_in_each_of_its_forms(secret: bytes) -> None:
    for before in range(3):
        text = base64.b64encode(b"x" * before + secret + b"yz")
        assert search({"s": secret}, {"p": b"..." + text + b"..."}), before
        assert search({"s": secret}, {"p": base64.urlsafe_b64encode(b"x" * before + secret + b"yz")}), before
    for form in forms(secret).values():
        assert search({"s": secret}, {"p": b"(" + form + b")"})
    assert search({"s": secret}, {"p": secret[:-1]}) == []
