"""Lost and doubtful containers: what a licensee reports, and what support looks at and decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from licensing.allowances import restores_alone
from licensing.errors import (
    ApprovalClosed,
    ApprovalUnknown,
    ContainerNotMarked,
    ContainerUnknown,
    Contended,
    ContextOld,
    ReasonRequired,
    TicketUnknown,
)
from licensing.ids import Ids
from licensing.tickets import normalise_ticket
from licensing.transfers.carrying import Carrier
from licensing.transfers.chain import file_steps
from licensing.transfers.contact import epoch_above
from licensing.transfers.losing import plan_acceptance, plan_loss
from licensing.vault import Vault
from storage.commands import (
    BlockContainer,
    ContainerHistory,
    DecideApproval,
    FindApproval,
    FindContainer,
    ListApprovals,
    LoadTransfer,
    RequestApproval,
    TraceTicket,
    TransferView,
)
from storage.records import Approval, ContainerRow, ContextRow, Counter, Mark

MOST_TRIES = 20
MOST_REASON = 500
_START: Counter = (0, 0)
_NOT_HERE = (
    "no licence of this ticket is in such a container; GetTicket and the container's own listing say what is where"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LossDecision:
    """What became of a reported loss: Lost, ApprovalNeeded or Denied, and the approval's id where there is one."""

    state: str
    approval_id: str | None = None


