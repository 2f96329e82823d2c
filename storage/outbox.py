"""Messages that are to leave the server, written with the change that they tell of, and delivered afterwards.

Messages of one channel and key are delivered in the order of their numbers, which is the order of the commits. The
first message of a key that is not delivered yet keeps the others back, also when it was given up, until somebody
retries or drops it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.records import AuditRow


class MessageState(StrEnum):
    """A message waits for delivery, or was given up and waits for somebody."""

    WAITING = "waiting"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxMessage:
    """A message as it is written. `message_id` stays the same at every delivery, so that receivers know a repetition.

    `order_id` is the order whose erasure takes the message away, None where it holds nothing of a person.
    """

    message_id: str
    channel: str
    key: str
    kind: str
    order_id: str | None
    content_sealed: bytes
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """A message as it stands. `number` counts up within channel and key; `attempts` includes the one that runs.

    `content_sealed` is empty once personal data was erased while the message was on its way. `due_at`: not before.
    """

    message: OutboxMessage
    number: int
    state: MessageState
    attempts: int
    due_at: datetime
    lease_owner: str | None
    lease_until: datetime | None
    last_failure: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimMessages:
    """Take up to `limit` messages that are due for delivery, each the first of its key.

    Answered with their `OutboxRow`s. Nobody else gets them before `until`, and whoever took them must have ended every
    try to deliver them by then.
    """

    channel: str
    owner: str
    now: datetime
    until: datetime
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleDelivered:
    """A claimed message was delivered: it goes. Answered False, and nothing done, when another has claimed it since."""

    message_id: str
    owner: str
    until: datetime
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleFailed:
    """A claimed message was not delivered: it is due again at a time, or given up. Answered like `SettleDelivered`.

    `failure` names the kind of failure, without anything that the receiver sent.
    """

    message_id: str
    owner: str
    until: datetime
    attempts: int
    state: MessageState
    due_at: datetime
    failure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryMessages:
    """Make a message due now, with its attempts counted anew, or all that were given up where `message_id` is None.

    Answered with how many. One that is being delivered is left alone.
    """

    message_id: str | None
    now: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class DropMessage:
    """Take a message away undelivered. Answered False when there is none, or it is just being delivered."""

    message_id: str
    now: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadOutbox:
    """What a dispatcher looks at before it claims."""

    channel: str
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxView:
    """The answer to `LoadOutbox`: whether anything can be claimed, and what waits and was given up.

    100,000 messages at most are counted. `oldest_at` is that of the oldest waiting one.
    """

    due: bool
    waiting: int
    dead: int
    oldest_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListOutbox:
    """Up to `limit` messages by channel, key and number; only those of a state where one is given."""

    limit: int
    state: MessageState | None = None


OutboxCommand = ClaimMessages | SettleDelivered | SettleFailed | RetryMessages | DropMessage
OutboxQuery = LoadOutbox | ListOutbox
