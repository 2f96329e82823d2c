"""The service: begins extensions, moves them on step by step, answers.

A caller waits in memory alone: while a CRM thinks, an extension holds no thread, no connection of the database and no
lock. Who has waited for `patience_seconds` is told to ask later, and the question goes on.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from licensing.errors import (
    CentralUnavailable,
    Erased,
    ExtensionUnknown,
    LicensingError,
    TransactionConflict,
)
from licensing.extensions.answering import Answers
from licensing.extensions.central import Central, NotDone
from licensing.extensions.choosing import chosen
from licensing.extensions.notifying import mails_of
from licensing.extensions.questions import NoOffers, Offers
from licensing.extensions.rules import Rule
from licensing.extensions.saga import TRANSITIONS, Content, Outcome, Step, from_bytes, to_bytes
from licensing.extensions.steps import Steps, Taken, Work
from licensing.extensions.texts import Texts
from licensing.extensions.values import (
    ExtensionAnswer,
    ExtensionQuestion,
    ExtensionRequest,
    Reason,
    State,
)
from licensing.ids import Ids
from licensing.marketing.mails import Mailer
from licensing.tickets import normalise_ticket
from licensing.vault import Vault
from storage import Storage
from storage.errors import StorageError
from storage.extensions import (
    DONE,
    STUCK,
    AdvanceExtension,
    BeginExtension,
    ClaimExtensions,
    EraseExtensions,
    ExtensionRow,
    FindExtension,
    LoadExtensions,
)
from storage.outbox import OutboxMessage

PURPOSE = "extension"
ENDED = frozenset({DONE, STUCK})
CLAIMED_AT_ONCE = 64


class Extensions(Protocol):
    """Whoever answers extensions: this process, or OZOMM on another computer."""

    async def extend(self, request: ExtensionRequest) -> ExtensionAnswer:
        """Begin an extension, or find it again. Raises the rules' refusals and storage's errors."""
        ...

    async def get(self, question: ExtensionQuestion) -> ExtensionAnswer:
        """Tell what has become of an extension. Raises ExtensionUnknown, and what `extend` raises."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """`caller_seconds`: how long a caller waits for an answer. `lease_seconds`: longer than any step may take.

    What failed is tried again after `first`, then after twice that, up to `most`.
    """

    caller_seconds: float = 5.0
    lease_seconds: float = 120.0
    first: timedelta = timedelta(seconds=15)
    most: timedelta = timedelta(hours=1)
    running: int = 1000

    def wait(self, attempts: int) -> timedelta:
        """Give how long to wait after so many tries."""
        return min(self.most, self.first * float(2 ** min(max(attempts - 1, 0), 16)))


class ExtensionEngine:
    """Extends licences, once each. `told` hears of every step: its name, the outcome, the next, and the failure;
    `broke` of bugs, `refused` of the code when the central does not let a ticket be looked at."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        central: Central,
        rules: Sequence[Rule],
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        owner: str,
        offers: Offers | None = None,
        mailer: Mailer | None = None,
        texts: Texts | None = None,
        patience: Patience | None = None,
        told: Callable[[Mapping[str, object]], None] = lambda _: None,
        broke: Callable[[BaseException], None] = lambda _: None,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._central = central
        self._rules = tuple(rules)
        self._steps = Steps(central=central, rules=rules, offers=offers or NoOffers())
        self._clock = clock
        self._ids = Ids(clock=clock, random=random)
        self._owner = owner
        self._mailer = mailer
        self._answers = Answers(steps=self._steps, texts=texts or {}, clock=clock)
        self._patience = patience or Patience()
        self._running: dict[str, Work] = {}
        self.told = told
        self.broke = broke
        self.refused = refused

    @property
    def running(self) -> int:
        """How many extensions this process works on now."""
        return len(self._running)

    async def extend(self, request: ExtensionRequest) -> ExtensionAnswer:
        """Begin an extension, or find the one of this transactionId again; answer as it stands.

        Raises TicketUnknown, LicenseUnknown, TransactionConflict, Erased, and storage's errors.
        """
        text = normalise_ticket(request.ticket)
        key, request_hash = self._key(text, request.transaction_id), self._request_hash(request)
        row = await self._storage.query(FindExtension(key=key))
        if row is None:
            row = await self._begun(text, request, key, request_hash)
        _refuse_erased(row)
        if row.request_hash != request_hash:
            raise TransactionConflict(
                "this transactionId was used for this ticket with other wishes; take a new one for a new extension",
                path="transactionId",
            )
        return await self._answered(row, context=request.context, language=request.language)

    async def get(self, question: ExtensionQuestion) -> ExtensionAnswer:
        """Tell what has become of an extension. Raises TicketUnknown, ExtensionUnknown, Erased, storage's errors."""
        text = normalise_ticket(question.ticket)
        row = await self._storage.query(FindExtension(key=self._key(text, question.transaction_id)))
        if row is None:
            raise ExtensionUnknown(
                "no extension of this ticket was asked for under this transactionId; send ExtendLicense",
                path="transactionId",
            )
        _refuse_erased(row)
        return await self._answered(row, context=question.context, language=question.language)

    async def turn(self) -> Mapping[str, int]:
        """Take up what is due and belongs to nobody; how many stand at each step. Raises storage's errors."""
        now = self._clock()
        view = await self._storage.query(LoadExtensions(now=now))
        free = self._patience.running - len(self._running)
        if view.due and free > 0:
            for row in await self._claim(limit=min(free, CLAIMED_AT_ONCE)):
                self._start(row, None)
        return view.open

    async def erase(self, *, days: int) -> int:
        """Erase what extensions that ended hold of people after so many days. Raises storage's errors."""
        return await self._storage.execute(EraseExtensions(before=self._clock() - timedelta(days=days)))

    async def idle(self) -> None:
        """Wait until this process works on none."""
        while self._running:
            await asyncio.wait({work.task for work in self._running.values() if work.task is not None})

    async def close(self) -> None:
        """Leave what is under way to whoever takes it up, which is at once where the database can be told so."""
        left = [work for work in self._running.values() if work.task is not None]
        tasks = [work.task for work in left if work.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What a step has written meanwhile has another version, and stays as it is.
        await asyncio.gather(*(self._stored(work, work.row, keep=False) for work in left), return_exceptions=True)

    def _key(self, ticket: str, transaction_id: str) -> bytes:
        return self._vault.index("extension", f"{ticket} {transaction_id}")

    def _request_hash(self, request: ExtensionRequest) -> bytes:
        values = [sorted(request.license_ids), request.days, request.quantity]
        return self._vault.index("extension-request", json.dumps(values))

    async def _begun(self, ticket: str, request: ExtensionRequest, key: bytes, request_hash: bytes) -> ExtensionRow:
        """Write a new extension, which this process holds, or find the one that another was faster with."""
        try:
            seen = await self._central.look(ticket, asker=request.asker)
        except NotDone as error:
            self.refused(error.code)
            raise CentralUnavailable(
                "the licence central cannot be reached now; send the same request again"
            ) from error
        licenses, reason = chosen(seen, request, self._rules)
        content = Content(
            transaction_id=request.transaction_id,
            ticket=ticket,
            ticket_id=seen.ticket_id,
            licenses=licenses,
            customer=seen.customer,
            order_id=seen.order_id,
            language=request.language or seen.customer.language,
            days=request.days,
            quantity=request.quantity,
            approved=None if reason is None else {},
            reason=reason or Reason.WAITING,
            others=tuple(each.license_id for each in seen.licenses),
        )
        now = self._clock()
        row = ExtensionRow(
            extension_id=self._ids.new(),
            key=key,
            request_hash=request_hash,
            ticket_lookup=self._vault.index("ticket", ticket),
            step=Step.CHECK if reason is None else Step.DONE,
            state=State.PENDING if reason is None else State.REFUSED,
            content_sealed=self._vault.seal(PURPOSE, to_bytes(content)),
            version=1,
            attempts=1,
            due_at=now,
            lease_owner=self._owner if reason is None else None,
            lease_until=now + timedelta(seconds=self._patience.lease_seconds) if reason is None else None,
            last_failure=None,
            created_at=now,
            changed_at=now,
        )
        begun = await self._storage.execute(BeginExtension(row=row))
        if begun.extension_id == row.extension_id:
            self._tell(row, "begin", Outcome.LEFT if reason is None else Outcome.DENIED, row.step, None)
            if reason is None:
                self._start(row, request.context, content=content)
        return begun

    async def _claim(self, *, limit: int, extension_id: str | None = None) -> tuple[ExtensionRow, ...]:
        now = self._clock()
        until = now + timedelta(seconds=self._patience.lease_seconds)
        return await self._storage.execute(
            ClaimExtensions(owner=self._owner, now=now, until=until, limit=limit, extension_id=extension_id)
        )

    def _start(self, row: ExtensionRow, context: bytes | None, *, content: Content | None = None) -> Work:
        """Work on an extension whose lease this process holds."""
        content = content or from_bytes(self._vault.open(PURPOSE, row.content_sealed))
        work = Work(row=row, content=content, context=context)
        self._running[row.extension_id] = work
        work.task = asyncio.get_running_loop().create_task(self._moved_on(work))
        return work

    async def _moved_on(self, work: Work) -> None:
        """Take steps until the extension waits or has ended, or somebody else has it."""
        try:
            while work.row.lease_owner == self._owner:
                try:
                    taken = await self._steps.take(work, now=self._clock())
                    if not await self._written(work, taken):
                        return
                except (NotDone, LicensingError) as error:
                    await self._put_off(work, error.code)
        except StorageError as error:
            # The lease ends by itself, and whoever comes then finds the step as it was.
            self._tell(work.row, work.row.step, Outcome.SILENT, work.row.step, error.code)
        except Exception as error:  # noqa: BLE001  the rim of a task: a bug is told, and the lease ends by itself
            self.broke(error)
        finally:
            self._running.pop(work.row.extension_id, None)

    async def _written(self, work: Work, taken: Taken) -> bool:
        """Write what became of a step, with the mails that tell of it; False when somebody else has the extension."""
        step = Step(work.row.step)
        after = TRANSITIONS[step, taken.outcome]
        self._tell(work.row, step, taken.outcome, after, taken.failure)
        work.content = taken.content
        if after is Step.NOTIFY:
            # Telling is part of the write that ends the chain; until then this step may be taken again.
            self._tell(work.row, after, Outcome.TOLD, Step.DONE, None)
            after = TRANSITIONS[after, Outcome.TOLD]
        now = self._clock()
        waits = after is Step.CHECK
        messages = self._messages(work, after)
        if waits and messages:
            work.content = replace(work.content, told=True)
        attempts = work.row.attempts if step is after else 0
        row = replace(
            work.row,
            step=after,
            state=_state(after, work.content),
            content_sealed=self._vault.seal(PURPOSE, to_bytes(work.content)),
            attempts=attempts,
            due_at=now + self._patience.wait(attempts) if waits else now,
            last_failure=taken.failure,
            changed_at=now,
        )
        return await self._stored(work, row, keep=after not in ENDED and not waits, messages=messages)

    async def _put_off(self, work: Work, failure: str) -> None:
        """Let a step be taken again later."""
        now = self._clock()
        self._tell(work.row, work.row.step, Outcome.SILENT, work.row.step, failure)
        row = replace(
            work.row, due_at=now + self._patience.wait(work.row.attempts), last_failure=failure, changed_at=now
        )
        await self._stored(work, row, keep=False)

    async def _stored(
        self, work: Work, row: ExtensionRow, *, keep: bool, messages: tuple[OutboxMessage, ...] = ()
    ) -> bool:
        until = self._clock() + timedelta(seconds=self._patience.lease_seconds)
        row = replace(row, lease_owner=self._owner if keep else None, lease_until=until if keep else None)
        moved = await self._storage.execute(AdvanceExtension(row=row, messages=messages))
        work.row = replace(row, version=row.version + 1)
        return moved

    def _messages(self, work: Work, after: Step) -> tuple[OutboxMessage, ...]:
        if self._mailer is None:
            return ()
        text = self._answers.text(work.content, None)
        return mails_of(self._mailer, work.row.extension_id, work.content, after, text=text)

    async def _answered(self, row: ExtensionRow, *, context: bytes | None, language: str | None) -> ExtensionAnswer:
        """Wait as long as a caller waits, then answer as the extension stands."""
        work = self._running.get(row.extension_id)
        if work is None and row.step not in ENDED and row.lease_owner != self._owner and row.due_at <= self._clock():
            claimed = await self._claim(limit=1, extension_id=row.extension_id)
            work = self._start(claimed[0], context) if claimed else None
        if work is not None and work.task is not None:
            await asyncio.wait({work.task}, timeout=self._patience.caller_seconds)
            if not work.task.done():
                # It is in the middle of a step; what was written last is what stands.
                return await self._answers.answer(work.row, work.content, context=context, language=language)
        found = await self._storage.query(FindExtension(extension_id=row.extension_id))
        row = found or row
        _refuse_erased(row)
        content = from_bytes(self._vault.open(PURPOSE, row.content_sealed))
        update = work.update if work is not None and work.context == context else None
        return await self._answers.answer(row, content, context=context, language=language, update=update)

    def _tell(self, row: ExtensionRow, step: str, outcome: Outcome, after: str, failure: str | None) -> None:
        self.told(
            {
                "extension": row.extension_id,
                "step": str(step),
                "outcome": outcome.value,
                "next": str(after),
                "attempts": row.attempts,
                "failure": failure,
            }
        )


def _state(step: Step, content: Content) -> State:
    if content.extension_order_id is not None:
        return State.EXTENDED
    return State.REFUSED if step is Step.DONE else State.PENDING


def _refuse_erased(row: ExtensionRow) -> None:
    if not row.content_sealed:
        raise Erased(
            "what was answered to this transactionId was erased; take a new one for a new extension",
            path="transactionId",
        )
