"""What stands between OZOMM and a source of answers that may be slow, down or overrun: no I/O of its own.

A question holds nothing while it waits: no thread, no connection of the database, no lock.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from licensing.extensions.questions import Eligibility, Question, Unanswered, Verdict


class BreakerState(StrEnum):
    """Closed: questions pass. Open: none does. Trying: one does, and decides."""

    CLOSED = "closed"
    OPEN = "open"
    TRYING = "trying"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`seconds`: time for an answer, the wait for a place included. `at_once`: most questions under way.

    After `failures` in a row nobody is asked for `rest_seconds`.
    """

    seconds: float = 10.0
    at_once: int = 64
    failures: int = 5
    rest_seconds: float = 30.0


class Breaker:
    """Counts failures in a row; `monotonic` gives seconds."""

    def __init__(self, limits: Limits, *, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._failures = 0
        self._open_until = 0.0
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._failures < self._limits.failures:
            return BreakerState.CLOSED
        if self._trying:
            return BreakerState.TRYING
        return BreakerState.OPEN if self._monotonic() < self._open_until else BreakerState.TRYING

    def admits(self) -> bool:
        """Whether a question may be asked; the first one after the rest is the one that tries."""
        if self._failures < self._limits.failures:
            return True
        if self._trying or self._monotonic() < self._open_until:
            return False
        self._trying = True
        return True

    def answered(self) -> None:
        """Note an answer."""
        self._failures, self._trying = 0, False

    def failed(self) -> None:
        """Note that none came."""
        self._failures += 1
        self._trying = False
        if self._failures >= self._limits.failures:
            self._open_until = self._monotonic() + self._limits.rest_seconds

    def left(self) -> None:
        """Note that a question was given up before anybody knew."""
        self._trying = False


class Guarded:
    """A source behind a time limit, a circuit breaker and a bulkhead. `told` hears each outcome, for metrics."""

    def __init__(
        self,
        source: Eligibility,
        *,
        name: str,
        limits: Limits,
        monotonic: Callable[[], float],
        told: Callable[[str, str, float], None] = lambda *_: None,
    ) -> None:
        self.name = name
        self.limits = limits
        self.breaker = Breaker(limits, monotonic=monotonic)
        self._source = source
        self._places = asyncio.Semaphore(limits.at_once)
        self._monotonic = monotonic
        self._told = told

    async def ask(self, question: Question) -> Verdict:
        """Decide. Raises Unanswered."""
        if not self.breaker.admits():
            self._told(self.name, "resting", 0.0)
            raise Unanswered("resting")
        begun = self._monotonic()
        asked = False
        try:
            async with asyncio.timeout(self.limits.seconds), self._places:
                asked = True
                verdict = await self._source.ask(question)
        except TimeoutError:
            raise self._failure("slow" if asked else "full", begun, asked=asked) from None
        except Unanswered as error:
            raise self._failure("failed", begun, asked=True) from error
        except asyncio.CancelledError:
            self.breaker.left()
            raise
        self.breaker.answered()
        self._told(self.name, "answered", self._monotonic() - begun)
        return verdict

    def _failure(self, outcome: str, begun: float, *, asked: bool) -> Unanswered:
        # Who found no place learned nothing of the source.
        if asked:
            self.breaker.failed()
        else:
            self.breaker.left()
        self._told(self.name, outcome, self._monotonic() - begun)
        return Unanswered(outcome)
