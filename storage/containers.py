"""Containers, losses, links to update files, and waiting for news, as commands and queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from storage.records import Approval, AuditRow, ContainerRow, ContextRow, Counter, Placement, StepRow


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockContainer:
    """Let a container get nothing, for any firm code; `reason` None takes the block away. Answered True.

    Decisions about the container that were read before are `Moved`.
    """

    serial: str
    reason: str | None
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestApproval:
    """Ask for a decision about a loss. Answered with the open `Approval` of this container and firm code."""

    approval: Approval
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class DecideApproval:
    """Write a decision down that changes nothing else. Answered True, or False when it was not open any more."""

    approval: Approval
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkUpdate:
    """Let the file of a container's steps, from one counter to another, be fetched by a token until it expires.

    `lookup` is the token's keyed hash. What has expired `at` this time is forgotten. Answered with True.
    """

    lookup: bytes
    serial: str
    firm_code: int
    first: Counter
    last: Counter
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FindContainer:
    """All that support sees of a container: a `ContainerHistory` for each firm code, sorted."""

    serial: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerHistory:
    """A container and firm code: contexts by arrival, steps in order, audit rows in order, and the licences there."""

    container: ContainerRow
    blocked: bool
    contexts: tuple[ContextRow, ...]
    steps: tuple[StepRow, ...]
    placements: tuple[Placement, ...]
    audit: tuple[AuditRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListApprovals:
    """The open approvals, oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FindApproval:
    """An approval by its id, or the newest one of a container and firm code; None when there is none."""

    approval_id: str | None = None
    serial: str = ""
    firm_code: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FindLinkedSteps:
    """The steps that a token's keyed hash leads to at a time, in order; none for one that is unknown or expired."""

    lookup: bytes
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadSteps:
    """The steps of a container and firm code from one counter to another, both with them, in order."""

    serial: str
    firm_code: int
    first: Counter
    last: Counter


@dataclass(frozen=True, kw_only=True, slots=True)
class ListContainers:
    """Up to `limit` containers by serial and firm code, those that sort after `after`: a tuple of such pairs, sorted.

    Exactly one of the choices is given: all that hold or held licences of a ticket (by its keyed hash), of the orders
    of a shop's customer (by the keyed hash of the number), or those of a firm code.
    """

    after: tuple[str, int]
    limit: int
    ticket_lookup: bytes | None = None
    shop_id: str | None = None
    customer_lookup: bytes | None = None
    firm_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchContainers:
    """Numbers that rise with every change to containers or to what should be in them, by serial and firm code.

    Answered with a `ContainerChanges`; containers that are not known are left out.
    """

    serials: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerChanges:
    """The answer to `WatchContainers`."""

    current_epoch: int
    changes: Mapping[tuple[str, int], int]


ContainerQuery = (
    FindContainer | ListApprovals | FindApproval | FindLinkedSteps | LoadSteps | ListContainers | WatchContainers
)
