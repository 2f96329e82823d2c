"""What an operator does with messages that wait or were given up."""

from collections.abc import Callable
from datetime import datetime

from licensing.errors import MessageUnknown
from storage import Storage
from storage.outbox import DropMessage, ListOutbox, MessageState, OutboxRow, RetryMessages
from storage.records import AuditRow

ALL = 2**31


class Outbox:
    """Lists messages, has them tried again, takes them away. Each change leaves an audit row."""

    def __init__(self, *, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock

    async def list(self, *, dead: bool = False, limit: int = ALL) -> tuple[OutboxRow, ...]:
        """Give the messages by channel, key and number; only those that were given up where `dead`."""
        return await self._storage.query(ListOutbox(limit=limit, state=MessageState.DEAD if dead else None))

    async def retry(self, message_id: str | None, *, actor: str = "cli") -> int:
        """Make a message due now, or all that were given up; how many. Raises MessageUnknown for one."""
        now = self._clock()
        audit = AuditRow(at=now, actor=actor, action="RetryMessages", subject=message_id or "all", details="{}")
        found = await self._storage.execute(RetryMessages(message_id=message_id, now=now, audit=audit))
        if message_id is not None and not found:
            raise MessageUnknown(_NOT_THERE)
        return found

    async def drop(self, message_id: str, *, actor: str = "cli") -> None:
        """Take a message away undelivered. Raises MessageUnknown."""
        now = self._clock()
        audit = AuditRow(at=now, actor=actor, action="DropMessage", subject=message_id, details="{}")
        if not await self._storage.execute(DropMessage(message_id=message_id, now=now, audit=audit)):
            raise MessageUnknown(_NOT_THERE)


_NOT_THERE = "no such message waits, or it is just being delivered; `opendepot outbox list` shows what waits"
