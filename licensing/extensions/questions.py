"""What a vendor's CRM or ERP system is asked about an extension, and what it may say."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from licensing.extensions.values import SeenLicense
from licensing.marketing.offers import Offer, OfferSubject


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Whom an extension is for, as far as it is known. All of it is personal data."""

    address: str | None = None
    name: str | None = None
    language: str | None = None
    number: str | None = None
    group: str | None = None

    def over(self, other: "Customer") -> "Customer":
        """Give what is known here, and what only the other knows."""
        return Customer(**{name: getattr(self, name) or getattr(other, name) for name in self.__dataclass_fields__})


NOBODY = Customer()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Whether licences of a ticket may be extended. `extension_id` is the same however often it is asked."""

    extension_id: str
    ticket: str
    licenses: tuple[SeenLicense, ...]
    customer: Customer
    language: str | None = None
    days: int | None = None
    quantity: int | None = None
    asked_at: datetime | None = None

    def values(self) -> Mapping[str, Any]:
        """Give all there is to send, by the names that a mapping uses: text, numbers, lists of them."""
        first = self.licenses[0]
        return {
            "extension_id": self.extension_id,
            "ticket": self.ticket,
            "license_id": first.license_id,
            "item_number": first.item_number,
            "quantity": first.quantity,
            "expires_at": None if first.expires_at is None else first.expires_at.astimezone(UTC).isoformat(),
            "license_ids": [each.license_id for each in self.licenses],
            "item_numbers": [each.item_number for each in self.licenses],
            "customer_number": self.customer.number,
            "customer_email": self.customer.address,
            "language": self.language or self.customer.language,
            "wished_days": self.days,
            "wished_quantity": self.quantity,
        }


QUESTION_FIELDS = (
    *("extension_id", "ticket", "license_id", "item_number", "quantity", "expires_at", "license_ids", "item_numbers"),
    *("customer_number", "customer_email", "language", "wished_days", "wished_quantity"),
)
"""The names that `Question.values` gives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a source says. `eligible`: None when it does not know yet and wants to be asked again.

    `item_number` is the item that extends the licences, None for what the rules say; `text` is for the customer.
    """

    eligible: bool | None
    item_number: str | None = None
    text: str | None = None
    customer: Customer = NOBODY
    offers: tuple[Offer, ...] = ()


class Unanswered(Exception):
    """A source did not answer, or not in a way that can be understood. The message names the kind of failure alone."""


class Eligibility(Protocol):
    """Decides whether a customer may extend; asked again with the same `extension_id` it must not count twice."""

    async def ask(self, question: Question) -> Verdict:
        """Decide. Raises Unanswered."""
        ...


class Offers(Protocol):
    """Gives what a customer is offered beside an extension."""

    async def offers(self, subject: OfferSubject, *, now: datetime) -> tuple[Offer, ...]:
        """Give the offers. Raises Unanswered."""
        ...


class NoOffers:
    """Offers nothing."""

    async def offers(self, subject: OfferSubject, *, now: datetime) -> tuple[Offer, ...]:  # noqa: ARG002  the protocol's
        """Give none."""
        return ()


class Everybody:
    """Lets every customer extend: for vendors whose licences expire only to be seen again."""

    async def ask(self, question: Question) -> Verdict:  # noqa: ARG002  the protocol's
        """Say yes."""
        return Verdict(eligible=True)


class AllOf:
    """Eligible if all sources say so. They are asked at once; one no decides, whoever is silent."""

    def __init__(self, sources: Sequence[Eligibility]) -> None:
        self._sources = tuple(sources)

    async def ask(self, question: Question) -> Verdict:
        """Decide. Raises Unanswered when nobody says no and one is silent."""
        verdicts = await _asked(self._sources, question)
        return _combined(verdicts, deciding=False)


class AnyOf:
    """Eligible if one source says so. They are asked at once; one yes decides, whoever is silent."""

    def __init__(self, sources: Sequence[Eligibility]) -> None:
        self._sources = tuple(sources)

    async def ask(self, question: Question) -> Verdict:
        """Decide. Raises Unanswered when nobody says yes and one is silent."""
        verdicts = await _asked(self._sources, question)
        return _combined(verdicts, deciding=True)


async def _asked(sources: Sequence[Eligibility], question: Question) -> list[Verdict | Unanswered]:
    found = await asyncio.gather(*(source.ask(question) for source in sources), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, Unanswered):
            raise each
    return [each for each in found if isinstance(each, Verdict | Unanswered)]


def _combined(found: Sequence[Verdict | Unanswered], *, deciding: bool) -> Verdict:
    verdicts = [each for each in found if isinstance(each, Verdict)]
    decided = [each for each in verdicts if each.eligible is deciding]
    if decided:
        return _merged(decided[0], verdicts)
    silent = [each for each in found if isinstance(each, Unanswered)]
    if silent:
        raise silent[0]
    open_ = [each for each in verdicts if each.eligible is None]
    return _merged(open_[0] if open_ else verdicts[0], verdicts)


def _merged(first: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    """Give the verdict that decides, with what the others of its kind know besides."""
    customer, item, offers = first.customer, first.item_number, first.offers
    for other in verdicts:
        customer = customer.over(other.customer)
        if other is not first and other.eligible is first.eligible:
            item = item or other.item_number
            offers += tuple(offer for offer in other.offers if offer not in offers)
    return Verdict(eligible=first.eligible, item_number=item, text=first.text, customer=customer, offers=offers)
