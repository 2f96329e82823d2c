"""Notices of bounces and complaints: only those that quote a mail of ours to the address change anything."""

import mailbox
import random
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.marketing.addresses import AddressBook
from licensing.vault import Vault
from server.errors import SettingsError
from server.mail.bounces import Outcome, read_message, read_notices, stored_messages, take_notices
from server.mail.composing import MessageIds
from storage import open_storage

NOW = datetime(2027, 1, 2, tzinfo=UTC)
TO = "Customer@example.org"
VAULT = Vault(pepper=bytes(32), sealing_key=bytes(32), random=random.Random(1).randbytes)
IDS = MessageIds(VAULT, domain="example.com")
OURS = IDS.of("0193-id", TO)


def notice(
    *, message_id=OURS, address=TO, action="failed", status="5.1.1", quoted="text/rfc822-headers", original=None
) -> bytes:
    more = "" if original is None else f"Original-Recipient: rfc822;{original}\n"
    return f"""From: MAILER-DAEMON@example.org
To: bounces@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=b"

--=b
Content-Type: text/plain

It did not arrive.

--=b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {address}
{more}Action: {action}
Status: {status} (whatever)

--=b
Content-Type: {quoted}

Message-ID: {message_id}
To: {address}
Subject: Your licence

--=b--
""".encode()


def complaint(*, message_id=OURS, kind="abuse", named=True) -> bytes:
    more = f"Original-Rcpt-To: {TO}\n" if named else ""
    return f"""From: fbl@example.org
Content-Type: multipart/report; report-type=feedback-report; boundary="=b"
MIME-Version: 1.0

--=b
Content-Type: text/plain

This is spam.

--=b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Something/1
Version: 1
{more}
--=b
Content-Type: message/rfc822

Message-ID: {message_id}
To: "A, customer" <{TO}>
Subject: Your licence

Text
--=b--
""".encode()


@pytest.fixture
async def book(tmp_path):
    storage = await open_storage(tmp_path / "depot.db")
    made = AddressBook(storage=storage, vault=VAULT, clock=lambda: NOW)
    await made.record_consent(TO, source="shop", actor="cli")
    yield made
    await storage.close()


async def taken(book, *contents):
    counts = await take_notices(map(read_message, contents), book=book, ids=IDS)
    return {outcome for outcome, count in counts.items() if count}


@pytest.mark.parametrize(
    "content",
    [
        notice(), notice(quoted="message/rfc822"), notice(status="5.2.1"), notice(status="5.0.0"),
        notice(address="other@elsewhere.example", original=TO), notice(address=TO.lower()),
        b"From MAILER-DAEMON Sat Jan  2 00:00:00 2027\n" + notice(), notice().replace(b"\n", b"\r\n"),
    ],
)  # fmt: skip
async def test_an_address_that_does_not_exist_gets_no_mail_any_more(book, content):
    assert await taken(book, content) == {Outcome.BOUNCED}
    assert not (await book.wishes(TO)).reachable
    assert await taken(book, content) == {Outcome.BOUNCED}


@pytest.mark.parametrize("content", [complaint(), complaint(named=False), complaint(kind="fraud")])
async def test_a_complaint_ends_offers_and_nothing_else(book, content):
    assert await taken(book, content) == {Outcome.COMPLAINED}
    wishes = await book.wishes(TO)
    assert (wishes.reachable, wishes.offers) == (True, False)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (notice(action="delayed", status="4.4.1"), Outcome.FOR_NOW),
        (notice(action="relayed", status="5.1.1"), Outcome.FOR_NOW),
        (notice(status="5.2.2"), Outcome.FOR_NOW),
        (notice(status="5.7.1"), Outcome.FOR_NOW),
        (notice(status="broken"), Outcome.FOR_NOW),
        (complaint(kind="not-spam"), Outcome.FOR_NOW),
        (notice(message_id="<forged@example.com>"), Outcome.NOT_OURS),
        (notice(address="victim@example.org"), Outcome.NOT_OURS),
        (complaint(message_id="<0193-id.00000000000000000000@example.com>"), Outcome.NOT_OURS),
        (notice(message_id=""), Outcome.NO_NOTICE),
        (b"", Outcome.NO_NOTICE),
        (b"Subject: I am on holiday\n\nUntil Monday.\n", Outcome.NO_NOTICE),
        (b"Content-Type: multipart/report\n\nno parts", Outcome.NO_NOTICE),
    ],
)
async def test_anything_else_changes_nothing(book, content, outcome):
    assert await taken(book, content) == {outcome}
    wishes = await book.wishes(TO)
    assert (wishes.reachable, wishes.offers) == (True, True)


@given(seed=st.integers(0, 2**32), changes=st.integers(1, 30))
def test_a_damaged_notice_is_read_or_left(seed, changes):
    rng = random.Random(seed)
    content = bytearray(rng.choice([notice(), complaint(), notice(quoted="message/rfc822")]))
    for _ in range(changes):
        place = rng.randrange(len(content))
        match rng.randrange(3):
            case 0:
                content[place] = rng.randrange(256)
            case 1:
                del content[place : place + rng.randrange(40)]
            case _:
                content[place:place] = bytes(content[:40])
        content = content or bytearray(b"x")
    for found in read_notices(message_from_bytes(bytes(content))):
        assert found.message_id


def test_messages_are_read_from_a_mailbox_a_maildir_and_one_file(tmp_path):
    single = tmp_path / "one.eml"
    single.write_bytes(notice())
    box = mailbox.mbox(tmp_path / "box")
    folder = mailbox.Maildir(tmp_path / "dir")
    for content in (notice(), complaint()):
        box.add(content)
        folder.add(content)
    box.close()
    for path, count in ((single, 1), (tmp_path / "box", 2), (tmp_path / "dir", 2)):
        assert sum(len(read_notices(message)) for message in stored_messages(path)) == count
    with pytest.raises(SettingsError, match="cannot read"):
        list(stored_messages(Path("/nowhere/at/all")))
