"""Readiness as named checks: what must work before a server may receive requests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Check = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """The outcome of all checks: for each its name and `ok`, or in words why not.

    `ready`: requests may come. Where several processes serve, one that passes its checks is enough.
    """

    checks: Mapping[str, str]
    ready: bool

    @property
    def degraded(self) -> bool:
        """Whether requests may come although not every check passed."""
        return self.ready and not passed(self.checks)


def passed(checks: Mapping[str, str]) -> bool:
    """Whether every check passed."""
    return all(outcome == "ok" for outcome in checks.values())


class Health:
    """Runs named checks, all at once, each within `seconds`."""

    def __init__(self, checks: Mapping[str, Check], *, seconds: float) -> None:
        self._checks = dict(checks)
        self._seconds = seconds

    async def readiness(self) -> Readiness:
        """Run all checks. A check fails by raising; its message is for the operator's admin listener only."""
        outcomes = await asyncio.gather(*(self._outcome(check) for check in self._checks.values()))
        checks = dict(zip(self._checks, outcomes, strict=True))
        return Readiness(checks=checks, ready=passed(checks))

    async def _outcome(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                await check()
        except TimeoutError:
            return f"no answer within {self._seconds:g} s"
        except Exception as error:  # noqa: BLE001  a rim: whatever is wrong is told, nothing may hide it
            return f"{type(error).__name__}: {error}"
        return "ok"
