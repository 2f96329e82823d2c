"""What a serving process does beside answering: seal the audit trail, deliver what waits in the outbox, erase old data.

Every worker of every node tries; leases in the database let one of them do it.
"""

import asyncio
import importlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta

from licensing.announcing import Announcer
from licensing.audit import Sealed, Sealer
from licensing.erasure import Erasure
from licensing.marketing.mails import Mailer
from licensing.marketing.reminding import Reminding
from observe import EventLog, Metrics
from server.app import Application
from server.core import Core, utc_now
from server.outbox import Dispatcher
from server.ozomm.running import RUN_SECONDS
from server.settings import ReminderTarget, Settings
from storage import Storage
from storage.errors import StorageError
from storage.marks import ForgetMarks

SEAL_SECONDS = 1.0
DISPATCH_SECONDS = 1.0
SWEEP_SECONDS = 600.0
REMIND_SECONDS = 600.0
MARK_SECONDS = 30.0
MARKS_AT_ONCE = 1_000
FORGIVING = timedelta(minutes=10)
"""How far behind the clock of another node may be."""
GUESSES_SECONDS = 0.25
KEYS_SECONDS = 0.5
LATE_SECONDS = 60.0
GRACE_SECONDS = 2.0
"""How long work that is under way may go on when the process ends."""

Turn = Callable[[], Awaitable[None]]


@asynccontextmanager
async def housekeeping(settings: Settings, core: Core, application: Application) -> AsyncIterator[None]:
    """Do the work beside the requests until the block ends. Raises SettingsError for a webhook's secret."""
    events = application.events
    sealing = Sealing(core.sealer, events=events, metrics=application.metrics)
    async with AsyncExitStack() as stack:
        works: list[tuple[str, Turn, float]] = [
            ("audit_seal", sealing.turn, SEAL_SECONDS),
            ("guesses", application.guesses.look, GUESSES_SECONDS),
            ("keys", core.keys.turn, KEYS_SECONDS),
            ("guesses_forgotten", application.guesses.forget, SWEEP_SECONDS),
        ]
        await stack.enter_async_context(application.extensions.opened())
        if application.extensions.runs:
            works.append(("extensions", application.extensions.turn, RUN_SECONDS))
        works.append(("message_marks", ForgettingMarks(core.storage).turn, MARK_SECONDS))
        if settings.webhook_url is not None:
            dispatcher = await stack.enter_async_context(_webhooks(settings, core, application))
            works.append(("outbox_dispatch", dispatcher.turn, DISPATCH_SECONDS))
        if settings.mail_server is not None:
            posting = _mails(settings, core, application)
            works.append(("mail_dispatch", posting.turn, DISPATCH_SECONDS))
        if settings.reminder_days:
            reminders = Reminders(reminding(settings, core), core, events=events, metrics=application.metrics)
            works.append(("reminders", reminders.turn, REMIND_SECONDS))
        if settings.retention_days is not None:
            sweeping = Sweeping(core, days=settings.retention_days, events=events, metrics=application.metrics)
            works.append(("retention", sweeping.turn, SWEEP_SECONDS))
            works.append(("extension_retention", application.extensions.sweep, SWEEP_SECONDS))
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(repeated(name, turn, seconds=seconds, events=events, stop=stop))
            for name, turn, seconds in works
        ]
        try:
            yield
        finally:
            stop.set()
            # A delivery that is cut off here arrives once more from somebody else, after its lease.
            _, running = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in running:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _webhooks(settings: Settings, core: Core, application: Application) -> AbstractAsyncContextManager[Dispatcher]:
    # Who tells nobody of anything need not load an HTTP client, which takes a fifth of a worker's start.
    return importlib.import_module("server.outbox.delivering").webhooks(settings, core, application)  # type: ignore[no-any-return]


def _mails(settings: Settings, core: Core, application: Application) -> Dispatcher:
    return importlib.import_module("server.outbox.posting").mails(settings, core, application)  # type: ignore[no-any-return]


