"""What one request decides about a container and a firm code, as commands and queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from frozen import quickly_made
from storage.outbox import OutboxMessage
from storage.records import (
    Allowance,
    Approval,
    AuditRow,
    ContainerRow,
    ContextRow,
    Counter,
    LicenseUse,
    Movement,
    Placement,
    StepRow,
    Ticket,
    TransferRow,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyTransfer:
    """Write everything one request decided about one container and firm code, or nothing.

    Written only if the container row still has `container.version` (0: it must not exist) and every licence in
    `license_versions` still has its version; otherwise answered `Moved`. The stored container row gets version + 1,
    and so does each of those licences. `placements` replace the rows of the same (licence, serial). A placement that
    raises wanted or occupied is written only where the sum over all containers fits the licence's quantity afterwards;
    otherwise the command fails with `QuantityExceeded`. `rejoining` writes the placements whatever the sums are: what a
    container holds is a fact (transfer protocol, section 5, *server behind*). `options` replaces those of licences
    that stand in `license_versions`. `approval` is one that is open and decided by this; `Moved` when it no longer is.
    """

    container: ContainerRow
    context: ContextRow | None
    license_versions: Mapping[str, int]
    placements: tuple[Placement, ...]
    steps: tuple[StepRow, ...]
    transfer: TransferRow | None
    audit: AuditRow | None
    movements: tuple[Movement, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    rejoining: bool = False
    approval: Approval | None = None
    messages: tuple[OutboxMessage, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """Written, durably."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A row had changed since it was read; nothing was written: read again and decide again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSigned:
    """Store the signed bytes of steps, by counter. The first bytes stored win.

    Answered with the stored bytes, a tuple in the same order; `StepUnknown` when a step was never reserved.
    """

    serial: str
    firm_code: int
    signed: tuple[tuple[Counter, bytes], ...]


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LoadTransfer:
    """All that a decision about one container and firm code needs, read as one snapshot.

    `context_counter`, `export` are those of the context that arrived; `key` is the request's, None for a receipt;
    `ticket_lookup` adds a ticket's licences, `license_ids` others, and `allowances` the rules of items.
    """

    serial: str
    firm_code: int
    context_counter: Counter
    export: int
    key: bytes | None = None
    ticket_lookup: bytes | None = None
    license_ids: tuple[str, ...] = ()
    allowances: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferView:
    """The answer to `LoadTransfer`.

    `same_export`, `export_below`, `export_above`: among the contexts received at counters from base on, the one with
    the same export number and the nearest ones below and above it (honest contexts rise in both, so the nearest
    decide). `steps`, in order: every step after the confirmed point, every step that the file for this context needs
    (after its counter, but none before the last reset), and every step of the file that answers `transfer`.
    `at_context`: the kept step that ends at the context's counter. `transfer`: the request under `key`, when it acted
    before. `ticket`: None when unknown or not asked for. `licenses`: every licence that the ticket holds (of any firm
    code) or that has a placement here (of this firm code), by creation. `placements`: those in this container, of this
    firm code. `blocks`: left empty here; who has the keys puts there the data of licences for this container.
    """

    container: ContainerRow | None
    current_epoch: int
    same_export: ContextRow | None
    export_below: ContextRow | None
    export_above: ContextRow | None
    steps: tuple[StepRow, ...]
    at_context: StepRow | None
    transfer: TransferRow | None
    ticket: Ticket | None
    licenses: tuple[LicenseUse, ...]
    placements: tuple[Placement, ...]
    blocked: bool = False
    allowances: tuple[Allowance, ...] = ()
    blocks: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)


TransferQuery = LoadTransfer
