"""Depot: tickets looked at, collected and confirmed, in the order of the transfer protocol, section 3."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from cryptography.x509 import Certificate

from containers import (
    ContainerError,
    Context,
    FirmSecurityBox,
    SignedStep,
    read_context,
    render_update,
    sign_step,
    software_serial,
    verify_step,
)
from licensing.errors import ContainerUnregistered, Contended, ContextRefused, ServerBehind, TicketUnknown
from licensing.overview import TicketDetails, TicketOverview, details_of, overview_of
from licensing.tickets import ending, normalise_ticket
from licensing.transfers.chain import file_steps
from licensing.transfers.judgement import Case, Verdict, judge, unknown_container
from licensing.transfers.planning import Plan, Target, Wish, plan_receipt, plan_update, seen_only
from licensing.vault import Vault
from storage import Storage
from storage.commands import ApplyTransfer, FindTickets, LoadTransfer, Moved, StoreSigned, TraceTicket, TransferView
from storage.records import (
    AuditRow,
    ContainerRow,
    ContextRow,
    Counter,
    Mark,
    StepRow,
    TransferRow,
)

GET_LICENSE_UPDATE = "GetLicenseUpdate"
CONFIRM_LICENSE_UPDATE = "ConfirmLicenseUpdate"
MOST_TRIES = 20
OFF_LOOP_BYTES = 64 * 1024

_NO_TICKET = "there is no such ticket; compare it symbol by symbol with the order's"
_MARK_STATES = {Mark.MARKED: "Marked", Mark.HEALING: "Healing", Mark.LOST: "Lost"}


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateAnswer:
    """An update file, or why there is none: Done, NothingNew, ExportAgain, Marked, Healing, Lost."""

    state: str
    update: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What a receipt confirmed, and whose it was: Confirmed, Open, ExportAgain, Marked, Healing, Lost."""

    state: str
    serial: str