class ForgettingMarks:
    """Forgets the marks of messages that would be refused for their age by now."""

    def __init__(self, storage: Storage, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._storage = storage
        self._clock = clock

    async def turn(self) -> None:
        """Forget, a part at a time, so that what is written for requests has its turn in between."""
        # A clock of another node that is behind this one's must not find a mark gone that it would need.
        at = self._clock() - FORGIVING
        forgotten = MARKS_AT_ONCE
        while forgotten == MARKS_AT_ONCE:
            forgotten = await self._storage.execute(ForgetMarks(at=at, limit=MARKS_AT_ONCE))


async def repeated(name: str, turn: Turn, *, seconds: float, events: EventLog, stop: asyncio.Event) -> None:
    """Take turns until told to stop, the first one at once; one that fails is told, and the next one comes."""
    failing = False
    while not stop.is_set():
        try:
            await turn()
        except StorageError as error:
            if not failing:  # a database that is away for an hour is one event, not thousands
                events.warning(f"{name}_failed", code=error.code, reason=str(error))
            failing = True
        except Exception as error:  # noqa: BLE001  the rim: the work goes on, and the bug is told with its traceback
            if not failing:
                events.failure(f"{name}_failed", error)
            failing = True
        else:
            failing = False
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


class Sealing:
    """Turns of the sealer, with what an operator sees of them."""

    def __init__(
        self, sealer: Sealer, *, events: EventLog, metrics: Metrics, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._sealer = sealer
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._late = False

    async def turn(self) -> None:
        """Seal all that waits, in batches, unless another process does."""
        while True:
            sealed = await self._sealer.seal()
            self._tell(sealed)
            if not sealed.more:
                return

    def _tell(self, sealed: Sealed) -> None:
        left = sealed.unsealed - sealed.sealed
        lag = 0.0
        if left and sealed.oldest_at is not None:
            lag = max(0.0, (self._clock() - sealed.oldest_at).total_seconds())
        self._metrics.audit_unsealed.set(left)
        self._metrics.audit_seal_lag.set(lag)
        self._metrics.audit_sealed.inc(sealed.sealed)
        if sealed.took_over:
            self._events.info("audit_sealer_took_over")
        if (lag > LATE_SECONDS) is not self._late:
            self._late = not self._late
            if self._late:
                self._events.warning("audit_seal_late", unsealed=left, seconds=round(lag))
            else:
                self._events.info("audit_seal_caught_up")


def reminding(settings: Settings, core: Core) -> Reminding:
    """Give what tells of licences that expire, to whom the settings say."""
    target = settings.reminder_to
    mailer = Mailer(vault=core.vault, clock=utc_now, random=secrets.token_bytes)
    announcer = Announcer(vault=core.vault, clock=utc_now, random=secrets.token_bytes, kinds=settings.webhook_events)
    return Reminding(
        storage=core.storage,
        vault=core.vault,
        clock=utc_now,
        owner=core.owner,
        days=settings.reminder_days,
        book=core.addresses,
        campaigns=core.campaigns,
        mailer=None if target is ReminderTarget.CRM else mailer,
        announcer=None if target is ReminderTarget.CUSTOMER else announcer,
    )


class Reminders:
    """Turns of the reminders, and of counting what became of offers."""

    def __init__(self, reminding: Reminding, core: Core, *, events: EventLog, metrics: Metrics) -> None:
        self._reminding = reminding
        self._campaigns = core.campaigns
        self._events = events
        self._metrics = metrics

    async def turn(self) -> None:
        """Tell of what expires."""
        told = await self._reminding.turn()
        if told:
            self._metrics.reminders_told.inc(told)
            self._events.info("reminders_told", licenses=told)
            await self._campaigns.count_taken()


class Sweeping:
    """Turns of the sweep of old personal data."""

    def __init__(self, core: Core, *, days: int, events: EventLog, metrics: Metrics) -> None:
        self._erasure = Erasure(storage=core.storage, vault=core.vault, clock=utc_now)
        self._days = days
        self._events = events
        self._metrics = metrics

    async def turn(self) -> None:
        """Erase what is old enough."""
        count = await self._erasure.sweep(days=self._days)
        if count:
            self._metrics.orders_erased.inc(count)
            self._events.info("personal_data_erased", orders=count)
