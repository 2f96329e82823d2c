"""Takes messages from the outbox, has a channel deliver them, and notes what became of it.

At least once: a message goes from the database only after its delivery was confirmed. In order: of each key only the
first message can be claimed, and a claim keeps all others away until every try to deliver has surely ended.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from licensing.announcing import PURPOSE
from licensing.errors import VaultError
from licensing.vault import Vault
from observe import EventLog, Metrics
from server.outbox.channels import Channel, Delivered, Delivery, Failed, Withheld
from storage import Storage
from storage.outbox import ClaimMessages, LoadOutbox, MessageState, OutboxRow, SettleDelivered, SettleFailed

AT_ONCE = 16
TRIES_IN_A_LEASE = 4
"""A lease is so many times as long as a try may take: what is left over is for clocks that differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """When a message is tried again, and how often at all.

    The wait doubles with each try; a random half of it keeps messages that failed together from coming back together.
    `random` gives numbers from 0 to 1.
    """

    attempts: int
    random: Callable[[], float]
    first: timedelta = timedelta(seconds=5)
    most: timedelta = timedelta(hours=6)

    def wait(self, attempts: int) -> timedelta:
        """Give how long to wait after so many tries."""
        limit = min(self.most, self.first * float(2 ** min(attempts - 1, 32)))
        return limit * (0.5 + 0.5 * self.random())


class Dispatcher:
    """Delivers the messages of one channel; `owner` tells it from others on the same database."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        channel: Channel,
        backoff: Backoff,
        clock: Callable[[], datetime],
        owner: str,
        events: EventLog,
        metrics: Metrics,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._channel = channel
        self._backoff = backoff
        self._clock = clock
        self._owner = owner
        self._events = events
        self._metrics = metrics

    async def turn(self) -> None:
        """Deliver all that is due. Raises storage's errors; what was not settled then is delivered again."""
        while await self._batch():
            pass

    async def _batch(self) -> int:
        now = self._clock()
        found = await self._storage.query(LoadOutbox(channel=self._channel.name, now=now))
        age = 0.0 if found.oldest_at is None else max(0.0, (now - found.oldest_at).total_seconds())
        self._metrics.outbox_waiting.labels(self._channel.name).set(found.waiting)
        self._metrics.outbox_dead.labels(self._channel.name).set(found.dead)
        self._metrics.outbox_age.labels(self._channel.name).set(age)
        if not found.due:
            return 0
        claimed = await self._storage.execute(
            ClaimMessages(
                channel=self._channel.name,
                owner=self._owner,
                now=now,
                until=now + timedelta(seconds=self._channel.seconds * TRIES_IN_A_LEASE),
                limit=AT_ONCE,
            )
        )
        for outcome in await asyncio.gather(*map(self._deliver, claimed), return_exceptions=True):
            if outcome is not None:
                raise outcome
        return len(claimed)

    async def _deliver(self, row: OutboxRow) -> None:
        """Try once and note the outcome."""
        until = row.lease_until
        seconds = self._channel.seconds
        if until is None or self._clock() + timedelta(seconds=seconds) > until:
            return  # this process was stopped for so long that another may have the message: leave it to the lease
        name, message = self._channel.name, row.message
        erased = not message.content_sealed
        outcome = Delivered() if erased else await self._tried(row)
        if isinstance(outcome, Delivered | Withheld):
            settled = await self._storage.execute(
                SettleDelivered(message_id=message.message_id, owner=self._owner, until=until, attempts=row.attempts)
            )
            withheld = {"reason": outcome.reason} if isinstance(outcome, Withheld) else {}
            became = "erased" if erased else "withheld" if withheld else "delivered"
            self._metrics.outbox_deliveries.labels(name, became).inc()
            self._events.info(
                f"outbox_{became}",
                channel=name,
                message=message.message_id,
                kind=message.kind,
                attempts=row.attempts,
                settled=settled,
                **withheld,
            )
            return
        await self._failed(row, until, outcome)

    async def _tried(self, row: OutboxRow) -> Delivered | Failed | Withheld:
        try:
            content = json.loads(self._vault.open(PURPOSE, row.message.content_sealed))
        except VaultError:
            return Failed(reason="VaultError", final=True)
        ordered = {**content, "key": row.message.key, "number": row.number}
        delivery = Delivery(
            message_id=row.message.message_id,
            kind=row.message.kind,
            content=json.dumps(ordered, separators=(",", ":")).encode(),
        )
        try:
            async with asyncio.timeout(self._channel.seconds):
                return await self._channel.deliver(delivery)
        except TimeoutError:
            return Failed(reason="TimeoutError")

    async def _failed(self, row: OutboxRow, until: datetime, outcome: Failed) -> None:
        dead = outcome.final or row.attempts >= self._backoff.attempts
        wait = self._backoff.wait(row.attempts)
        if outcome.after is not None:
            wait = min(max(wait, outcome.after), self._backoff.most)
        await self._storage.execute(
            SettleFailed(
                message_id=row.message.message_id,
                owner=self._owner,
                until=until,
                attempts=row.attempts,
                state=MessageState.DEAD if dead else MessageState.WAITING,
                due_at=self._clock() + wait,
                failure=outcome.reason,
            )
        )
        self._metrics.outbox_deliveries.labels(self._channel.name, "dead" if dead else "failed").inc()
        self._events.warning(
            "outbox_dead" if dead else "outbox_failed",
            channel=self._channel.name,
            message=row.message.message_id,
            kind=row.message.kind,
            attempts=row.attempts,
            reason=outcome.reason,
            again_in_seconds=None if dead else round(wait.total_seconds(), 1),
        )
