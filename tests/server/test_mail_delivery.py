"""Mails handed to a real SMTP server: by TLS, at least once, under one Message-ID; consent, back-off, kills."""

import asyncio
import io
import json
import random
import ssl
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from pathlib import Path

import pytest
from postgres_server import started_server
from smtp_receiver import PASSWORD, USER, SmtpReceiver, made_certificate, smtp_started

from licensing.catalogue import Catalogue
from licensing.errors import AddressInvalid
from licensing.marketing.addresses import AddressBook
from licensing.marketing.mails import Mail, Mailer, MailKind, MailLicense
from licensing.marketing.offers import Offer
from licensing.orders import OrderLine, OrderRequest, Sales
from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.mail.composing import Composer, MessageIds
from server.mail.templates import MailTemplates
from server.outbox import Backoff, Dispatcher
from server.outbox.mail import MailChannel, SmtpServer
from server.settings import MailSecurity
from storage import open_storage
from storage.marketing import CountFates, Fate, FateCount, Suppression, TellExpiring
from storage.outbox import ListOutbox, MessageState

NOW = datetime(2027, 1, 2, tzinfo=UTC)
TO = "Customer@example.org"
STARTING = 300
"""Seconds in which a process must have sent something, on a machine with other work."""
LICENSE = MailLicense(license_id="licence", item_number="EDITOR <1>", expires_at=datetime(2028, 1, 2, tzinfo=UTC))
OFFER = Offer(campaign="spring", item_number="PRO", title="Pro & more", text="Half price.", url="https://e.org/pro")
MAIL = Mail(kind=MailKind.EXTENDED, address=TO, name="Zoë", language="de-AT", licenses=(LICENSE,), offers=(OFFER,))


