"""What is asked of OZOMM and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from licensing.marketing.offers import Offer


class State(StrEnum):
    """How far an extension is, for the caller."""

    PENDING = "Pending"
    EXTENDED = "Extended"
    REFUSED = "Refused"


class Reason(StrEnum):
    """The case, for programs; `licensing.extensions.texts` has the words for the customer."""

    APPROVED = "Approved"
    WAITING = "Waiting"
    PROVISIONAL = "Provisional"
    NOT_ELIGIBLE = "NotEligible"
    NOT_OFFERED = "NotOffered"
    NOTHING_TO_EXTEND = "NothingToExtend"
    NOT_POSSIBLE = "NotPossible"
    NO_ANSWER = "NoAnswer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who asks, as far as it is known: filters and limits of another computer go by it, no rule does.

    `fronted`: a front has told of it, and has looked at what it passes on.
    """

    address: str
    account: str | None = None
    fronted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionRequest:
    """What a caller wishes, under its own transactionId. `license_ids`: none for all of the ticket that expire.

    `days` and `quantity` are wishes of the customer, None for as before. `context` is the container's, at hand now.
    """

    transaction_id: str
    ticket: str
    license_ids: tuple[str, ...] = ()
    context: bytes | None = None
    language: str | None = None
    days: int | None = None
    quantity: int | None = None
    asker: Asker | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionQuestion:
    """Asks what has become of an extension; see ExtensionRequest."""

    transaction_id: str
    ticket: str
    context: bytes | None = None
    language: str | None = None
    asker: Asker | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenLicense:
    """A licence of a ticket, as the licence central shows it."""

    license_id: str
    item_number: str
    firm_code: int
    quantity: int
    expires_at: datetime | None
    alive: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """An update file, or why there is none: the states of the Depot, or the code of its refusal."""

    state: str
    file: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionAnswer:
    """An extension as it stands. `retry_seconds`: when to ask again, None when it is through."""

    state: State
    reason: Reason
    text: str
    retry_seconds: int | None = None
    licenses: tuple[SeenLicense, ...] = ()
    update: Update | None = None
    offers: tuple[Offer, ...] = ()
