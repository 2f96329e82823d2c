"""Denials as events: the first of each network in full, the others as a count, so that a flood fills no log."""

from collections import Counter
from collections.abc import Callable, Mapping
from ipaddress import ip_network

from observe import EventLog

WINDOW_SECONDS = 60.0
MOST_OF_A_NETWORK = 10
MOST_IN_ALL = 200
MOST_NETWORKS = 1000
"""More networks than these are counted together."""

OTHERS = "others"


class DenialEvents:
    """Tells denials by the event `address_denied`, and what became too many by one `addresses_denied` a minute.

    Belongs to one event loop. `monotonic` gives seconds.
    """

    def __init__(self, events: EventLog, *, monotonic: Callable[[], float]) -> None:
        self._events = events
        self._monotonic = monotonic
        self._began = monotonic()
        self._told: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._in_all = 0

    def tell(self, reference: str, denial: Mapping[str, object]) -> None:
        """Tell a denial, or count it."""
        self.settle()
        network = network_of(str(denial["client"]))
        if self._in_all < MOST_IN_ALL and self._told[network] < MOST_OF_A_NETWORK:
            self._told[network] += 1
            self._in_all += 1
            self._events.info("address_denied", reference=reference, **denial)
            return
        known = network in self._left or len(self._left) < MOST_NETWORKS
        self._left[network if known else OTHERS] += 1

    def settle(self, *, ending: bool = False) -> None:
        """Tell the counts of a minute that is over, or of one that is cut short by the end."""
        seconds = self._monotonic() - self._began
        if seconds < WINDOW_SECONDS and not ending:
            return
        if self._left:
            self._events.info(
                "addresses_denied",
                count=self._left.total(),
                seconds=round(seconds, 1),
                networks=dict(self._left.most_common(20)),
            )
        self._began += seconds
        self._told, self._left, self._in_all = Counter(), Counter(), 0


def network_of(address: str) -> str:
    """Give the network that an address is counted for: 256 of IPv4, a link of IPv6 (RFC 4291, section 2.5.4)."""
    return str(ip_network(f"{address}/{64 if ':' in address else 24}", strict=False))
