"""Every message once: its marks go into the transaction of the first thing that is written for it.

A message that writes nothing has its marks written before its answer leaves. Services know nothing of it: the storage
that they are given looks whether the message that is being answered still has marks to use up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from server.security.wssecurity.refusals import SecurityReplayed
from storage import Storage
from storage.commands import Command, Query
from storage.errors import StorageError
from storage.marks import Mark, MarkSeen, MarksKept, UseMarks

ResultT = TypeVar("ResultT")


class _Pending:
    """The marks of one message. What is written for it at the same time waits in line until they are used up."""

    def __init__(self, marks: tuple[Mark, ...]) -> None:
        self.marks = marks
        self.used = False
        self.lock = asyncio.Lock()

    @property
    def waiting(self) -> bool:
        """Whether the marks are still to be used up."""
        return not self.used


_pending: ContextVar[_Pending | None] = ContextVar("pending_marks", default=None)


class MarkingStorage:
    """A `storage.Storage` in front of another one. Belongs to its event loop."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def execute(self, command: Command) -> Any:
        """Carry out one command, with the marks of the message that it is for. Raises SecurityReplayed."""
        pending = _pending.get()
        if pending is not None and pending.waiting:
            async with pending.lock:
                # Somebody may have used them up while this one waited.
                if pending.waiting:
                    return await _use(self._storage, pending, command)
        answer: Any = await self._storage.execute(command)
        return answer

    async def query(self, query: Query) -> Any:
        """As the storage behind."""
        answer: Any = await self._storage.query(query)
        return answer

    async def ready(self) -> None:
        """As the storage behind."""
        await self._storage.ready()

    async def forget(self, *, thorough: bool) -> None:
        """As the storage behind."""
        await self._storage.forget(thorough=thorough)

    async def close(self) -> None:
        """As the storage behind."""
        await self._storage.close()


async def carried_out_once(
    marks: tuple[Mark, ...], storage: Storage, work: Callable[[], Awaitable[ResultT]]
) -> ResultT:
    """Answer a message, and use up its marks whatever the answer is.

    Raises SecurityReplayed, and what `work` raises. Nothing is answered where the marks cannot be written.
    """
    pending = _Pending(marks)
    try:
        answer = await _worked(pending, work)
    except (StorageError, SecurityReplayed):
        # What was written is written with the marks; whether it was, only the storage can tell.
        raise
    except Exception:
        await _use_up(storage, pending)
        raise
    await _use_up(storage, pending)
    return answer


async def _worked(pending: _Pending, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    token = _pending.set(pending)
    try:
        return await work()
    finally:
        _pending.reset(token)


async def _use_up(storage: Storage, pending: _Pending) -> None:
    async with pending.lock:
        if pending.waiting:
            await _use(storage, pending, None)


async def _use(storage: Storage, pending: _Pending, command: Command | None) -> Any:
    outcome = await storage.execute(UseMarks(marks=pending.marks, command=command))
    if isinstance(outcome, MarkSeen):
        # They stay pending, so that whatever else is to be written for this message is refused, too.
        raise SecurityReplayed
    pending.used = not isinstance(outcome, MarksKept)
    return outcome.answer
