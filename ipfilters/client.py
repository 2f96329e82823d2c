"""Who the client is, behind however many proxies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ipfilters.addresses import AddressRefused, Network, parse_address, parse_network, unmapped
from ipfilters.forwarded import ClientRefused, Forwarding, garbage, read_from_right
from ipfilters.tables import Table

_REMEMBERED = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Who connects.

    `peer` is the other end of the connection and `address` the client, both in canonical text: IPv4-mapped ones as
    IPv4, without zone. `hops` are the proxies that were believed, the nearest first, so the first is the peer; it is
    empty when the peer itself is the client. `ignored` tells that the peer sent a forwarding header which was not
    looked at, since nobody lists it as a proxy.
    """

    peer: str
    address: str
    hops: tuple[str, ...] = ()
    ignored: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hop:
    address: str
    trusted: bool


class TrustedProxies:
    """The networks whose forwarding header is believed. Safe in any thread."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.networks = tuple(unmapped(network) for network in networks)
        self._four = Table([(network, None) for network in self.networks if network.version == 4], bits=32)
        self._six = Table([(network, None) for network in self.networks if network.version == 6], bits=128)
        self.judge = lru_cache(maxsize=_REMEMBERED)(self._judge)

    @classmethod
    def read(cls, texts: Iterable[str]) -> "TrustedProxies":
        """Read networks or single addresses. Raises AddressRefused for the first that is neither."""
        return cls(parse_network(text) for text in texts)

    def _judge(self, text: str) -> _Hop:
        address = parse_address(text)
        table = self._four if address.version == 4 else self._six
        return _Hop(address=str(address), trusted=table.find(int(address)) is not None)


def find_client(
    peer: str,
    lines: Sequence[str] = (),
    *,
    trusted: TrustedProxies,
    form: Forwarding = Forwarding.X_FORWARDED_FOR,
    most_hops: int = 16,
) -> Client:
    """Find the client of a request.

    `peer` is the address at the other end of the connection. `lines` are the values of all header lines of the one
    configured name, in order; which name that is, is the caller's setting, and no second header is ever asked.

    From an unlisted peer the lines are ignored. From a listed one they are read from the right, and the first address
    that is not listed is the client; what stands to its left is not looked at. When all are listed it is the leftmost,
    without any line the peer. Raises ClientRefused, to be answered with status 400, for garbage among what is read and
    when the client is not among the last `most_hops` addresses while there are more.
    """
    try:
        first = trusted.judge(peer)
    except AddressRefused:
        raise ClientRefused("Peer", "The connection has no IP address that could be judged.") from None
    if not first.trusted:
        return Client(peer=first.address, address=first.address, ignored=bool(lines))
    believed = [first.address]
    for text in read_from_right(lines, form=form):
        if len(believed) > most_hops:
            raise ClientRefused("TooManyHops", f"The request passed through more than {most_hops} proxies.")
        try:
            hop = trusted.judge(text)
        except AddressRefused:
            raise garbage() from None
        believed.append(hop.address)
        if not hop.trusted:
            break
    return Client(peer=first.address, address=believed[-1], hops=tuple(believed[:-1]))
