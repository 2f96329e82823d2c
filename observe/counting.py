"""Counters and histograms of one event loop: plain numbers, which become samples only when somebody asks for them.

Those of prometheus_client take a lock for each number. They are right for whatever a thread could count; what is
counted several times in each request is counted here, by the event loop alone.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """One series of a counter; whoever has it adds to `value`."""

    __slots__ = ("created", "value")

    def __init__(self, *, created: float) -> None:
        self.value = 0
        self.created = created


class Spread:
    """One series of a histogram."""

    __slots__ = ("bounds", "counts", "created", "total")

    def __init__(self, bounds: Sequence[float], *, created: float) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.created = created

    def observe(self, amount: float) -> None:
        """Count an amount in the bucket of the lowest bound that is not below it."""
        self.counts[bisect_left(self.bounds, amount)] += 1
        self.total += amount


class LoopCounter(Collector):
    """A counter with labels. `clock` gives the seconds since 1970 that a series tells it was made at."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._clock = clock
        self._series: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def series(self, *values: str) -> Count:
        """Give the series of these values of the labels, in their order."""
        found = self._series.get(values)
        if found is None:
            found = self._series[_told(values, self._labels)] = Count(created=self._clock())
        return found

    def count(self, *values: str) -> None:
        """Count one for the series of these values of the labels."""
        found = self._series.get(values)
        if found is None:
            found = self.series(*values)
        found.value += 1

    def describe(self) -> Iterable[Metric]:
        """Give the family without samples, so that no other one gets its names."""
        return (Metric(self._name, self._documentation, "counter"),)

    def collect(self) -> Iterable[Metric]:
        """Give the family as it stands."""
        family = Metric(self._name, self._documentation, "counter")
        for values, count in self._series.items():
            labels = dict(zip(self._labels, values, strict=True))
            family.add_sample(f"{self._name}_total", labels, count.value)
            family.add_sample(f"{self._name}_created", labels, count.created)
        return (family,)


class LoopHistogram(Collector):
    """A histogram with labels. `bounds` rise and are the greatest amounts of their buckets; one more takes the rest."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        bounds: Sequence[float],
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._named = tuple(floatToGoString(bound) for bound in (*bounds, float("inf")))  # type: ignore[no-untyped-call]  # the library has no types there
        self._clock = clock
        self._series: dict[tuple[str, ...], Spread] = {}
        registry.register(self)

    def series(self, *values: str) -> Spread:
        """Give the series of these values of the labels, in their order."""
        found = self._series.get(values)
        if found is None:
            found = self._series[_told(values, self._labels)] = Spread(self._bounds, created=self._clock())
        return found

    def describe(self) -> Iterable[Metric]:
        """Give the family without samples, so that no other one gets its names."""
        return (Metric(self._name, self._documentation, "histogram"),)

    def collect(self) -> Iterable[Metric]:
        """Give the family as it stands."""
        family = Metric(self._name, self._documentation, "histogram")
        for values, spread in self._series.items():
            labels = dict(zip(self._labels, values, strict=True))
            below = list(accumulate(spread.counts))
            for bound, count in zip(self._named, below, strict=True):
                family.add_sample(f"{self._name}_bucket", {**labels, "le": bound}, count)
            family.add_sample(f"{self._name}_count", labels, below[-1])
            family.add_sample(f"{self._name}_sum", labels, spread.total)
            family.add_sample(f"{self._name}_created", labels, spread.created)
        return (family,)


def _told(values: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    if len(values) != len(labels):
        raise ValueError(f"{len(values)} values for the labels {', '.join(labels)}")
    # A member of an enumeration of texts is told as that text.
    return tuple(str(value) for value in values)