class Depot:
    """The rules of the Depot service. `trust`: the roots of this vendor, by which its own steps are known."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        box: FirmSecurityBox,
        trust: Sequence[Certificate],
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._box = box
        self._trust = trust
        self._clock = clock
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def get_ticket(self, *, tickets: tuple[str, ...]) -> TicketOverview:
        """Give the licences of tickets, each once, in the order of the tickets. Raises TicketUnknown."""
        paths = [f"ticket[{number}]" for number in range(1, len(tickets) + 1)]
        texts = [normalise_ticket(text, path=path) for text, path in zip(tickets, paths, strict=True)]
        lookups = [self._vault.index("ticket", text) for text in texts]
        found = await self._storage.query(FindTickets(lookups=tuple(dict.fromkeys(lookups))))
        known = {view.ticket.lookup for view in found}
        for lookup, path in zip(lookups, paths, strict=True):
            if lookup not in known:
                raise TicketUnknown(_NO_TICKET, path=path)
        return overview_of((use for view in found for use in view.licenses), now=self._clock())

    async def show_ticket(self, ticket: str) -> TicketDetails:
        """Give all that support sees of a ticket. Raises TicketUnknown."""
        text = normalise_ticket(ticket)
        trace = await self._storage.query(TraceTicket(lookup=self._vault.index("ticket", text)))
        if trace is None:
            raise TicketUnknown(_NO_TICKET, path="ticket")
        return details_of(trace, ending=ending(text), now=self._clock())

    async def get_license_update(
        self, *, ticket: str, targets: tuple[Target, ...], context: bytes, user: str | None = None
    ) -> UpdateAnswer:
        """Make the update file that brings a container to the targets; the same request gets the same file.

        Raises TicketUnknown, ContextRefused, ContainerUnregistered, ServerBehind, LicenseUnknown, LicenseRepeated,
        MixedFirmCodes, NothingFree, Contended, and storage's errors.
        """
        text = normalise_ticket(ticket)
        read = await self._read(context, path="context")
        key, lookup = self._key(read, GET_LICENSE_UPDATE, text, targets), self._vault.index("ticket", text)
        query = LoadTransfer(
            serial=read.serial,
            firm_code=read.firm_code,
            context_counter=read.counter,
            export=read.export,
            key=key,
            ticket_lookup=lookup,
        )
        # Row versions decide, within a process as between processes. But of many that collect from one ticket at once
        # only one can win each time, so those of this process take turns instead of losing again and again.
        async with self._turns.setdefault(lookup, asyncio.Lock()):
            return await self._collected(read, query, targets, key, user)

    async def _collected(
        self, read: Context, query: LoadTransfer, targets: tuple[Target, ...], key: bytes, user: str | None
    ) -> UpdateAnswer:
        """Decide and write, again until nothing has moved in between."""
        for _ in range(MOST_TRIES):
            view = await self._storage.query(query)
            if view.transfer is not None:
                steps = file_steps(view.steps, after=view.transfer.from_counter, to=view.transfer.to_counter)
                return UpdateAnswer(state="Done", update=await self._file(read, steps))
            if view.ticket is None:
                raise TicketUnknown(_NO_TICKET, path="ticket")
            answer = await self._updated(read, view, Wish(ticket_id=view.ticket.ticket_id, targets=targets), key, user)
            if answer is not None:
                return answer
        raise Contended("the licences of this ticket keep changing; send the same request again")

    async def _updated(
        self, context: Context, view: TransferView, wish: Wish, key: bytes, user: str | None
    ) -> UpdateAnswer | None:
        """Decide about one snapshot and write it; None when it had moved."""
        container = view.container or unknown_container(context)
        verdict = self._judged(container, context, view, path="context")
        if container.mark is not Mark.OK or verdict in {Verdict.TWO_COPIES, Verdict.UNKNOWN}:
            state = await self._told_apart(container, context, view, verdict)
            return None if state is None else UpdateAnswer(state=state, update=None)
        if verdict is Verdict.LATE:
            if not await self._written(Plan(container=seen_only(container, context)), context, view):
                return None
            steps = file_steps(view.steps, after=context.counter, to=container.end)
            return UpdateAnswer(state="ExportAgain", update=await self._file(context, steps))
        plan = plan_update(container, context, view, wish, now=self._now())
        acted = plan.steps and plan.refusal is None  # a fault is not remembered, nor a request that changed nothing
        transfer = self._transfer(plan, context, key, user) if acted else None
        if not await self._written(plan, context, view, transfer=transfer):
            return None
        if plan.refusal is not None:
            raise plan.refusal
        steps = file_steps([*view.steps, *plan.steps], after=context.counter, to=plan.container.end)
        return UpdateAnswer(state="Done" if steps else "NothingNew", update=await self._file(context, steps))

    async def confirm_license_update(self, *, receipt: bytes) -> Confirmation:
        """Take a receipt.

        Raises ContextRefused, ContainerUnregistered, ServerBehind, Contended, and storage's errors.
        """
        context = await self._read(receipt, path="receipt")
        query = LoadTransfer(
            serial=context.serial, firm_code=context.firm_code, context_counter=context.counter, export=context.export
        )
        for _ in range(MOST_TRIES):
            view = await self._storage.query(query)
            container = view.container or unknown_container(context)
            verdict = self._judged(container, context, view, path="receipt")
            if view.container is None:
                # Nobody vouches for this container, neither a ticket nor an earlier transfer: nothing is stored for it.
                vouched = "Confirmed" if verdict is Verdict.RECEIPT else _MARK_STATES[Mark.MARKED]
                return Confirmation(state=vouched, serial=context.serial)
            if container.mark is not Mark.OK or verdict in {Verdict.TWO_COPIES, Verdict.UNKNOWN}:
                state = await self._told_apart(container, context, view, verdict)
                if state is not None:
                    return Confirmation(state=state, serial=context.serial)
            elif verdict is Verdict.LATE:
                if await self._written(Plan(container=seen_only(container, context)), context, view):
                    return Confirmation(state="ExportAgain", serial=context.serial)
            else:
                plan = plan_receipt(container, context, view)
                if await self._written(plan, context, view):
                    reached = plan.container.confirmed == container.end
                    return Confirmation(state="Confirmed" if reached else "Open", serial=context.serial)
        raise Contended("the licences of this container keep changing; send the same receipt again")

    async def _read(self, data: bytes, *, path: str) -> Context:
        """Read a context file and require that its serial is proved by its key."""
        try:
            context = await asyncio.to_thread(read_context, data) if len(data) > OFF_LOOP_BYTES else read_context(data)
        except ContainerError as error:
            raise ContextRefused(f"{error.code}: {error}", path=path) from error
        if context.serial != software_serial(context.public_key):
            raise ContainerUnregistered("the serial is not that of the container's key; ask the vendor", path=path)
        return context

    def _key(self, context: Context, action: str, ticket: str, targets: Iterable[Target]) -> bytes:
        """Give the key that makes requests the same: nonce, action, ticket and targets as sent (section 3, step 1)."""
        values = [context.nonce.hex(), action, ticket, [[target.license_id, target.quantity] for target in targets]]
        return self._vault.index("transfer", json.dumps(values))

    def _judged(self, container: ContainerRow, context: Context, view: TransferView, *, path: str) -> Verdict:
        verdict = judge(Case(view=view, container=container, context=context, ours=self._ours))
        if verdict is Verdict.SERVER_BEHIND and container.mark is Mark.OK:
            raise ServerBehind(
                "the container holds a step that this server does not know; nothing was changed, ask support",
                path=path,
            )
        return verdict

    def _ours(self, step: SignedStep) -> bool:
        try:
            verify_step(step, trust=self._trust)
        except ContainerError:
            return False
        return True

    async def _told_apart(
        self, container: ContainerRow, context: Context, view: TransferView, verdict: Verdict
    ) -> str | None:
        """Record a context that nothing is done for: the container is, or becomes, marked."""
        fresh = container.mark is Mark.OK
        row = replace(container, mark=Mark.MARKED) if fresh else container
        audit = self._audit(context, f"Marked: {verdict}") if fresh else None
        written = await self._written(Plan(container=row), context, view, audit=audit)
        return _MARK_STATES[row.mark] if written else None

    def _transfer(self, plan: Plan, context: Context, key: bytes, user: str | None) -> TransferRow:
        return TransferRow(
            serial=context.serial,
            firm_code=context.firm_code,
            key=key,
            action=GET_LICENSE_UPDATE,
            user_sealed=None if user is None else self._vault.seal("user", user.encode()),
            from_counter=context.counter,
            to_counter=plan.container.end,
            created_at=self._clock(),
        )

    async def _written(
        self,
        plan: Plan,
        context: Context,
        view: TransferView,
        *,
        transfer: TransferRow | None = None,
        audit: AuditRow | None = None,
    ) -> bool:
        """Write a plan with one command; False when something had moved.

        A plan that changes nothing, for a context that is stored already, is not written. What a step is made from must
        not have moved: every licence that is placed here, and every one whose placement changes.
        """
        if plan.container == view.container and not plan.placements and not plan.steps and view.same_export is not None:
            return True
        depends = {placement.license_id for placement in (*plan.placements, *(view.placements if plan.steps else ()))}
        if audit is None and (plan.steps or plan.placements):
            audit = self._audit(context, GET_LICENSE_UPDATE if transfer else CONFIRM_LICENSE_UPDATE)
        command = ApplyTransfer(
            container=plan.container,
            context=ContextRow(
                serial=context.serial,
                firm_code=context.firm_code,
                export=context.export,
                nonce=context.nonce,
                counter=context.counter,
                digest=context.digest,
                received_at=self._clock(),
            ),
            license_versions={
                use.license.license_id: use.license.version
                for use in view.licenses
                if use.license.license_id in depends
            },
            placements=plan.placements,
            steps=plan.steps,
            transfer=transfer,
            audit=audit,
        )
        return not isinstance(await self._storage.execute(command), Moved)

    def _audit(self, context: Context, action: str) -> AuditRow:
        return AuditRow(
            at=self._clock(),
            actor=f"container:{context.serial}",
            action=action,
            subject=f"{context.serial}/{context.firm_code}",
            details=json.dumps({"export": context.export, "counter": list(context.counter)}),
        )

    def _signed(self, steps: Sequence[StepRow]) -> tuple[tuple[Counter, bytes], ...]:
        return tuple((step.counter, sign_step(step.content, firm_code=step.firm_code, box=self._box)) for step in steps)

    async def _file(self, context: Context, steps: Sequence[StepRow]) -> bytes | None:
        """Give the file, what is reserved but unsigned signed first; the first bytes stored win (section 3, step 6)."""
        if not steps:
            return None
        signed: dict[Counter, bytes] = {step.counter: step.signed for step in steps if step.signed is not None}
        unsigned = [step for step in steps if step.signed is None]
        fresh = await asyncio.to_thread(self._signed, unsigned) if self._box.waits else self._signed(unsigned)
        if fresh:
            stored = await self._storage.execute(
                StoreSigned(serial=context.serial, firm_code=context.firm_code, signed=fresh)
            )
            signed.update((counter, data) for (counter, _), data in zip(fresh, stored, strict=True))
        return render_update(
            serial=context.serial,
            firm_code=context.firm_code,
            signed_steps=[signed[step.counter] for step in steps],
        )

    def _now(self) -> datetime:
        """Give the time in whole seconds, as files hold it."""
        return self._clock().astimezone(UTC).replace(microsecond=0)
