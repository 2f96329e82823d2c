"""A histogram of durations that any number of processes can add up."""

from collections import Counter
from collections.abc import Iterable, Mapping

_EXACT = 128
_PARTS = 64

QUANTILES = (0.5, 0.9, 0.99, 0.999)


class Latencies:
    """Durations in whole microseconds, each kept to 1.6 % or better."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts: Counter[int] = Counter(counts or {})

    def __len__(self) -> int:
        return self._counts.total()

    def add(self, seconds: float) -> None:
        """Count one duration; less than nothing counts as nothing."""
        self._counts[_place(max(0, round(seconds * 1e6)))] += 1

    def merge(self, others: "Iterable[Latencies]") -> None:
        """Add what others have counted."""
        for other in others:
            self._counts.update(other._counts)

    def quantile(self, share: float) -> float:
        """Give the duration in seconds that this share took at most; 0 where nothing was counted."""
        wanted, seen = share * len(self), 0
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= wanted:
                return _most(place) / 1e6
        return 0.0

    def as_dict(self) -> dict[str, int]:
        """Give the counts as JSON has them."""
        return {str(place): count for place, count in sorted(self._counts.items())}

    @classmethod
    def of(cls, found: Mapping[str, int]) -> "Latencies":
        """Take up what `as_dict` gave."""
        return cls({int(place): count for place, count in found.items()})


def _place(microseconds: int) -> int:
    """Give the place of a value: itself up to 127, then 64 places for each doubling."""
    if microseconds < _EXACT:
        return microseconds
    shift = microseconds.bit_length() - 7
    return _EXACT + (shift - 1) * _PARTS + (microseconds >> shift) - _PARTS


def _most(place: int) -> int:
    """Give the greatest value of a place."""
    if place < _EXACT:
        return place
    shift, part = divmod(place - _EXACT, _PARTS)
    return ((part + _PARTS + 1) << (shift + 1)) - 1
