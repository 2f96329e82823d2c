"""Reminders: licences that expire in so many days are told of, once for each licence, expiry and stage.

One process at a time goes through the licences, by a lease. That each is told once does not hang on the lease: the mark
that it was told is written in one transaction with the messages.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from licensing.announcing import Announcer
from licensing.errors import AddressInvalid, VaultError
from licensing.marketing.addresses import AddressBook, read_address
from licensing.marketing.campaigns import Campaigns
from licensing.marketing.mails import Mail, Mailer, MailKind, MailLicense
from licensing.marketing.offers import Offer, OfferSubject
from licensing.vault import Vault
from storage import Storage
from storage.audit import Lease
from storage.marketing import ExpiringLicense, TakeReminderTurn, TellExpiring, WalkExpiring
from storage.outbox import OutboxMessage

PAGE = 1000
LEASE = timedelta(minutes=30)
"""Longer than the time from one turn to the next, so that the process that has it keeps it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Customer:
    """Whom a licence's order names."""

    email: str | None = None
    name: str | None = None
    number: str | None = None
    language: str | None = None


class Reminding:
    """Tells of what expires: by mail where there is a `mailer`, to the CRM where there is an `announcer`."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        clock: Callable[[], datetime],
        owner: str,
        days: Collection[int],
        book: AddressBook,
        campaigns: Campaigns,
        mailer: Mailer | None,
        announcer: Announcer | None,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._owner = owner
        self._days = sorted(days)
        self._book = book
        self._campaigns = campaigns
        self._mailer = mailer
        self._announcer = announcer

    async def turn(self) -> int:
        """Go through all licences; how many were told of. Nothing is done while another process is at it.

        Raises storage's errors, and, after all others were told of, VaultError for what cannot be unsealed.
        """
        after, told = "", 0
        damaged: VaultError | None = None
        while True:
            now = self._clock()
            if not await self._storage.execute(
                TakeReminderTurn(lease=Lease(owner=self._owner, now=now, until=now + LEASE))
            ):
                return told
            latest = now + timedelta(days=self._days[-1])
            page = await self._storage.query(WalkExpiring(after=after, limit=PAGE, earliest=now, latest=latest))
            for found in page.licenses:
                try:
                    told += await self._told(found, now)
                except VaultError as error:
                    damaged = error
            if page.last is None:
                break
            after = page.last
        if damaged is not None:
            raise damaged
        return told

    def stage(self, expires_at: datetime, now: datetime) -> int:
        """Give the stage that a licence is in: the fewest days that it has not more than left."""
        return next(days for days in self._days if expires_at <= now + timedelta(days=days))

    async def _told(self, found: ExpiringLicense, now: datetime) -> bool:
        days = self.stage(found.expires_at, now)
        if days in found.told:
            return False
        messages = await self._messages(found, days, now)
        return bool(messages) and await self._storage.execute(
            TellExpiring(
                license_id=found.license_id,
                version=found.version,
                expires_at=found.expires_at,
                days=days,
                at=now,
                messages=messages,
            )
        )

    async def _messages(self, found: ExpiringLicense, days: int, now: datetime) -> tuple[OutboxMessage, ...]:
        customer = self._customer(found)
        messages: tuple[OutboxMessage, ...] = ()
        if self._announcer is not None:
            messages += self._announcer.license_expiring(found, at=now, days=days, customer=customer.number)
        if self._mailer is not None and customer.email is not None:
            try:
                address = read_address(customer.email)
            except AddressInvalid:
                return messages  # what a shop wrote is no address: nobody can be reached by it
            mail = Mail(
                kind=MailKind.EXPIRING,
                address=address,
                name=customer.name,
                language=customer.language,
                licenses=(
                    MailLicense(
                        license_id=found.license_id, item_number=found.item_number, expires_at=found.expires_at
                    ),
                ),
                offers=await self._offers(found, address, customer.language, now),
            )
            messages += (self._mailer.message(mail, ticket_id=found.ticket_id, order_id=found.order_id),)
        return messages

    async def _offers(
        self, found: ExpiringLicense, address: str, language: str | None, now: datetime
    ) -> tuple[Offer, ...]:
        """Give what the customer is offered, who is asked about it once more when the mail is sent."""
        view = await self._book.view(address)
        if view.consent is None:
            return ()
        subject = OfferSubject(
            item_number=found.item_number,
            expires_at=found.expires_at,
            customer_group=self._book.opened(view.consent).customer_group,
            language=language,
        )
        return await self._campaigns.offers(subject, now=now)

    def _customer(self, found: ExpiringLicense) -> _Customer:
        if found.customer_sealed is None:
            return _Customer()
        values = json.loads(self._vault.open("customer", found.customer_sealed))
        return _Customer(
            email=values.get("email"),
            name=values.get("name"),
            number=values.get("customer_number"),
            language=values.get("language"),
        )
