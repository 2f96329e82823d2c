"""What rules have decided on its way into the database: beside the requests, and kept where the database is away."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice

from ipfilters import Hits
from observe import EventLog
from storage import Storage
from storage.commands import AddHits, RuleHits
from storage.errors import StorageError

MOST_AT_ONCE = 1_000
"""So many rules at most are one command: what is written for requests has its turn in between."""

ENDING_SECONDS = 5.0
"""How long the end waits for a database that does not answer."""


class HitStore:
    """Adds hits to those in the database. Belongs to one event loop.

    What could not be stored waits for the next time, so that it counts once; where the database was away just when it
    should have said that it has stored them, twice.
    """

    def __init__(self, storage: Storage, *, events: EventLog) -> None:
        self._storage = storage
        self._events = events
        self._waiting: dict[str, RuleHits] = {}
        self._storing: asyncio.Task[None] | None = None
        self._failing = False

    def add(self, hits: Mapping[str, Hits]) -> None:
        """Let hits wait to be stored. They are as old as a count: a first hit is told by its last one so far."""
        self._wait(
            {
                rule_id: RuleHits(hits=found.count, first_at=found.last_at, last_at=found.last_at)
                for rule_id, found in hits.items()
            }
        )

    def begin(self) -> None:
        """Store what waits, without waiting for it; unless that is under way already."""
        if self._waiting and (self._storing is None or self._storing.done()):
            self._storing = asyncio.create_task(self._store())

    async def finish(self) -> None:
        """Store all that waits, as far as the database answers in `ENDING_SECONDS`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING_SECONDS):
                if self._storing is not None:
                    await self._storing
                await self._store()

    async def _store(self) -> None:
        while self._waiting:
            taken = dict(islice(self._waiting.items(), MOST_AT_ONCE))
            for rule_id in taken:
                del self._waiting[rule_id]
            try:
                await self._storage.execute(AddHits(hits=taken))
            except StorageError as error:
                self._wait(taken)
                if not self._failing:
                    self._events.warning("filter_hits_failed", code=error.code, reason=str(error))
                self._failing = True
                return
            except Exception as error:  # noqa: BLE001  the rim: requests are judged all the same
                self._wait(taken)
                if not self._failing:
                    self._events.failure("filter_hits_failed", error)
                self._failing = True
                return
            self._failing = False

    def _wait(self, hits: Mapping[str, RuleHits]) -> None:
        for rule_id, found in hits.items():
            before = self._waiting.get(rule_id, found)
            self._waiting[rule_id] = RuleHits(
                hits=found.hits + (before.hits if before is not found else 0),
                first_at=min(before.first_at, found.first_at),
                last_at=max(before.last_at, found.last_at),
            )
