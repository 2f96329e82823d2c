"""Guessing at tickets, keys and secrets: counted by who guesses and at whom, slowed down, and told once.

Each wrong ticket or credential is one guess. It is counted durably (`storage.guesses`) for the client's address (IPv6:
its /64, and its /48 at a larger measure), and for the shop, account or ticket that was guessed at; the counts are those
of all workers and nodes. Once an address has made too many, one request of it at a time is heard in each worker, after
a delay; those beside it are told to come again. So whoever shares an address with an attacker gets in, and the attacker
gets a guess or two a second at most. A shop, account or ticket that is guessed at from many addresses is never slowed
down: only the wrong answers are.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from licensing.errors import TicketUnknown
from licensing.vault import Vault
from observe import EventLog, Metrics
from server.errors import NotIdentified, TooManyGuesses
from server.security.authorization import read_authorization
from server.security.callers import Calling
from server.security.wssecurity.refusals import SecurityFailed
from storage import Storage
from storage.errors import StorageError
from storage.guesses import CountGuess, ForgetGuesses, GuessBucket, LoadGuesses

MOST_SLOWED = 256
"""So many answers are held back at a time in a worker; beyond it wrong ones are answered at once."""
WIDER = 8
"""A /48 and a target of guesses may see so many times the guesses of one address."""
QUIET = timedelta(hours=1)
OVERLAP = timedelta(seconds=2)
KEPT = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class GuessLimits:
    """So many guesses of one address are let pass in `period`; then each waits for `delay_seconds`."""

    guesses: int = 10
    period: timedelta = timedelta(minutes=10)
    delay_seconds: float = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Who guesses, or what is guessed at; `text` never leaves the process but as a keyed hash."""

    kind: str
    text: str


def targets_of(call: Calling, message: object, account: str | None) -> tuple[Subject, ...]:
    """Give what a request that failed was about: the shop that it named, the account, the ticket."""
    found = []
    name = call.named
    if name is None and (call.authorization or "").lower().startswith("basic "):
        with suppress(NotIdentified):
            name = read_authorization(call.authorization).name
    if name:
        found.append(Subject(kind="shop", text=name))
    if account:
        found.append(Subject(kind="account", text=account))
    ticket = getattr(message, "ticket", None)
    if isinstance(ticket, str):
        found.append(Subject(kind="ticket", text=ticket))
    return tuple(found)


def is_guess(error: Exception, call: Calling) -> bool:
    """Whether an error says that a ticket or credential was wrong, rather than that there was none."""
    if isinstance(error, NotIdentified):
        return bool(call.authorization) and error.denial is None
    return isinstance(error, TicketUnknown | SecurityFailed)


class GuessKeeper:
    """Counts and slows down. Belongs to one event loop."""

    def __init__(
        self,
        storage: Storage,
        vault: Vault,
        *,
        limits: GuessLimits,
        clock: Callable[[], datetime],
        events: EventLog,
        metrics: Metrics,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._limits = limits
        self._clock = clock
        self._events = events
        self._metrics = metrics
        self._sleep = sleep
        self._empty_at: dict[bytes, datetime] = {}
        self._seen_to: datetime | None = None
        self._heard: set[bytes] = set()
        self._slowed = 0

    @property
    def idle(self) -> bool:
        """Whether nobody has guessed lately, so that nobody needs to be slowed down."""
        return not self._empty_at

    @asynccontextmanager
    async def slowed_down(self, address: str) -> AsyncIterator[None]:
        """Let a request of an address through: at once, after a delay, or not now. Raises TooManyGuesses."""
        over = self._over(_addresses(address))
        if over is None:
            yield
            return
        if over in self._heard:
            raise TooManyGuesses("too many wrong tickets or credentials came from this address; try again later")
        self._heard.add(over)
        try:
            await self._hold_back()
            yield
        finally:
            self._heard.discard(over)

    async def failed(self, address: str, targets: Iterable[Subject] = ()) -> None:
        """Count a guess, and hold the answer back where a target has seen too many. Errors of storage are told."""
        guessing = _addresses(address)
        guessed_at = tuple(targets)
        now = self._clock()
        self._metrics.guesses.inc()
        buckets = {self._key(subject): (subject, self._bucket(subject)) for subject in (*guessing, *guessed_at)}
        try:
            counted = await self._storage.execute(
                CountGuess(buckets=tuple(bucket for _, bucket in buckets.values()), at=now, quiet=QUIET)
            )
        except StorageError as error:
            self._events.warning("guess_not_counted", reason=str(error))
            return
        self._remember(counted.empty_at)
        for key in counted.alarmed:
            self._alarm(buckets[key][0], address)
        if self._over(guessed_at) is not None and self._slowed < MOST_SLOWED:
            self._slowed += 1
            try:
                await self._hold_back()
            finally:
                self._slowed -= 1

    async def look(self) -> None:
        """Take up what other workers and nodes have counted. Raises StorageError."""
        now = self._clock()
        since = now - self._limits.period * 2 if self._seen_to is None else self._seen_to - OVERLAP
        self._remember(await self._storage.query(LoadGuesses(since=since, now=now)))
        self._seen_to = now
        self._empty_at = {key: at for key, at in self._empty_at.items() if at > now}

    async def forget(self) -> None:
        """Take old counts out of the database. Raises StorageError."""
        await self._storage.execute(ForgetGuesses(before=self._clock() - KEPT))

    def _remember(self, found: Mapping[bytes, datetime]) -> None:
        for key, at in found.items():
            if at > self._empty_at.get(key, at - timedelta(1)):
                self._empty_at[key] = at

    def _over(self, subjects: Iterable[Subject]) -> bytes | None:
        """Give the first whose bucket has run over."""
        full_at = self._clock() + self._limits.period
        for subject in subjects:
            key = self._key(subject)
            at = self._empty_at.get(key)
            if at is not None and at > full_at - self._bucket(subject).interval:
                return key
        return None

    def _bucket(self, subject: Subject) -> GuessBucket:
        factor = 1 if subject.kind == "address" else WIDER
        return GuessBucket(
            subject=self._key(subject), capacity=self._limits.guesses * factor, period=self._limits.period
        )

    def _key(self, subject: Subject) -> bytes:
        return self._vault.index(f"guess {subject.kind}", subject.text)

    async def _hold_back(self) -> None:
        await self._sleep(self._limits.delay_seconds)

    def _alarm(self, subject: Subject, address: str) -> None:
        # A shop's name and an address are the operator's to see; accounts and tickets are not.
        shown = {subject.kind: subject.text} if subject.kind in {"address", "network", "shop"} else {}
        self._events.warning("guessing", of=subject.kind, client=address, **shown)
        self._metrics.alarms.labels("guessing").inc()


def _addresses(address: str) -> tuple[Subject, ...]:
    """Give who an address is: itself, or of IPv6 its /64 and its /48."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ()
    if not isinstance(found, IPv6Address):
        return (Subject(kind="address", text=str(found)),)
    return tuple(
        Subject(kind=kind, text=str(ip_network((found, bits), strict=False)))
        for kind, bits in (("address", 64), ("network", 48))
    )
