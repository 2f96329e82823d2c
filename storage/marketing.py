"""Consent and suppression of mail addresses, reminders that were told, and campaigns with what became of their offers.

An address is known by its keyed hash, the `lookup`; only a consent keeps it besides, sealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from storage.audit import Lease
from storage.outbox import OutboxMessage
from storage.records import AuditRow


class Suppression(StrEnum):
    """Why an address gets no mail: a bounce stops every mail, the others stop marketing."""

    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"


class Fate(StrEnum):
    """What became of an offer."""

    SHOWN = "shown"
    MAILED = "mailed"
    TAKEN = "taken"


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """Somebody agreed to get offers by mail. `sealed` holds the address; `source`: where; `recorded_by`: by whom."""

    lookup: bytes
    sealed: bytes
    given_at: datetime
    source: str
    recorded_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SuppressionRow:
    """An address gets no mail, for a reason, since a time, by what was heard where."""

    lookup: bytes
    reason: Suppression
    at: datetime
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CampaignRow:
    """A campaign; `rules` is JSON. `stopped_at`: it makes no offers any more."""

    name: str
    rules: str
    offer_item: str
    created_at: datetime
    stopped_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferEvent:
    """Something became of an offer about a licence. It is counted once for each campaign, fate and `subject`."""

    campaign: str
    fate: Fate
    subject: str
    license_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordConsent:
    """Write a consent, in the place of an older one, and lift the suppression by an earlier unsubscribing.

    Answered False, and nothing done, where a newer consent or a later unsubscribing is known.
    """

    consent: Consent
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SuppressAddress:
    """Suppress an address, once for each reason; its consent goes but for a bounce. Answered whether it was new."""

    suppression: SuppressionRow
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class LiftSuppressions:
    """Let an address get mail again. Answered with how many suppressions were lifted."""

    lookup: bytes
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetAddress:
    """Take away everything that is known of an address. Answered with how many rows went."""

    lookup: bytes
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AddCampaign:
    """Add a campaign. Answered False when one of the name exists."""

    campaign: CampaignRow
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class StopCampaign:
    """End a campaign. Answered False when there is none of the name that runs."""

    name: str
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class CountOffers:
    """Count what became of offers, each once. Answered with how many were not counted before."""

    events: tuple[OfferEvent, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CountTaken:
    """Count as taken each line that was ordered on a licence's ticket, of the item offered, after the offer was made.

    Only lines up to `days` after it count, and only offers made since a time are looked at. Answered with how many were
    not counted before.
    """

    days: int
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeReminderTurn:
    """Be the one process that goes through what expires. Answered False while somebody else is."""

    lease: Lease


@dataclass(frozen=True, kw_only=True, slots=True)
class TellExpiring:
    """Write the messages about a licence that expires, once for each licence, expiry and stage (days before).

    Answered False, and nothing done, when that was told before, or the licence has changed since `version`.
    """

    license_id: str
    version: int
    expires_at: datetime
    days: int
    at: datetime
    messages: tuple[OutboxMessage, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindAddress:
    """What is known of an address."""

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class AddressView:
    """The answer to `FindAddress`."""

    consent: Consent | None
    suppressions: tuple[SuppressionRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListConsents:
    """Up to `limit` consents by lookup, after one."""

    after: bytes
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListCampaigns:
    """All campaigns by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CountFates:
    """What became of the offers of all campaigns, or of one, by campaign, fate and day (UTC)."""

    campaign: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FateCount:
    """How many offers of a campaign had a fate on a day."""

    campaign: str
    fate: Fate
    day: date
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkExpiring:
    """Go through `limit` licences by id after one, and give those that expire after `earliest` and up to `latest`."""

    after: str
    limit: int
    earliest: datetime
    latest: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpiringLicense:
    """A licence that expires, the newest order of its ticket that names a customer, and the stages that were told."""

    license_id: str
    ticket_id: str
    item_number: str
    version: int
    expires_at: datetime
    shop: str
    order_id: str | None
    order_number: str | None
    customer_sealed: bytes | None
    told: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpiringPage:
    """The answer to `WalkExpiring`. `last`: the last licence gone through, None when there was none."""

    licenses: Sequence[ExpiringLicense]
    last: str | None


MarketingCommand = (
    RecordConsent
    | SuppressAddress
    | LiftSuppressions
    | ForgetAddress
    | AddCampaign
    | StopCampaign
    | CountOffers
    | CountTaken
    | TakeReminderTurn
    | TellExpiring
)
MarketingQuery = FindAddress | ListConsents | ListCampaigns | CountFates | WalkExpiring
