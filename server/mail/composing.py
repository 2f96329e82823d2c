"""A mail as bytes: headers by RFC 5322, 2047 and 8058, text and HTML side by side (RFC 2046, section 5.1.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from licensing.marketing.addresses import AddressBook, read_address
from licensing.marketing.mails import Mail
from licensing.vault import Vault
from server.errors import SettingsError
from server.mail.templates import MailTemplates
from server.mail.unsubscribing import UNSUBSCRIBE_PATH

_TAG_BYTES = 10
_PURPOSE = "mail message id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """A mail that is ready to leave: the envelope's recipient and the bytes after DATA."""

    recipient: str
    content: bytes


class MessageIds:
    """Message-IDs that stay the same at every try, and show that they are the server's own and whose mail it was."""

    def __init__(self, vault: Vault, *, domain: str) -> None:
        self._vault = vault
        self._domain = domain

    def of(self, message_id: str, address: str) -> str:
        """Give the Message-ID of a message of the outbox."""
        return f"<{message_id}.{self._tag(message_id, address)}@{self._domain}>"

    def is_of(self, value: str, address: str) -> bool:
        """Whether a Message-ID is that of a mail that was sent to the address."""
        local = value.strip().strip("<>").partition("@")[0]
        message_id, _, tag = local.rpartition(".")
        return bool(message_id) and tag == self._tag(message_id, address)

    def _tag(self, message_id: str, address: str) -> str:
        return self._vault.index(_PURPOSE, f"{message_id} {address.casefold()}")[:_TAG_BYTES].hex()


class Composer:
    """Composes mails from one sender. `public_url` is where the server's pages are."""

    def __init__(
        self,
        *,
        sender: Address,
        reply_to: Address | None,
        public_url: str,
        templates: MailTemplates,
        book: AddressBook,
        ids: MessageIds,
        clock: Callable[[], datetime],
    ) -> None:
        self._sender = sender
        self._reply_to = reply_to
        self._public_url = public_url
        self._templates = templates
        self._book = book
        self._ids = ids
        self._clock = clock

    def compose(self, mail: Mail, *, message_id: str) -> Composed:
        """Give a mail as it leaves. What holds offers can be unsubscribed; all else says that a machine wrote it.

        Raises AddressInvalid, TemplateInvalid.
        """
        recipient = read_address(mail.address)
        is_list = bool(mail.offers) or mail.kind.is_marketing
        url = f"{self._public_url}{UNSUBSCRIBE_PATH}{self._book.token(recipient)}"
        campaigns = {offer.campaign for offer in mail.offers}
        rendered = self._templates.render(
            mail.kind.template,
            {
                "name": mail.name,
                "licenses": mail.licenses,
                "offers": mail.offers,
                "reason": mail.reason,
                "sender": self._sender.display_name or self._sender.domain,
                "unsubscribe_url": url if is_list else None,
            },
            language=mail.language,
            campaign=campaigns.pop() if len(campaigns) == 1 else None,
        )
        message = EmailMessage(policy=SMTP)
        message["Date"] = format_datetime(self._clock().astimezone(UTC))
        message["From"] = self._sender
        message["To"] = Address(addr_spec=recipient)
        if self._reply_to is not None:
            message["Reply-To"] = self._reply_to
        message["Subject"] = rendered.subject
        if not is_list:
            message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
        message.set_content(rendered.text, cte="quoted-printable")
        if rendered.html is not None:
            message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
        message["Content-Language"] = rendered.language  # last: the parts would take it
        fields = {"Message-ID": self._ids.of(message_id, recipient)}
        if is_list:
            fields |= {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        return Composed(recipient=recipient, content=_whole_lines(fields) + message.as_bytes())


def _whole_lines(fields: Mapping[str, str]) -> bytes:
    """Give fields without a fold: the library would make encoded words of a long URL, and begin ids on a new line."""
    for value in fields.values():
        if not value.isascii() or not value.isprintable():
            raise SettingsError("public_url: it cannot stand in a mail; write it in ASCII")
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