class Losses:
    """Restores, approvals, blocks, and the healing of copies. Everything is per firm code but a block."""

    def __init__(self, *, carrier: Carrier, vault: Vault, random: Callable[[int], bytes]) -> None:
        self._carrier = carrier
        self._storage = carrier.storage
        self._vault = vault
        self._ids = Ids(clock=carrier.clock, random=random)

    async def restore_license(self, *, ticket: str, serial: str, firm_code: int, reason: str | None) -> LossDecision:
        """Report that a container is lost or broken. What it held is free at once, or after an approval.

        Every licence of the firm code that is there counts against its own item's rules. Reporting it again changes
        nothing. Raises TicketUnknown, ContainerUnknown, Contended, and storage's errors.
        """
        lookup = self._vault.index("ticket", normalise_ticket(ticket))
        # Before anything is read of a container: the time of a refusal says nothing of others' containers either.
        await self._check_held(lookup, serial, firm_code)
        query = _query(serial, firm_code, ticket_lookup=lookup)
        for _ in range(MOST_TRIES):
            view = await self._carrier.view(query)
            if view.ticket is None or view.container is None:
                raise ContainerUnknown(_NOT_HERE, path="serial")
            if view.container.mark is Mark.LOST:
                if self._carrier.journal is not None:
                    await self._carrier.journal.lost(view.container)
                return LossDecision(state="Lost")
            if not self._allowed(view):
                return await self._asked(view.container, view.ticket.ticket_id, reason)
            actor = f"ticket:{view.ticket.ticket_id}"
            if await self._lose(view.container, view, actor=actor, reason=reason):
                return LossDecision(state="Lost")
        raise Contended("the licences of this container keep changing; send the same request again")

    async def _check_held(self, lookup: bytes, serial: str, firm_code: int) -> None:
        """Refuse a container that no licence of a ticket is in, or was in. Raises TicketUnknown, ContainerUnknown."""
        trace = await self._storage.query(TraceTicket(lookup=lookup))
        if trace is None:
            raise TicketUnknown("there is no such ticket; compare it symbol by symbol with the order's", path="ticket")
        firm_codes = {use.license.license_id: use.license.firm_code for use in trace.licenses}
        held = {(placement.serial, firm_codes.get(placement.license_id)) for placement in trace.placements}
        if (serial, firm_code) not in held:
            raise ContainerUnknown(_NOT_HERE, path="serial")

    async def list_approvals(self) -> tuple[Approval, ...]:
        """Give what waits for a decision, oldest first."""
        return await self._storage.query(ListApprovals())

    async def decide_approval(self, approval_id: str, *, approve: bool, reason: str, actor: str) -> LossDecision:
        """Approve or deny a reported loss. Raises ApprovalUnknown, ApprovalClosed, ReasonRequired, Contended."""
        _check_reason(reason)
        found = await self._storage.query(FindApproval(approval_id=approval_id))
        if found is None:
            raise ApprovalUnknown(f"there is no approval {approval_id}; `opendepot approval list` shows the open ones")
        if found.state != "Open":
            raise ApprovalClosed(f"approval {approval_id} is {found.state.lower()} already")
        state = "Approved" if approve else "Denied"
        decided = replace(found, state=state, decided_at=self._carrier.clock(), reason=reason)
        if not approve:
            audit = self._carrier.audit(
                action="RestoreDenied",
                subject=f"{found.serial}/{found.firm_code}",
                actor=actor,
                approval=approval_id,
                reason=reason,
            )
            if not await self._storage.execute(DecideApproval(approval=decided, audit=audit)):
                raise ApprovalClosed(f"somebody else has just decided approval {approval_id}")
            return LossDecision(state="Denied", approval_id=approval_id)
        await self._lost_by_support(found.serial, found.firm_code, actor=actor, reason=reason, approval=decided)
        return LossDecision(state="Lost", approval_id=approval_id)

    async def declare_lost(self, serial: str, firm_code: int, *, reason: str, actor: str) -> None:
        """Declare a container lost, whatever its mark is. Raises ContainerUnknown, ReasonRequired, Contended."""
        _check_reason(reason)
        await self._lost_by_support(serial, firm_code, actor=actor, reason=reason)

    async def accept(self, serial: str, firm_code: int, *, context: bytes, reason: str, actor: str) -> bytes:
        """Accept the copy that has just exported this context: the update file that only it can load.

        The container is `healing` until that file's receipt. Raises ContainerUnknown, ContainerNotMarked, ContextOld,
        ContextRefused, ContainerUnregistered, ReasonRequired, JournalUnwritable, Contended.
        """
        _check_reason(reason)
        read = await self._carrier.read(context, path="context")
        if (read.serial, read.firm_code) != (serial, firm_code):
            raise ContainerUnknown("the context is of another container or firm code; export one there", path="context")
        for _ in range(MOST_TRIES):
            query = replace(_query(serial, firm_code), context_counter=read.counter, export=read.export)
            view = await self._carrier.view(query)
            container = _known(view)
            if container.mark not in {Mark.MARKED, Mark.HEALING}:
                raise ContainerNotMarked(f"the container is {container.mark}, not marked; there is nothing to accept")
            if any(known.nonce == read.nonce for known in await self._contexts(serial, firm_code)):
                raise ContextOld("the context has arrived before; export a new one in the copy that shall be accepted")
            epoch = epoch_above(container, read, view, milliseconds=self._carrier.milliseconds())
            plan = plan_acceptance(container, read, view, now=self._carrier.now(), epoch=epoch)
            if await self._carrier.write(plan, view, action="Accept", actor=actor, reason=reason):
                steps = file_steps(plan.steps, after=read.counter, to=plan.container.end)
                return await self._carrier.file(container, steps) or b""
        raise Contended("the licences of this container keep changing; try again")

    async def block(self, serial: str, *, reason: str, actor: str) -> None:
        """Let a container get nothing, for any firm code, known or not. Raises ReasonRequired."""
        _check_reason(reason)
        await self._block(serial, reason=reason, actor=actor, action="Block")

    async def unblock(self, serial: str, *, reason: str, actor: str) -> None:
        """Take a block away. Raises ReasonRequired."""
        _check_reason(reason)
        await self._block(serial, reason=None, actor=actor, action="Unblock", why=reason)

    async def history(self, serial: str) -> tuple[ContainerHistory, ...]:
        """Give all that is known of a container, for each firm code. Raises ContainerUnknown."""
        found = await self._storage.query(FindContainer(serial=serial))
        if not found:
            raise ContainerUnknown(f"no container {serial} has been heard of", path="serial")
        return found

    async def _contexts(self, serial: str, firm_code: int) -> tuple[ContextRow, ...]:
        histories = await self._storage.query(FindContainer(serial=serial))
        return next(found.contexts for found in histories if found.container.firm_code == firm_code)

    def _allowed(self, view: TransferView) -> bool:
        """Whether every licence that is there may leave a lost container without an approval."""
        there = {placement.license_id for placement in view.placements if placement.wanted or placement.occupied}
        now = self._carrier.now()
        return all(restores_alone(counted, now=now) for counted in view.allowances if counted.license_id in there)

    async def _asked(self, container: ContainerRow, ticket_id: str, reason: str | None) -> LossDecision:
        """Ask for an approval, once; a denied one stands until support declares the container lost."""
        serial, firm_code = container.serial, container.firm_code
        known = await self._storage.query(FindApproval(serial=serial, firm_code=firm_code))
        if known is not None and known.state == "Denied":
            return LossDecision(state="Denied", approval_id=known.approval_id)
        approval = Approval(
            approval_id=self._ids.new(),
            serial=serial,
            firm_code=firm_code,
            ticket_id=ticket_id,
            state="Open",
            requested_at=self._carrier.clock(),
            reason=reason,
        )
        audit = self._carrier.audit(
            action="RestoreRequested",
            subject=f"{serial}/{firm_code}",
            actor=f"ticket:{ticket_id}",
            approval=approval.approval_id,
        )
        stored = await self._storage.execute(RequestApproval(approval=approval, audit=audit))
        self._carrier.alarms.raise_alarm("approval_needed", approval=stored.approval_id, serial=serial)
        return LossDecision(state="ApprovalNeeded", approval_id=stored.approval_id)

    async def _lost_by_support(
        self, serial: str, firm_code: int, *, actor: str, reason: str, approval: Approval | None = None
    ) -> None:
        for _ in range(MOST_TRIES):
            view = await self._carrier.view(_query(serial, firm_code))
            if await self._lose(_known(view), view, actor=actor, reason=reason, approval=approval):
                return
            if approval is not None:
                now = await self._storage.query(FindApproval(approval_id=approval.approval_id))
                if now is None or now.state != "Open":
                    raise ApprovalClosed(f"somebody else has just decided approval {approval.approval_id}")
        raise Contended("the licences of this container keep changing; try again")

    async def _lose(
        self,
        container: ContainerRow,
        view: TransferView,
        *,
        actor: str,
        reason: str | None,
        approval: Approval | None = None,
    ) -> bool:
        plan = plan_loss(container, view, now=self._carrier.now())
        return await self._carrier.write(plan, view, action="Lost", actor=actor, reason=reason, approval=approval)

    async def _block(self, serial: str, *, reason: str | None, actor: str, action: str, why: str | None = None) -> None:
        audit = self._carrier.audit(action=action, subject=serial, actor=actor, reason=why or reason)
        await self._storage.execute(BlockContainer(serial=serial, reason=reason, at=self._carrier.clock(), audit=audit))


def _query(serial: str, firm_code: int, *, ticket_lookup: bytes | None = None) -> LoadTransfer:
    return LoadTransfer(
        serial=serial,
        firm_code=firm_code,
        context_counter=_START,
        export=0,
        ticket_lookup=ticket_lookup,
        allowances=True,
    )


def _known(view: TransferView) -> ContainerRow:
    if view.container is None:
        raise ContainerUnknown("no container of this serial and firm code has been heard of", path="serial")
    return view.container


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MOST_REASON:
        raise ReasonRequired(f"say why, in 1 to {MOST_REASON} characters; the audit keeps it")