class World:
    """A server to send from, an SMTP server to send to, and a clock that a test sets."""

    def __init__(self, storage, receiver, authorities, folder):
        self.storage = storage
        self.receiver = receiver
        self.authorities = authorities
        self.folder = folder
        self.now = NOW
        self.rng = random.Random(1)
        self.vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=self.rng.randbytes)
        self.log = io.StringIO()
        self.metrics = Metrics(version="1")
        self.book = AddressBook(storage=storage, vault=self.vault, clock=self.clock)
        self.mailer = Mailer(vault=self.vault, clock=self.clock, random=self.rng.randbytes)
        self.told = 0
        self.license_id = None

    def clock(self):
        return self.now

    async def write(self, mail=MAIL, *, message_id=None):
        """Write a mail into the outbox, as one that tells of a licence."""
        self.told += 1
        message = self.mailer.message(mail, ticket_id=f"t{self.told}", order_id=None, message_id=message_id)
        assert await self.storage.execute(
            TellExpiring(
                license_id=self.license_id, version=1, expires_at=NOW, days=self.told, at=NOW, messages=(message,)
            )
        )
        return message

    def dispatcher(self, owner="one", **server):
        return Dispatcher(
            storage=self.storage,
            vault=self.vault,
            channel=self.channel(**server),
            backoff=Backoff(attempts=3, random=self.rng.random),
            clock=self.clock,
            owner=owner,
            events=EventLog(self.log, format=LogFormat.JSON, clock=self.clock),
            metrics=self.metrics,
        )

    def channel(self, **server):
        values = SmtpServer(
            host="127.0.0.1", port=self.receiver.port, security=MailSecurity.STARTTLS,
            tls=ssl.create_default_context(cafile=str(self.authorities)),
            user=USER, password=PASSWORD, return_path="bounces@example.com", seconds=5.0,
        )  # fmt: skip
        return MailChannel(
            server=replace(values, **server),
            composer=Composer(
                sender=Address("Example Ltd", addr_spec="licences@example.com"), reply_to=None,
                public_url="https://licences.example.com", templates=MailTemplates(self.folder), book=self.book,
                ids=MessageIds(self.vault, domain="example.com"), clock=self.clock,
            ),
            book=self.book, storage=self.storage, clock=self.clock,
            events=EventLog(self.log, format=LogFormat.JSON, clock=self.clock), metrics=self.metrics,
        )  # fmt: skip

    def events(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    async def waiting(self):
        return await self.storage.query(ListOutbox(limit=1000))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return made_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def world(tmp_path, certificate):
    async with opened_world(tmp_path, certificate, str(tmp_path / "depot.db")) as made:
        yield made


@asynccontextmanager
async def opened_world(tmp_path, certificate, location):
    authorities, context = certificate
    folder = tmp_path / "templates"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(smtp_started(SmtpReceiver(), starttls=context))
        storage = await open_storage(location)
        stack.push_async_callback(storage.close)
        made = World(storage, receiver, authorities, folder)
        made.location = location
        await stocked(made)
        yield made


@pytest.fixture(params=["SQLite", "PostgreSQL"])
async def either_world(request, tmp_path, certificate):
    if request.param == "SQLite":
        async with opened_world(tmp_path, certificate, str(tmp_path / "depot.db")) as made:
            yield made
        return
    postgres = started_server(durable=True)
    try:
        async with opened_world(tmp_path, certificate, postgres.address(postgres.new_database())) as made:
            yield made
    finally:
        postgres.remove()


async def stocked(world):
    """Have one licence, for reminders to be about."""
    catalogue = Catalogue(storage=world.storage, vault=world.vault, clock=world.clock, random=world.rng.randbytes)
    await catalogue.add_item(item_number="EDITOR", firm_code=10, product_code=1)
    shop, _ = await catalogue.add_shop("shop")
    sales = Sales(storage=world.storage, vault=world.vault, clock=world.clock, random=world.rng.randbytes)
    request = OrderRequest(transaction_id="t", lines=(OrderLine(item_number="EDITOR", quantity=1),))
    world.license_id = (await sales.create_order(shop=shop, request=request)).licenses[0].license_id


async def test_a_mail_arrives_over_tls_with_login_once_and_is_right(world):
    message = await world.write()
    await world.dispatcher().turn()
    (mail,) = world.receiver.arrived
    assert (mail.sender, mail.recipients, mail.secure, mail.user) == ("bounces@example.com", [TO], True, USER)
    found = mail.message
    assert found["From"] == "Example Ltd <licences@example.com>"
    assert found["To"] == TO
    assert found["Subject"] == "Ihre Lizenz wurde verlängert"
    assert found["Message-ID"].startswith(f"<{message.message_id}.")
    assert found["Message-ID"].endswith("@example.com>")
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Date"].datetime == NOW
    assert found["List-Unsubscribe"] is None
    text, html = (found.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "Guten Tag Zoë" in text
    assert "EDITOR <1> (bis 02.01.2028)" in text
    assert "EDITOR &lt;1&gt; (bis 02.01.2028)" in html
    assert "Half price" not in mail.content.decode()
    assert b"\r\nMessage-ID: <" in b"\r\n" + mail.content
    assert all(line.isascii() and len(line) <= 998 for line in mail.content.splitlines())
    assert await world.waiting() == ()
    await world.dispatcher().turn()
    assert len(world.receiver.arrived) == 1


async def test_no_event_holds_an_address_or_a_name(world):
    await world.write()
    world.receiver.rcpt = lambda address: f"550 5.1.1 <{address}> is nobody called Zoë"
    await world.dispatcher().turn()
    assert [event["event"] for event in world.events()] == ["outbox_dead"]
    for secret in ("example.org", "Zo", PASSWORD):
        assert secret not in world.log.getvalue()
        assert secret not in str(await world.waiting())


async def test_with_consent_offers_are_in_the_mail_with_a_way_to_unsubscribe_and_are_counted_once(world):
    await world.book.record_consent("customer@EXAMPLE.org", source="shop", actor="cli")
    await world.write()
    await world.dispatcher().turn()
    found = world.receiver.arrived[0].message
    url = f"https://licences.example.com/v1/mail/unsubscribe/{world.book.token(TO)}"
    assert found["List-Unsubscribe"] == f"<{url}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["Auto-Submitted"] is None
    html = found.get_body(("html",)).get_content()
    assert '<a href="https://e.org/pro">Pro &amp; more</a>' in html
    assert url in html
    assert url in found.get_body(("plain",)).get_content()
    await world.channel()._count(MAIL, (await world.write()).message_id)
    await world.dispatcher().turn()
    assert await world.storage.query(CountFates()) == (
        FateCount(campaign="spring", fate=Fate.MAILED, day=NOW.date(), count=2),
    )


@pytest.mark.parametrize("reason", [None, Suppression.UNSUBSCRIBE, Suppression.COMPLAINT, Suppression.BOUNCE])
async def test_offers_go_to_nobody_without_consent_or_with_a_suppression(world, reason):
    if reason is not None:
        await world.book.record_consent(TO, source="shop", actor="cli")
        await world.book.suppress(world.book.lookup(TO), reason, source="test", actor="cli")
    await world.write(replace(MAIL, kind=MailKind.OFFERS))
    await world.write()
    await world.dispatcher().turn()
    # A bounce stops every mail; what answers the customer still comes otherwise.
    assert len(world.receiver.arrived) == (0 if reason is Suppression.BOUNCE else 1)
    assert all(b"Half price" not in mail.content for mail in world.receiver.arrived)
    assert await world.waiting() == ()
    assert "outbox_withheld" in [event["event"] for event in world.events()]
    assert 'outcome="withheld"' in world.metrics.exposition().decode()


async def test_consent_counts_when_the_mail_is_sent_and_not_when_it_is_written(world):
    await world.book.record_consent(TO, source="shop", actor="cli")
    await world.write(replace(MAIL, kind=MailKind.OFFERS))
    world.now += timedelta(seconds=1)
    await world.book.suppress(world.book.lookup(TO), Suppression.UNSUBSCRIBE, source="one click", actor="customer")
    await world.dispatcher().turn()
    assert world.receiver.arrived == []


async def test_what_is_refused_for_now_comes_again_under_the_same_message_id(world):
    await world.write()
    world.receiver.data = lambda _: "451 4.7.1 greylisted"
    await world.dispatcher().turn()
    (row,) = await world.waiting()
    assert (row.state, row.last_failure) == (MessageState.WAITING, "SMTP 451")
    assert timedelta(seconds=2.5) <= row.due_at - NOW <= timedelta(seconds=5)
    world.receiver.data = lambda _: "250 taken"
    world.now = row.due_at
    await world.dispatcher().turn()
    first, second = world.receiver.arrived
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert await world.waiting() == ()


@pytest.mark.parametrize(
    ("rcpt", "state", "suppressed", "failure"),
    [
        ("450 4.2.1 later", MessageState.WAITING, False, "SMTP 450 4.2.1"),
        ("550 5.1.1 nobody", MessageState.DEAD, True, "SMTP 550 5.1.1"),
        ("551 go away", MessageState.DEAD, True, "SMTP 551"),
        ("550 5.7.1 policy", MessageState.DEAD, False, "SMTP 550 5.7.1"),
        ("552 5.2.2 full", MessageState.DEAD, False, "SMTP 552 5.2.2"),
    ],
)
async def test_a_refused_recipient_is_tried_again_or_given_up_and_suppressed(world, rcpt, state, suppressed, failure):
    await world.write()
    world.receiver.rcpt = lambda _: rcpt
    await world.dispatcher().turn()
    (row,) = await world.waiting()
    assert (row.state, row.last_failure) == (state, failure)
    assert (await world.book.wishes(TO)).reachable is not suppressed


async def test_a_refused_content_is_given_up_without_a_word_about_the_address(world):
    await world.write()
    world.receiver.data = lambda _: "554 5.6.0 I do not like it"
    await world.dispatcher().turn()
    (row,) = await world.waiting()
    assert (row.state, row.last_failure) == (MessageState.DEAD, "SMTP 554")
    assert (await world.book.wishes(TO)).reachable


@pytest.mark.parametrize(
    ("server", "failure"),
    [
        ({"password": "wrong"}, "SMTP login 535"),
        ({"port": 1}, "SMTPConnectError"),
        ({"tls": ssl.create_default_context()}, "SSLCertVerificationError"),
        ({"security": MailSecurity.NONE, "user": None}, "SMTP 530"),
        ({"host": "localhost.invalid"}, "SMTPConnectError"),
    ],
)
async def test_a_server_that_cannot_be_used_costs_no_mail(world, server, failure):
    await world.write()
    await world.dispatcher(**server).turn()
    (row,) = await world.waiting()
    assert (row.state, row.last_failure) == (MessageState.WAITING, failure)
    assert world.receiver.arrived == []


async def test_nothing_is_sent_in_the_clear_where_the_server_has_no_tls(world):
    async with smtp_started(SmtpReceiver()) as plain:
        await world.write()
        await world.dispatcher(port=plain.port).turn()
        assert plain.arrived == []
    (row,) = await world.waiting()
    assert row.state is MessageState.WAITING


async def test_tls_from_the_first_byte_and_plain_work_too(world, certificate):
    async with smtp_started(SmtpReceiver(), tls=certificate[1]) as implicit, smtp_started(SmtpReceiver()) as plain:
        await world.write()
        await world.dispatcher(port=implicit.port, security=MailSecurity.TLS).turn()
        assert [mail.user for mail in implicit.arrived] == [USER]
        await world.write()
        await world.dispatcher(port=plain.port, security=MailSecurity.NONE, user=None).turn()
        assert [mail.secure for mail in plain.arrived] == [False]


async def test_a_server_that_does_not_answer_is_left_when_the_time_is_up(world):
    await world.write()
    hold = asyncio.Event()

    async def held(_):
        await hold.wait()
        return "250 taken"

    world.receiver.data = held
    await world.dispatcher(seconds=0.4).turn()
    hold.set()
    assert (await world.waiting())[0].last_failure in {"TimeoutError", "SMTPReadTimeoutError"}


async def test_a_template_that_is_wrong_loses_no_mail_and_says_where_it_is_wrong(world):
    broken = world.folder / "extended.de.txt.j2"
    broken.write_text("Subject: Hallo\n\n{{ nmae }}\n")
    await world.write()
    await world.dispatcher().turn()
    (row,) = await world.waiting()
    assert (row.state, row.last_failure) == (MessageState.WAITING, f"template {broken} line 3")
    (event,) = [event for event in world.events() if event["event"] == "mail_template_invalid"]
    assert (event["file"], event["line"]) == (str(broken), 3)
    broken.write_text("Subject: Hallo\n\n{{ name }}\n")
    world.now = row.due_at
    await world.dispatcher().turn()
    assert world.receiver.arrived[0].message.get_content().split() == ["Zoë"]
    assert await world.waiting() == ()


@pytest.mark.parametrize(
    "address", ["nobody", "a@b\r\nBcc: x@example.com", "a@b, c@d", "@b", "a@", "ü@example.org", "a b@c"]
)
async def test_what_is_no_address_is_given_up_and_never_sent(world, address):
    await world.write(replace(MAIL, address=address))
    await world.dispatcher().turn()
    assert [row.last_failure for row in await world.waiting()] == ["AddressInvalid"]
    assert world.receiver.arrived == []


async def test_line_ends_in_values_make_no_header(world):
    (world.folder / "extended.de.txt.j2").write_text("Subject: {{ name }}\n\nx\n")
    await world.write(replace(MAIL, name="A\r\nBcc: x@example.com\0\x85B"))
    await world.write(replace(MAIL, name="A\x0bBcc: y@example.com \u2028 B"))
    await world.dispatcher().turn()
    for mail in world.receiver.arrived:
        assert mail.message["Bcc"] is None
        assert mail.recipients == [TO]
    assert len(world.receiver.arrived) == 2


async def test_an_internationalised_domain_is_written_in_ascii(world):
    await world.write(replace(MAIL, address="a@bücher.example"))
    await world.dispatcher().turn()
    assert world.receiver.arrived[0].recipients == ["a@xn--bcher-kva.example"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before it is sent", "before it is taken", "before the outbox hears of it"])
async def test_a_mail_of_a_process_that_is_killed_is_sent_under_the_same_id_and_never_lost(world, tmp_path, moment):
    world.now = datetime.now(UTC)
    await world.write()
    hold, reached = asyncio.Event(), asyncio.Event()

    def holding(name, answer):
        async def held(_):
            reached.set()
            await hold.wait()
            return answer

        if moment == name:
            setattr(world.receiver, "rcpt" if name == "before it is sent" else "data", held)

    holding("before it is sent", "250 ok")
    holding("before it is taken", "250 taken")

    async def process(owner, *more):
        script = Path(__file__).with_name("mailing_process.py")
        return await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(tmp_path / "depot.db"), str(world.receiver.port), str(world.authorities),
            owner, *more, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    if moment == "before the outbox hears of it":
        killed = await process("first", "hold")
        async with asyncio.timeout(20):
            assert await killed.stdout.readline() == b"settling\n"
        assert world.receiver.refused == 0
    else:
        killed = await process("first")
        async with asyncio.timeout(20):
            await reached.wait()
    killed.kill()
    await killed.wait()
    before = len(world.receiver.arrived)
    assert before == (0 if moment == "before it is sent" else 1)
    hold.set()
    assert len(await world.waiting()) == 1
    second = await process("second")
    try:
        await world.receiver.count(before + 1)
        async with asyncio.timeout(20):
            while await world.waiting():  # noqa: ASYNC110  another process changes it
                await asyncio.sleep(0.02)
    finally:
        second.kill()
        await second.wait()
    assert len(world.receiver.arrived) == before + 1
    assert len({mail.message["Message-ID"] for mail in world.receiver.arrived}) == 1


async def test_two_dispatchers_send_each_mail_once(world, tmp_path):
    for _ in range(20):
        await world.write()
    other = await open_storage(tmp_path / "depot.db")
    second = world.dispatcher("two")
    second._storage = other
    await asyncio.gather(world.dispatcher().turn(), second.turn())
    assert len({mail.message["Message-ID"] for mail in world.receiver.arrived}) == len(world.receiver.arrived) == 20
    await other.close()


async def test_a_consent_of_the_future_and_one_without_a_source_are_refused(world):
    for values in ({"given_at": NOW + timedelta(seconds=1), "source": "shop"}, {"source": ""}):
        with pytest.raises(AddressInvalid):
            await world.book.record_consent(TO, actor="cli", **values)


@pytest.mark.long
@pytest.mark.xdist_group("machine")
@pytest.mark.timeout(7200)
async def test_however_often_processes_are_killed_every_mail_arrives_under_its_one_id(either_world, pytestconfig):
    world = either_world
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    print(f"seed {seed}, {kills} kills")
    rng = random.Random(seed)
    world.now = datetime.now(UTC)
    written = {(await world.write()).message_id for _ in range(3 * kills)}

    async def slowly(_):
        await asyncio.sleep(rng.random() / 10)
        return "451 later" if rng.random() < 0.1 else "250 taken"

    world.receiver.data = slowly
    script = Path(__file__).with_name("mailing_process.py")
    arguments = (world.location, str(world.receiver.port), str(world.authorities))

    async def process(number):
        return await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), *arguments, f"owner {number}", "patient"), stdout=asyncio.subprocess.DEVNULL
        )

    for number in range(kills):
        running = await process(number)
        before = len(world.receiver.arrived)
        async with asyncio.timeout(STARTING):
            while len(world.receiver.arrived) == before and await world.waiting():  # noqa: ASYNC110  another process does it
                await asyncio.sleep(0.01)
        await asyncio.sleep(rng.random() / 4)
        running.kill()
        await running.wait()
    last = await process("last")
    async with asyncio.timeout(STARTING + 60 + kills):
        while await world.waiting():  # noqa: ASYNC110  as above
            await asyncio.sleep(0.05)
    last.kill()
    await last.wait()
    arrived = [mail.message["Message-ID"].strip().strip("<>").partition(".")[0] for mail in world.receiver.arrived]
    assert set(arrived) == written
    assert len({mail.message["Message-ID"] for mail in world.receiver.arrived}) == len(written)
    print(f"{len(written)} mails, {len(arrived)} arrivals")
