"""The filters that are in force: one immutable state, swapped by reference when files or the database have changed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ipfilters import (
    Decision,
    Effect,
    HitCounts,
    Mode,
    RuleSet,
    RulesRefused,
    Snapshot,
    collector_waiting,
    compile_rules,
)
from observe import EventLog, Metrics
from server.errors import FiltersStale, SettingsError
from server.filters.denials import DenialEvents
from server.filters.documents import DocumentReader
from server.filters.hits import HitStore
from server.filters.sources import Stamp, load_files, merged, stamp_of
from server.security.certificates import CertificateStore, store_of
from storage import Storage
from storage.commands import FiltersView, LoadFilters, LoadServer
from storage.errors import StorageError
from storage.records import Shop

POLL_SECONDS = 0.25
STALE_SECONDS = 5.0
HITS_EVERY = 240
"""Every so many polls the hits of rules are written as an event, and added to those in the database."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterState:
    """What requests are judged by, read from the database as one snapshot.

    Rules, active shops by name, and their certificates.
    """

    snapshot: Snapshot
    shops: Mapping[str, Shop]
    certificates: CertificateStore
    data_version: int
    document_version: int


class FilterKeeper:
    """Keeps the state up to date. Belongs to one event loop."""

    def __init__(
        self,
        storage: Storage,
        *,
        files: Sequence[Path],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        events: EventLog,
        metrics: Metrics,
    ) -> None:
        self._storage = storage
        self._files = tuple(files)
        self._clock = clock
        self._monotonic = monotonic
        self._events = events
        self._metrics = metrics
        self._state: FilterState | None = None
        self._seen_at = 0.0
        self._told_stale = False
        self._stamp: Stamp | None = None
        self._of_files: tuple[RuleSet, ...] = ()
        self._documents = DocumentReader()
        self._hits = HitCounts()
        self._stored_hits = HitStore(storage, events=events)
        self.denials = DenialEvents(events, monotonic=monotonic)
        self._wake = asyncio.Event()
        self.on_certificates: Callable[[CertificateStore], None] = lambda _: None

    @property
    def of_files(self) -> tuple[RuleSet, ...]:
        """The rules of the files, as they were last read without a mistake."""
        return self._of_files

    def now(self) -> datetime:
        """Give the time that rules expire by."""
        return self._clock()

    def fresh(self) -> FilterState:
        """Give the state. Raises FiltersStale when nobody knows any more whether it is the newest."""
        if self._state is None or self._monotonic() - self._seen_at > STALE_SECONDS:
            raise FiltersStale("who may connect cannot be told now, since the database does not answer")
        return self._state

    def last(self) -> FilterState:
        """Give the state, however old. Raises FiltersStale before there is one."""
        return self.fresh() if self._state is None else self._state

    def hurry(self) -> None:
        """Look at once whether anything has changed."""
        self._wake.set()

    def count(self, decision: Decision) -> None:
        """Count a decision for the rule that took it, a shadow rule where it would have."""
        if decision.winner is None and decision.shadow is None:
            return
        self._hits.count(decision, self._clock())
        shadow = None if decision.shadow is None else decision.shadow.winner
        for rule in (decision.winner, shadow if shadow is not None and shadow.mode is Mode.SHADOW else None):
            if rule is not None:
                outcome = "allow" if rule.effect is Effect.ALLOW else "deny"
                self._metrics.hit(rule.mode.value, outcome)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Read everything, then keep it up to date until the block ends. Raises SettingsError, StorageError."""
        await self._load()
        polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            self._tell_hits()
            await self._stored_hits.finish()
            self.denials.settle(ending=True)

    async def look(self) -> None:
        """Take up what has changed. Raises StorageError, RulesRefused."""
        began = self._monotonic()
        stamp = await asyncio.to_thread(stamp_of, self._files) if self._files else ()
        new_files = stamp != self._stamp and await self._files_again(stamp)
        server = await self._storage.query(LoadServer())
        state = self._state
        if state is None or new_files or server is None or server.data_version != state.data_version:
            await self._take_up(await self._storage.query(LoadFilters()), new_files=new_files)
        self._seen_at = began
        if self._told_stale:
            self._told_stale = False
            self._events.info("filters_fresh")

    async def _load(self) -> None:
        try:
            self._stamp = stamp_of(self._files)
            self._of_files = await asyncio.to_thread(load_files, self._files)
            await self.look()
        except RulesRefused as refused:
            raise SettingsError(f"filter_files: {refused}") from None
        except OSError as error:
            raise SettingsError(f"filter_files: cannot read {error.filename}: {error.strerror}") from None

    async def _files_again(self, stamp: Stamp) -> bool:
        self._stamp = stamp
        try:
            self._of_files = await asyncio.to_thread(load_files, self._files)
        except (RulesRefused, OSError) as error:
            # The rules that were good stay in force: neither open nor closed to all because of a slip of the pen.
            self._events.warning("filters_refused", reason=str(error))
            return False
        return True

    async def _take_up(self, view: FiltersView, *, new_files: bool) -> None:
        before, version = self._state, 0 if view.document is None else view.document.version
        if before is None or new_files or version != before.document_version:
            snapshot = await asyncio.to_thread(self._compiled, view, version)
        else:
            snapshot = before.snapshot
        certificates = await asyncio.to_thread(store_of, view.certificates, view.shops)
        self._state = FilterState(
            snapshot=snapshot,
            shops={shop.name: shop for shop in view.shops if shop.active},
            certificates=certificates,
            data_version=view.data_version,
            document_version=version,
        )
        self.on_certificates(certificates)
        self._metrics.filter_version.set(version)
        if before is not None and before.snapshot is not snapshot:
            self._events.info("filters_applied", version=version, rules=len(snapshot.rule_set.rules))

    def _compiled(self, view: FiltersView, version: int) -> Snapshot:
        with collector_waiting():
            rule_set = merged((*self._of_files, self._documents.read(view.document)))
            return compile_rules(rule_set, version=version, compiled_at=self._clock())

    async def _poll(self) -> None:
        polls = 0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            self._wake.clear()
            try:
                await self.look()
            except (StorageError, RulesRefused) as error:
                self._tell_stale(str(error))
            except Exception as error:  # noqa: BLE001  the rim: without this task nobody would be let in any more
                self._events.failure("internal_error", error, reference="", service="filters")
            self.denials.settle()
            polls += 1
            if polls % HITS_EVERY == 0:
                self._tell_hits()
                # Not waited for: a database that is slow to write must not make the rules look old.
                self._stored_hits.begin()

    def _tell_stale(self, reason: str) -> None:
        if not self._told_stale and self._monotonic() - self._seen_at > STALE_SECONDS:
            self._told_stale = True
            self._events.warning("filters_stale", reason=reason)

    def _tell_hits(self) -> None:
        hits = self._hits.take()
        if hits:
            self._events.info("filter_hits", rules={name: found.count for name, found in hits.items()})
            self._stored_hits.add(hits)
