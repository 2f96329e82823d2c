"""How long to wait before a dead worker is replaced. Sans I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """At once after a life of `healthy_seconds`; else `first_seconds`, doubled with each early death up to `most`."""

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    healthy_seconds: float = 10.0
    early_deaths: int = 0

    def after(self, *, lived_seconds: float) -> tuple[float, "Backoff"]:
        """Give the seconds to wait after a death, and the state that follows."""
        early = 0 if lived_seconds >= self.healthy_seconds else self.early_deaths + 1
        # The exponent is bounded so that no float overflows after a thousand deaths.
        delay = 0.0 if not early else min(self.first_seconds * 2.0 ** min(early - 1, 32), self.most_seconds)
        return delay, Backoff(
            first_seconds=self.first_seconds,
            most_seconds=self.most_seconds,
            healthy_seconds=self.healthy_seconds,
            early_deaths=early,
        )
