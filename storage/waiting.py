"""A bounded line of work in front of a database: what waits is run in batches; no batch waits to be full."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from storage.errors import StorageBusy
from storage.outcomes import Failed, Outcome

Work = TypeVar("Work")


class WaitingLine(Generic[Work]):
    """Belongs to one event loop.

    Args:
        run: carries out a batch; gives an outcome for each piece of work, in the same order.
        limit: how many pieces may wait before `StorageBusy` is raised; those at work do not count.
        batch_limit: how many pieces are run together at most.
        lanes: how many batches run at the same time.
        droppable: whether work whose caller has given up is left undone.
        gathers: whether work waits for the end of the loop's turn, so that what is asked in one turn goes as one batch.
    """

    def __init__(
        self,
        *,
        run: Callable[[list[Work]], Awaitable[Sequence[Outcome]]],
        limit: int,
        batch_limit: int = 1,
        lanes: int = 1,
        droppable: bool = False,
        gathers: bool = False,
    ) -> None:
        self._run = run
        self._limit = limit
        self._batch_limit = batch_limit
        self._lanes = lanes
        self._droppable = droppable
        self._gathers = gathers
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._at_work = 0
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def submit(self, work: Work) -> Any:
        """Wait for the work's answer or raise its error; a caller that gives up does not stop the work."""
        beginning = (self._lanes - self._at_work) * self._batch_limit if self._gathers else 0
        if len(self._waiting) >= self._limit + beginning:
            raise StorageBusy("too much waits for the database; try again")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((work, future))
        if self._at_work < self._lanes:
            if not self._gathers:
                self._start_batch()
            elif not self._starting:
                self._starting = True
                self._idle.clear()
                loop.call_soon(self._start)
        return await future

    async def idle(self) -> None:
        """Return once nothing waits and nothing runs."""
        await self._idle.wait()

    def _start(self) -> None:
        self._starting = False
        while self._waiting and self._at_work < self._lanes:
            self._start_batch()
        if not self._waiting and not self._at_work:
            self._idle.set()

    def _start_batch(self) -> None:
        batch: list[tuple[Work, asyncio.Future[Any]]] = []
        while self._waiting and len(batch) < self._batch_limit:
            work, future = self._waiting.popleft()
            if not (self._droppable and future.cancelled()):
                batch.append((work, future))
        if batch:
            self._idle.clear()
            self._at_work += 1
            # The loop itself holds tasks weakly; one that nobody holds may vanish in the middle of its work.
            task = asyncio.get_running_loop().create_task(self._run_batch(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif not self._at_work:
            self._idle.set()

    async def _run_batch(self, batch: list[tuple[Work, "asyncio.Future[Any]"]]) -> None:
        outcomes: Sequence[Outcome]
        try:
            outcomes = await self._run([work for work, _ in batch])
        except Exception as error:  # noqa: BLE001 - the rim: no caller may wait for ever
            outcomes = [Failed(error=error)] * len(batch)
        self._at_work -= 1
        self._start_batch()
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, Failed):
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.answer)
