"""Mails as messages of the outbox, written in the transaction of what they tell of (see `storage.outbox`).

A mail is sealed where it waits, and goes with the personal data of its order. It is written and rendered apart: what
waits holds values, and the template is applied when it is sent, so that a mended template mends what waits. Whether the
customer wants offers is looked at when it is sent, too.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from licensing.announcing import PURPOSE
from licensing.ids import Ids
from licensing.marketing.offers import Offer
from licensing.vault import Vault
from storage.outbox import OutboxMessage

MAIL = "mail"


class MailKind(StrEnum):
    """What there are mails about; the part behind the dot is the name of the template.

    All but OFFERS answer the customer or tell of what was bought, and need no consent. Offers in them are left out,
    and OFFERS are not sent at all, where there is none.
    """

    EXTENDED = "mail.extended"
    EXTENSION_PENDING = "mail.pending"
    EXTENSION_REFUSED = "mail.refused"
    EXTENSION_WITHDRAWN = "mail.withdrawn"
    EXPIRING = "mail.expiring"
    OFFERS = "mail.offers"
    TEST = "mail.test"

    @property
    def template(self) -> str:
        """The name of the template."""
        return self.value.partition(".")[2]

    @property
    def is_marketing(self) -> bool:
        """Whether it is sent only with consent."""
        return self is MailKind.OFFERS


@dataclass(frozen=True, kw_only=True, slots=True)
class MailLicense:
    """A licence that a mail is about. `expires_at`: when it ends now, None for never."""

    license_id: str
    item_number: str
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """A mail before it is rendered. `language` is a tag of BCP 47; `reason` is for the customer, in that language."""

    kind: MailKind
    address: str
    name: str | None = None
    language: str | None = None
    licenses: tuple[MailLicense, ...] = ()
    offers: tuple[Offer, ...] = ()
    reason: str | None = None


class Mailer:
    """Makes the messages of the channel "mail"."""

    def __init__(
        self, *, vault: Vault, clock: Callable[[], datetime], random: Callable[[int], bytes], channel: str = MAIL
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._ids = Ids(clock=clock, random=random)
        self._channel = channel

    def message(
        self, mail: Mail, *, ticket_id: str, order_id: str | None, message_id: str | None = None
    ) -> OutboxMessage:
        """Give a mail as what a command writes.

        `order_id` is the order whose customer gets it. `message_id` is given where the same mail may be written twice
        and must keep its name; it is 64 characters of letters, digits and `-` at most.

        Mails of one kind about one ticket arrive in their order; a mail that cannot be sent holds up no other kind.
        """
        now = self._clock()
        return OutboxMessage(
            message_id=message_id or self._ids.new(),
            channel=self._channel,
            key=f"{ticket_id} {mail.kind.template}",
            kind=mail.kind.value,
            order_id=order_id,
            content_sealed=self._vault.seal(PURPOSE, json.dumps(_values(mail)).encode()),
            created_at=now,
        )


def _values(mail: Mail) -> Mapping[str, Any]:
    return {
        "type": mail.kind.value,
        "address": mail.address,
        "name": mail.name,
        "language": mail.language,
        "licenses": [
            {
                "licenseId": each.license_id,
                "itemNumber": each.item_number,
                "expiresAt": None if each.expires_at is None else each.expires_at.astimezone(UTC).isoformat(),
            }
            for each in mail.licenses
        ],
        "offers": [
            {
                "campaign": each.campaign,
                "itemNumber": each.item_number,
                "title": each.title,
                "text": each.text,
                "url": each.url,
            }
            for each in mail.offers
        ],
        "reason": mail.reason,
    }


def read_mail(content: bytes) -> Mail:
    """Read what `Mailer` wrote. Raises ValueError for anything else."""
    try:
        found = json.loads(content)
        return Mail(
            kind=MailKind(found["type"]),
            address=found["address"],
            name=found["name"],
            language=found["language"],
            licenses=tuple(
                MailLicense(
                    license_id=each["licenseId"],
                    item_number=each["itemNumber"],
                    expires_at=None if each["expiresAt"] is None else datetime.fromisoformat(each["expiresAt"]),
                )
                for each in found["licenses"]
            ),
            offers=tuple(
                Offer(
                    campaign=each["campaign"],
                    item_number=each["itemNumber"],
                    title=each["title"],
                    text=each["text"],
                    url=each["url"],
                )
                for each in found["offers"]
            ),
            reason=found["reason"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the content of a mail: {type(error).__name__}") from None
