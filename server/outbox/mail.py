"""Mails handed to an SMTP server (RFC 5321), over TLS.

A mail counts as delivered when the server has taken it. What the server refuses for now (4xx), or cannot be asked, is
tried again; what it refuses for good (5xx) is given up; an address that does not exist is suppressed besides.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import aiosmtplib

from licensing.errors import AddressInvalid
from licensing.marketing.addresses import AddressBook
from licensing.marketing.mails import MAIL, Mail, read_mail
from observe import EventLog, Metrics
from server.mail.composing import Composed, Composer
from server.mail.templates import TemplateInvalid
from server.outbox.channels import Delivered, Delivery, Failed, Withheld
from server.settings import MailSecurity
from storage import Storage
from storage.errors import StorageError
from storage.marketing import CountOffers, Fate, OfferEvent, Suppression

_ENHANCED = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})\b")
_NO_SUCH_ADDRESS = {("1", "1"), ("1", "2"), ("1", "3"), ("1", "6"), ("1", "10"), ("2", "1")}
"""Subject and detail of RFC 3463 and RFC 7505 that say that nobody reads mail at an address."""
_NO_MAILBOX = {550, 551, 553}
QUIT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpServer:
    """Where mails are handed to. `seconds`: for a whole mail; `return_path`: where bounces go."""

    host: str
    port: int
    security: MailSecurity
    tls: ssl.SSLContext
    user: str | None
    password: str | None
    return_path: str
    seconds: float


class MailChannel:
    """Delivers the outbox's channel "mail"."""

    name = MAIL

    def __init__(
        self,
        *,
        server: SmtpServer,
        composer: Composer,
        book: AddressBook,
        storage: Storage,
        clock: Callable[[], datetime],
        events: EventLog,
        metrics: Metrics,
    ) -> None:
        self._server = server
        self._composer = composer
        self._book = book
        self._storage = storage
        self._clock = clock
        self._events = events
        self._metrics = metrics

    @property
    def seconds(self) -> float:
        """How long a try takes at most."""
        return self._server.seconds

    async def deliver(self, delivery: Delivery) -> Delivered | Failed | Withheld:  # noqa: PLR0911  one for each outcome
        """Send once, or find that it must not be sent."""
        try:
            mail = read_mail(delivery.content)
            wishes = await self._book.wishes(mail.address)
            if not wishes.reachable:
                return Withheld(reason="bounced before")
            if not wishes.offers:
                if mail.kind.is_marketing:
                    return Withheld(reason="no consent")
                mail = without_offers(mail)
            # A template is an operator's own code: it must not hold up what else this process does.
            composed = await asyncio.to_thread(self._composer.compose, mail, message_id=delivery.message_id)
        except TemplateInvalid as error:
            self._events.warning("mail_template_invalid", file=error.file, line=error.line, problem=error.problem)
            return Failed(reason=f"template {error.file} line {error.line}")
        except AddressInvalid:
            return Failed(reason="AddressInvalid", final=True)
        except ValueError:
            return Failed(reason="ContentInvalid", final=True)
        outcome = await hand_over(self._server, composed)
        if isinstance(outcome, Undeliverable):
            lookup = self._book.lookup(mail.address)
            if await self._book.suppress(lookup, Suppression.BOUNCE, source=outcome.reason, actor="mail"):
                self._metrics.mail_suppressed.labels(Suppression.BOUNCE.value).inc()
            return Failed(reason=outcome.reason, final=True)
        if isinstance(outcome, Delivered):
            await self._count(mail, delivery.message_id)
        return outcome

    async def _count(self, mail: Mail, message_id: str) -> None:
        license_id = mail.licenses[0].license_id if mail.licenses else ""
        events = tuple(
            OfferEvent(campaign=campaign, fate=Fate.MAILED, subject=message_id, license_id=license_id, at=self._clock())
            for campaign in sorted({offer.campaign for offer in mail.offers})
        )
        try:
            if events:
                await self._storage.execute(CountOffers(events=events))
        except StorageError as error:  # the mail has left: a wrong count is better than a second mail
            self._events.warning("mail_uncounted", code=error.code, message=message_id)


def without_offers(mail: Mail) -> Mail:
    """Give a mail without its offers."""
    return Mail(
        kind=mail.kind,
        address=mail.address,
        name=mail.name,
        language=mail.language,
        licenses=mail.licenses,
        reason=mail.reason,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Undeliverable:
    """The server says that nobody reads mail at the address."""

    reason: str


async def hand_over(server: SmtpServer, composed: Composed) -> "Delivered | Failed | Undeliverable":
    """Hand one mail to a server. Cancelled, it lets go of the connection at once."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security is MailSecurity.TLS,
        start_tls=server.security is MailSecurity.STARTTLS,
        tls_context=None if server.security is MailSecurity.NONE else server.tls,
        timeout=server.seconds,
    )
    try:
        await client.connect()
        if server.user is not None and server.password is not None:
            await client.login(server.user, server.password)
        await client.sendmail(server.return_path, [composed.recipient], composed.content)
        with suppress(aiosmtplib.SMTPException, OSError):  # the mail was taken, whatever becomes of the farewell
            async with asyncio.timeout(QUIT_SECONDS):
                await client.quit()
        return Delivered()
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _refused_recipient(error.recipients)
    except aiosmtplib.SMTPDataError as error:
        return Failed(reason=f"SMTP {error.code}", final=error.code >= 500)
    except aiosmtplib.SMTPAuthenticationError as error:
        # A password that is being changed, or a sender that is not allowed yet, must not cost a mail.
        return Failed(reason=f"SMTP login {error.code}")
    except aiosmtplib.SMTPResponseException as error:
        return Failed(reason=f"SMTP {error.code}")
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return Failed(reason=type(error).__name__)
    finally:
        client.close()


def _refused_recipient(refused: Sequence[aiosmtplib.SMTPRecipientRefused]) -> Failed | Undeliverable:
    first = refused[0]
    code = first.code
    found = _ENHANCED.match(first.message)
    reason = f"SMTP {code}" if found is None else f"SMTP {code} {found[0]}"
    if code < 500:
        return Failed(reason=reason)
    unknown = code in _NO_MAILBOX if found is None else (found[2], found[3]) in _NO_SUCH_ADDRESS
    return Undeliverable(reason=reason) if unknown else Failed(reason=reason, final=True)
