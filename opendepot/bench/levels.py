"""The search for the knee: the highest rate that a server keeps up with."""

from collections.abc import AsyncIterator, Awaitable, Callable

from opendepot.bench.fleet import Measured

LEAST_ACHIEVED = 0.98
GROWTH = 1.5
HALVINGS = 3
MOST_LEVELS = 30


def kept_up(measured: Measured, *, most_p99: float) -> bool:
    """Whether nearly all that was due ended well, and 99 of 100 within `most_p99` seconds."""
    return (
        measured.achieved >= LEAST_ACHIEVED * measured.offered and measured.tally.latencies.quantile(0.99) <= most_p99
    )


async def climb(
    carry_out: Callable[[float], Awaitable[Measured]], *, rate: float, most_p99: float
) -> AsyncIterator[Measured]:
    """Give the levels from a rate up to where the server no longer keeps up, then those that close in on the knee.

    It ends early where the load tester was the limit: what it would find then is its own knee.
    """
    good, bad = 0.0, None
    for _ in range(MOST_LEVELS):
        measured = await carry_out(rate)
        yield measured
        if measured.limited is not None and not kept_up(measured, most_p99=most_p99):
            return
        if kept_up(measured, most_p99=most_p99):
            good = rate
        else:
            bad = rate
        if bad is None:
            rate *= GROWTH
        elif good and bad / good > 1 + (GROWTH - 1) / 2**HALVINGS:
            rate = (good + bad) / 2
        elif good:
            return
        else:
            rate /= 2


def knee(levels: list[Measured], *, most_p99: float) -> Measured | None:
    """Give the highest level that the server kept up with."""
    good = [level for level in levels if kept_up(level, most_p99=most_p99)]
    return max(good, key=lambda level: level.offered, default=None)
