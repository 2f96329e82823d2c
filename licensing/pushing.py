"""What is waiting for a container, asked by the container itself: no ticket, its own signature (sections 2 and 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from containers import ContainerError, Context, Poll, is_poll, read_poll, render_update, software_serial
from licensing.depot import GET_AUTO_UPDATE, MARK_STATES, Depot, UpdateAnswer
from licensing.errors import ContainerUnregistered, Contended, ContextRefused
from licensing.transfers.carrying import Carrier
from licensing.transfers.chain import file_steps
from licensing.transfers.planning import plan_push
from licensing.watching import Watcher
from storage.commands import LoadSteps, LoadTransfer, TransferView
from storage.errors import StepUnknown
from storage.records import ContainerRow, Counter, Mark

MOST_TRIES = 20
_START: Counter = (0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What is waiting for a container."""

    state: str
    serial: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenStep:
    """A step that was made and is not confirmed yet."""

    counter: Counter
    kind: str
    issued_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransfers:
    """What is unconfirmed for a container: None, Open, or the state of its mark."""

    state: str
    steps: tuple[OpenStep, ...]


class Pushing:
    """Answers containers that ask by a context or a poll. A poll writes nothing but what it sends."""

    def __init__(self, *, carrier: Carrier, depot: Depot, watcher: Watcher, monotonic: Callable[[], float]) -> None:
        self._carrier = carrier
        self._storage = carrier.storage
        self._depot = depot
        self._watcher = watcher
        self._monotonic = monotonic

    async def check_for_updates(self, *, statement: bytes, wait_seconds: int = 0) -> Check:
        """Say what is waiting: UpdateWaiting, NothingNew, ExportAgain, Marked, Healing, Lost, Blocked.

        NothingNew is answered only after `wait_seconds`, or when the server stops. While it waits a request holds
        neither a thread nor a connection of the database nor a lock. ExportAgain: only a context can tell. Raises
        ContextRefused, ContainerUnregistered, Contended, and storage's errors.
        """
        said = await self._read(statement)
        until = self._monotonic() + min(wait_seconds, self._watcher.longest_seconds)
        while True:
            seen = await self._watcher.seen(said.serial, said.firm_code)
            state = await self._waiting(said, statement)
            left = until - self._monotonic()
            if state != "NothingNew" or left <= 0 or self._watcher.closed:
                return Check(state=state, serial=said.serial)
            await self._watcher.wait(said.serial, said.firm_code, seen=seen, seconds=left)

    async def get_auto_update(self, *, statement: bytes) -> UpdateAnswer:
        """Make the update file with all that the vendor wants in the container.

        For a context: the steps from its counter on. For a poll: the steps from the confirmed point on, and none while
        marked or healing, nor before a context in the current epoch. Raises what `check_for_updates` raises, and
        JournalUnwritable.
        """
        said = await self._read(statement)
        if isinstance(said, Context):
            return await self._depot.auto_update(said)
        return await self.push(said.serial, said.firm_code)

    async def push(self, serial: str, firm_code: int) -> UpdateAnswer:
        """Make the update file of a container that has not just said where it is: from the confirmed point on.

        Raises Contended, JournalUnwritable, and storage's errors.
        """
        for _ in range(MOST_TRIES):
            view = await self._view(serial, firm_code)
            refusal = _not_pushed(view)
            if refusal is not None or view.container is None:
                return UpdateAnswer(state=refusal or "ExportAgain", update=None)
            plan = self._carrier.signed(plan_push(view.container, view, now=self._carrier.now()))
            if await self._carrier.write(plan, view, action=GET_AUTO_UPDATE):
                after = view.container.confirmed
                steps = file_steps([*view.steps, *plan.steps], after=after, to=plan.container.end)
                update = await self._carrier.file(plan.container, steps)
                span = (steps[0].counter, steps[-1].counter) if steps else None
                return UpdateAnswer(state="Done" if steps else "NothingNew", update=update, span=span)
        raise Contended("the licences of this container keep changing; send the same request again")

    async def pushed(self, serial: str, firm_code: int, span: tuple[Counter, Counter]) -> bytes:
        """Make a file again that `push` has made: a step is signed once, for ever. Raises StepUnknown."""
        first, last = span
        steps = await self._storage.query(LoadSteps(serial=serial, firm_code=firm_code, first=first, last=last))
        signed = [step.signed for step in steps if step.signed is not None]
        if not signed or len(signed) < len(steps):
            raise StepUnknown("a step of a file that was made is not there any more")
        return render_update(serial=serial, firm_code=firm_code, signed_steps=signed)

    async def get_open_transfers(self, *, statement: bytes) -> OpenTransfers:
        """Give the steps that are not confirmed yet. Raises ContextRefused, ContainerUnregistered."""
        said = await self._read(statement)
        view = await self._view(said.serial, said.firm_code)
        if view.container is None:
            return OpenTransfers(state="None", steps=())
        steps = file_steps(view.steps, after=view.container.confirmed, to=view.container.end)
        marked = MARK_STATES.get(view.container.mark)
        return OpenTransfers(
            state=marked or ("Open" if steps else "None"),
            steps=tuple(OpenStep(counter=step.counter, kind=step.kind, issued_at=step.issued_at) for step in steps),
        )

    async def _read(self, statement: bytes) -> Context | Poll:
        if not is_poll(statement):
            return await self._carrier.read(statement, path="statement")
        try:
            poll = read_poll(statement)
        except ContainerError as error:
            raise ContextRefused(f"{error.code}: {error}", path="statement") from error
        if poll.serial != software_serial(poll.public_key):
            raise ContainerUnregistered(
                "the serial is not that of the container's key; ask the vendor", path="statement"
            )
        return poll

    async def _view(self, serial: str, firm_code: int) -> TransferView:
        return await self._carrier.view(
            LoadTransfer(serial=serial, firm_code=firm_code, context_counter=_START, export=0)
        )

    async def _waiting(self, said: Context | Poll, statement: bytes) -> str:
        after: Counter | None = None
        if isinstance(said, Context):
            taken = await self._depot.confirm_license_update(receipt=statement)
            if taken.state not in {"Confirmed", "Open"}:
                return taken.state
            after = said.counter
        view = await self._view(said.serial, said.firm_code)
        if view.container is None:
            return "NothingNew"
        refusal = _not_pushed(view) if after is None or view.blocked else None
        return refusal or self._difference(view, view.container, after=after)

    def _difference(self, view: TransferView, container: ContainerRow, *, after: Counter | None) -> str:
        start = container.confirmed if after is None else after
        made = file_steps(view.steps, after=start, to=container.end)
        due = made or plan_push(container, view, now=self._carrier.now()).steps
        return "UpdateWaiting" if due else "NothingNew"


def _not_pushed(view: TransferView) -> str | None:
    """Give why nothing may be pushed to a container, None when something may."""
    container = view.container
    if container is None:
        return "NothingNew"
    if container.mark is not Mark.OK:
        return MARK_STATES[container.mark]
    if view.blocked:
        return "Blocked"
    return None if container.contact_epoch == view.current_epoch else "ExportAgain"
