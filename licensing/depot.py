"""Depot: tickets looked at, collected and confirmed, in the order of the transfer protocol, section 3."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from containers import Context
from frozen import quickly_made
from licensing.errors import Contended, TicketUnknown
from licensing.overview import TicketDetails, TicketOverview, details_of, overview_of
from licensing.tickets import ending, normalise_ticket
from licensing.transfers.carrying import Carrier
from licensing.transfers.chain import file_steps
from licensing.transfers.contact import Arrival, Contact, epoch_above, plan_contact, rejoins
from licensing.transfers.judgement import Case, Verdict, judge, unknown_container
from licensing.transfers.planning import Plan, Target, Wish, plan_receipt, plan_update
from licensing.vault import Vault
from storage.commands import FindTickets, LoadTransfer, RaiseEpoch, TraceTicket, TransferView
from storage.records import Counter, Mark, StepRow, TransferRow

GET_LICENSE_UPDATE = "GetLicenseUpdate"
RETURN_LICENSE = "ReturnLicense"
GET_AUTO_UPDATE = "GetAutoUpdate"
CONFIRM_LICENSE_UPDATE = "ConfirmLicenseUpdate"
MOST_TRIES = 20

MARK_STATES = {Mark.MARKED: "Marked", Mark.HEALING: "Healing", Mark.LOST: "Lost"}
NO_TICKET = "there is no such ticket; compare it symbol by symbol with the order's"


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateAnswer:
    """An update file, or why there is none: Done, NothingNew, ExportAgain, Marked, Healing, Lost, Blocked.

    `span`: of a file that was pushed, its first and its last step, by which it can be made again.
    """

    state: str
    update: bytes | None
    span: tuple[Counter, Counter] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What a receipt confirmed, and whose it was: Confirmed, Open, ExportAgain, Marked, Healing, Lost."""

    state: str
    serial: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    """A wish as it was sent, with the key under which it acts once; a wish without targets has no ticket."""

    action: str
    context: Context
    targets: tuple[Target, ...] = ()
    key: bytes | None = None
    user: str | None = None


