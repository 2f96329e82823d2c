"""Extensions of licences as they are kept: a chain of durable steps for each that was asked for.

Steps and their meaning belong to `licensing.extensions`; here a row has a step, is worked on by whoever holds its
lease, and is due at a time. `done` and `stuck` end the work; somebody may take a stuck one up again.
"""

from dataclasses import dataclass
from datetime import datetime

from storage.outbox import OutboxMessage
from storage.records import AuditRow

DONE = "done"
STUCK = "stuck"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionRow:
    """An extension as it stands. `version` rises with every change; `attempts` are those of the step.

    `key` is a keyed hash of the caller's transactionId and the ticket, `request_hash` one of the values. Both
    `request_hash` and `content_sealed` are empty once personal data was erased. `due_at`: nobody works on it before.
    """

    extension_id: str
    key: bytes
    request_hash: bytes
    ticket_lookup: bytes
    step: str
    state: str
    content_sealed: bytes
    version: int
    attempts: int
    due_at: datetime
    lease_owner: str | None
    lease_until: datetime | None
    last_failure: str | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BeginExtension:
    """Write a new extension, unless there is one with its key. Answered with the row that stands."""

    row: ExtensionRow


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimExtensions:
    """Take up to `limit` extensions that are due, or the one with an id if it is. Answered with their rows.

    Nobody else gets them before `until`.
    """

    owner: str
    now: datetime
    until: datetime
    limit: int
    extension_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdvanceExtension:
    """Write an extension as it shall be, if its version is still the row's, and what is told of it.

    Answered False, and nothing done, when somebody has changed it since.
    """

    row: ExtensionRow
    messages: tuple[OutboxMessage, ...] = ()
    audit: AuditRow | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryExtensions:
    """Make an extension due now, or all that are stuck where there is no id. Answered with how many.

    One that is being worked on, or is done, is left alone.
    """

    extension_id: str | None
    now: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class EraseExtensions:
    """Erase what ended extensions that began before a time hold of people. Answered with how many."""

    before: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FindExtension:
    """An extension by exactly one of its names; None when there is none."""

    key: bytes | None = None
    extension_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListExtensions:
    """Up to `limit` extensions, newest first; only those of a state or a step where one is given."""

    limit: int
    state: str | None = None
    step: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadExtensions:
    """What a runner looks at before it claims."""

    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionsView:
    """The answer to `LoadExtensions`: whether one can be claimed, how many stand at each step, and since when.

    100,000 at most are counted.
    """

    due: bool
    open: dict[str, int]
    oldest_at: datetime | None


ExtensionCommand = BeginExtension | ClaimExtensions | AdvanceExtension | RetryExtensions | EraseExtensions
ExtensionQuery = FindExtension | ListExtensions | LoadExtensions
