"""Notices that a mail did not arrive (RFC 3464) or was complained of (RFC 5965), and what they change.

Anybody can send such a notice. One counts only where it quotes the Message-ID of a mail of this server to that address.
"""

import email
import mailbox
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.utils import getaddresses
from enum import StrEnum
from pathlib import Path

from licensing.marketing.addresses import AddressBook
from server.errors import SettingsError
from server.mail.composing import MessageIds
from storage.marketing import Suppression

MOST_BYTES = 25 * 1024 * 1024
MOST_RECIPIENTS = 100
_STATUS = re.compile(r"^\s*([245])\.(\d{1,3})\.(\d{1,3})")
_DEAD = re.compile(r"^5\.(?:1\.(?:0|1|2|3|6|10)|2\.1|0\.0)$")
"""Status codes that say that nobody reads mail at the address (RFC 3463), and the one that says nothing more."""


class Outcome(StrEnum):
    """What a notice was."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FOR_NOW = "failed for now"
    NOT_OURS = "not ours"
    NO_NOTICE = "no notice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What a notice says of a mail; `addresses` are the names that it has for the recipient."""

    suppression: Suppression | None
    addresses: tuple[str, ...]
    message_id: str
    status: str


def read_notices(message: Message) -> tuple[Notice, ...]:
    """Read a message; nothing where it is no notice or does not quote the mail that it is about."""
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        return ()
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    quoted = _quoted(parts)
    message_id = "" if quoted is None else str(quoted.get("Message-ID", "")).strip()
    if quoted is None or not message_id:
        return ()
    for part in parts:
        match part.get_content_type():
            case "message/delivery-status":
                return tuple(_delivery_notices(part, message_id))[:MOST_RECIPIENTS]
            case "message/feedback-report":
                return _complaint(part, quoted, message_id)
    return ()


def _quoted(parts: Iterable[Message]) -> Message | None:
    """Give the mail that a notice is about, or its headers."""
    for part in parts:
        kind = part.get_content_type()
        if kind == "message/rfc822" and part.is_multipart():
            inner = part.get_payload(0)
            return inner if isinstance(inner, Message) else None
        if kind in {"text/rfc822-headers", "message/rfc822-headers"}:
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return email.message_from_bytes(content)
            inner = part.get_payload(0) if part.is_multipart() else None
            return inner if isinstance(inner, Message) else None
    return None


def _delivery_notices(part: Message, message_id: str) -> Iterator[Notice]:
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, Message) or "Final-Recipient" not in block:
            continue
        found = _STATUS.match(str(block.get("Status", "")))
        status = "" if found is None else found[0].strip()
        failed = str(block.get("Action", "")).strip().lower() == "failed"
        names = [
            str(block.get(name, "")).partition(";")[2].strip() for name in ("Final-Recipient", "Original-Recipient")
        ]
        yield Notice(
            suppression=Suppression.BOUNCE if failed and _DEAD.match(status) else None,
            addresses=tuple(name for name in names if name),
            message_id=message_id,
            status=status,
        )


def _complaint(part: Message, quoted: Message, message_id: str) -> tuple[Notice, ...]:
    fields = part.get_payload(0) if part.is_multipart() else part
    if not isinstance(fields, Message):
        return ()
    kind = str(fields.get("Feedback-Type", "")).strip().lower()
    named = [str(value) for value in (*fields.get_all("Original-Rcpt-To", []), *quoted.get_all("To", []))]
    addresses = tuple(address for _, address in getaddresses(named) if address)[:MOST_RECIPIENTS]
    suppression = Suppression.COMPLAINT if kind in {"abuse", "fraud"} else None
    return (Notice(suppression=suppression, addresses=addresses, message_id=message_id, status=kind),)


async def take_notices(messages: Iterable[Message], *, book: AddressBook, ids: MessageIds) -> Mapping[Outcome, int]:
    """Suppress what notices report, and count what they were."""
    counts: Counter[Outcome] = Counter()
    for message in messages:
        notices = read_notices(message)
        if not notices:
            counts[Outcome.NO_NOTICE] += 1
        for notice in notices:
            counts[await _take(notice, book, ids)] += 1
    return counts


async def _take(notice: Notice, book: AddressBook, ids: MessageIds) -> Outcome:
    address = next((each for each in notice.addresses if ids.is_of(notice.message_id, each)), None)
    if address is None:
        return Outcome.NOT_OURS
    if notice.suppression is None:
        return Outcome.FOR_NOW
    source = f"notice {notice.status}"
    await book.suppress(book.lookup(address), notice.suppression, source=source, actor="bounces")
    return Outcome.BOUNCED if notice.suppression is Suppression.BOUNCE else Outcome.COMPLAINED


def stored_messages(path: Path) -> Iterator[Message]:
    """Give the messages of a Maildir, a mailbox file (RFC 4155) or a file with one message. Raises SettingsError."""
    try:
        if path.is_dir():
            for key in (folder := mailbox.Maildir(path, create=False)).keys():  # noqa: SIM118  no mapping iterates so
                yield read_message(folder.get_bytes(key))
            return
        with path.open("rb") as file:
            is_mailbox = file.read(5) == b"From "
        if not is_mailbox:
            yield read_message(path.read_bytes())
            return
        box = mailbox.mbox(path, create=False)
        try:
            for key in box.iterkeys():
                yield read_message(box.get_bytes(key))
        finally:
            box.close()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None


def read_message(content: bytes) -> Message:
    """Read one message; the line that a mail server puts before it, From ..., is left out. Raises SettingsError."""
    if len(content) > MOST_BYTES:
        raise SettingsError(f"a message is larger than {MOST_BYTES} bytes: no notice is")
    if content.startswith(b"From "):
        content = content.partition(b"\n")[2]
    return email.message_from_bytes(content, policy=policy.compat32)