class Depot:
    """The rules of the Depot service."""

    def __init__(self, *, carrier: Carrier, vault: Vault) -> None:
        self.alarms = carrier.alarms
        self._carrier = carrier
        self._storage = carrier.storage
        self._vault = vault
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
                raise TicketUnknown(NO_TICKET, path=path)
        return overview_of((use for view in found for use in view.licenses), now=self._carrier.clock())

    async def show_ticket(self, ticket: str) -> TicketDetails:
        """Give all that support sees of a ticket. Raises TicketUnknown."""
        text = normalise_ticket(ticket)
        trace = await self._storage.query(TraceTicket(lookup=self._vault.index("ticket", text)))
        if trace is None:
            raise TicketUnknown(NO_TICKET, path="ticket")
        return details_of(trace, ending=ending(text), now=self._carrier.clock())

    async def get_license_update(
        self, *, ticket: str, targets: tuple[Target, ...], context: bytes, user: str | None = None
    ) -> UpdateAnswer:
        """Make the update file that brings a container to the targets; the same request gets the same file.

        Raises TicketUnknown, ContextRefused, ContainerUnregistered, LicenseUnknown, LicenseRepeated, MixedFirmCodes,
        NothingFree, JournalUnwritable, Contended, and storage's errors.
        """
        return await self._asked(GET_LICENSE_UPDATE, ticket, targets, context, user)

    async def return_license(
        self, *, ticket: str, remainders: tuple[Target, ...], context: bytes, user: str | None = None
    ) -> UpdateAnswer:
        """Make the update file that lowers what a container holds to the remainders, None: nothing.

        The pieces become free when the receipt arrives. Raises ReturnRefused, and what `get_license_update` raises but
        NothingFree.
        """
        return await self._asked(RETURN_LICENSE, ticket, remainders, context, user)

    async def auto_update(self, context: Context) -> UpdateAnswer:
        """Make the update file with all that the vendor wants in a container, as its own context asks for it."""
        return await self._carried_out(_Request(action=GET_AUTO_UPDATE, context=context), _query(context))

    async def _asked(
        self, action: str, ticket: str, targets: tuple[Target, ...], context: bytes, user: str | None
    ) -> UpdateAnswer:
        text = normalise_ticket(ticket)
        read = await self._carrier.read(context, path="context")
        key, lookup = self._key(read, action, text, targets), self._vault.index("ticket", text)
        query = _query(read, key=key, ticket_lookup=lookup, allowances=action == RETURN_LICENSE)
        # Row versions decide, within a process as between processes. But of many that collect from one ticket at once
        # only one can win each time, so those of this process take turns instead of losing again and again.
        async with self._turns.setdefault(lookup, asyncio.Lock()):
            asked = _Request(action=action, context=read, targets=targets, key=key, user=user)
            return await self._carried_out(asked, query)

    async def _carried_out(self, asked: _Request, query: LoadTransfer) -> UpdateAnswer:
        """Decide and write, again until nothing has moved in between."""
        read = asked.context
        for _ in range(MOST_TRIES):
            view = await self._carrier.view(query, public_key=read.public_key)
            if view.transfer is not None:
                steps = file_steps(view.steps, after=view.transfer.from_counter, to=view.transfer.to_counter)
                return UpdateAnswer(state="Done", update=await self._carrier.file(read, steps))
            if view.ticket is None and query.ticket_lookup is not None:
                raise TicketUnknown(NO_TICKET, path="ticket")
            met = await self._met(read, view, query)
            if isinstance(met, LoadTransfer):
                query = met
                continue
            if view.container is None and view.ticket is None and met.alarm != "server_behind":
                # Nobody vouches for this container, neither a ticket nor an earlier transfer: nothing is stored for it.
                return UpdateAnswer(state=met.state or "NothingNew", update=None)
            if met.state is not None:
                if (answer := await self._settled(met, read, view, asked.action)) is not None:
                    return answer
                continue
            answer = await self._updated(asked, view)
            if answer is not None:
                return answer
        raise Contended("the licences of this ticket keep changing; send the same request again")

    async def _met(self, context: Context, view: TransferView, query: LoadTransfer) -> Contact | LoadTransfer:
        """Judge a context; a query when more must be known, or was done, before it can be judged."""
        container = view.container or unknown_container(context)
        verdict = judge(Case(view=view, container=container, context=context, ours=self._carrier.ours))
        if verdict is Verdict.SERVER_BEHIND and rejoins(container, context):
            listed = tuple(entry.license_id for entry in context.listing)
            if query.license_ids != listed:
                return replace(query, license_ids=listed)
            if context.counter.epoch >= view.current_epoch:
                await self._new_epoch(context, view)
                return query
        arrival = Arrival(
            container=container,
            context=context,
            view=view,
            verdict=verdict,
            now=self._carrier.now(),
            epoch=epoch_above(container, context, view, milliseconds=self._carrier.milliseconds()),
        )
        met = plan_contact(arrival)
        if met.state is None and view.blocked:
            return replace(met, plan=plan_receipt(container, context, view), state="Blocked")
        return met

    async def _new_epoch(self, context: Context, view: TransferView) -> None:
        """Begin a new epoch of the whole server: it was restored from a backup, and nobody has told it."""
        epoch = max(self._carrier.milliseconds(), view.current_epoch + 1, context.counter.epoch + 1)
        audit = self._carrier.audit(
            action="NewEpoch", subject="server", actor=f"container:{context.serial}", epoch=epoch
        )
        await self._storage.execute(RaiseEpoch(epoch=epoch, audit=audit))
        self.alarms.raise_alarm("new_epoch", epoch=epoch)

    async def _settled(self, met: Contact, context: Context, view: TransferView, action: str) -> UpdateAnswer | None:
        """Write what a context made of its container and answer; None when it had moved, or the wish comes next."""
        plan = self._carrier.signed(met.plan)
        if not await self._carrier.write(plan, view, action=action, context=context):
            return None
        if met.alarm is not None:
            self.alarms.raise_alarm(met.alarm, serial=context.serial, firm_code=context.firm_code)
        if met.state is None or met.state == "Again":
            return None
        steps: Sequence[StepRow] = ()
        if met.sends:
            steps = file_steps([*view.steps, *plan.steps], after=context.counter, to=plan.container.end)
        return UpdateAnswer(state=met.state, update=await self._carrier.file(context, steps))

    async def _updated(self, asked: _Request, view: TransferView) -> UpdateAnswer | None:
        """Decide about one snapshot and write it; None when it had moved."""
        context, wish = asked.context, None
        container = view.container or unknown_container(context)
        if view.ticket is not None:
            lowers = asked.action == RETURN_LICENSE
            wish = Wish(ticket_id=view.ticket.ticket_id, targets=asked.targets, lowers=lowers)
        plan = self._carrier.signed(plan_update(container, context, view, wish, now=self._carrier.now()))
        acted = plan.steps and plan.refusal is None  # a fault is not remembered, nor a request that changed nothing
        transfer = self._transfer(plan, asked) if acted else None
        action = asked.action if acted else CONFIRM_LICENSE_UPDATE
        if not await self._carrier.write(plan, view, action=action, context=context, transfer=transfer):
            return None
        if plan.refusal is not None:
            raise plan.refusal
        steps = file_steps([*view.steps, *plan.steps], after=context.counter, to=plan.container.end)
        return UpdateAnswer(state="Done" if steps else "NothingNew", update=await self._carrier.file(context, steps))

    async def confirm_license_update(self, *, receipt: bytes) -> Confirmation:
        """Take a receipt.

        Raises ContextRefused, ContainerUnregistered, Contended, and storage's errors.
        """
        context = await self._carrier.read(receipt, path="receipt")
        query = _query(context)
        for _ in range(MOST_TRIES):
            view = await self._carrier.view(query, public_key=context.public_key)
            met = await self._met(context, view, query)
            if isinstance(met, LoadTransfer):
                query = met
                continue
            if view.container is None and met.alarm != "server_behind":
                # Nobody vouches for this container, neither a ticket nor an earlier transfer: nothing is stored for it.
                return Confirmation(state=met.state or "Confirmed", serial=context.serial)
            if met.state is not None and met.state != "Blocked":
                answer = await self._settled(replace(met, sends=False), context, view, CONFIRM_LICENSE_UPDATE)
                if answer is not None:
                    return Confirmation(state=answer.state, serial=context.serial)
                continue
            container = view.container or unknown_container(context)
            plan = plan_receipt(container, context, view)
            if await self._carrier.write(plan, view, action=CONFIRM_LICENSE_UPDATE, context=context):
                reached = plan.container.confirmed == container.end
                return Confirmation(state="Confirmed" if reached else "Open", serial=context.serial)
        raise Contended("the licences of this container keep changing; send the same receipt again")

    def _key(self, context: Context, action: str, ticket: str, targets: Iterable[Target]) -> bytes:
        """Give the key that makes requests the same: nonce, action, ticket and targets as sent (section 3, step 1)."""
        values = [context.nonce.hex(), action, ticket, [[target.license_id, target.quantity] for target in targets]]
        return self._vault.index("transfer", json.dumps(values))

    def _transfer(self, plan: Plan, asked: _Request) -> TransferRow | None:
        if asked.key is None:
            return None
        return TransferRow(
            serial=asked.context.serial,
            firm_code=asked.context.firm_code,
            key=asked.key,
            action=asked.action,
            user_sealed=None if asked.user is None else self._vault.seal("user", asked.user.encode()),
            from_counter=asked.context.counter,
            to_counter=plan.container.end,
            created_at=self._carrier.clock(),
        )


def _query(
    context: Context, *, key: bytes | None = None, ticket_lookup: bytes | None = None, allowances: bool = False
) -> LoadTransfer:
    return LoadTransfer(
        serial=context.serial,
        firm_code=context.firm_code,
        context_counter=context.counter,
        export=context.export,
        key=key,
        ticket_lookup=ticket_lookup,
        allowances=allowances,
    )
