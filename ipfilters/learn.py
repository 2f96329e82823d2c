"""Ranges for a shop, proposed from the addresses that it was seen from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from ipfilters.addresses import Address, Network, parse_address


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A network, how many different addresses of it were seen, and how often they asked in all."""

    network: Network
    addresses: int
    requests: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """Networks to allow, apart from each other and sorted, IPv4 first; `left_out` are those for which was no room."""

    networks: tuple[Seen, ...]
    left_out: tuple[Seen, ...]


def learn(
    seen: Mapping[str, int] | Iterable[str],
    *,
    most: int,
    widest_ipv4: int = 24,
    widest_ipv6: int = 48,
    narrowest_ipv6: int = 64,
) -> Proposal:
    """Propose at most `most` networks for addresses that were seen, once each or with how often.

    It starts with single IPv4 addresses, and with IPv6 networks of `narrowest_ipv6`, since hosts change the rest by
    themselves (RFC 8981). While there are too many, the two that are nearest are joined, but never to a network wider
    than `widest_ipv4` or `widest_ipv6` (prefix lengths). If there are too many still, those with the fewest requests
    are left out. Raises AddressRefused, and ValueError when `most` is below 1 or a widest prefix length is longer than
    the one it starts with.
    """
    if most < 1:
        raise ValueError("most must be at least 1")
    if not (0 <= widest_ipv4 <= 32 and 0 <= widest_ipv6 <= narrowest_ipv6 <= 128):
        raise ValueError("the widest networks must be as wide as the narrowest at least")
    groups = _groups(Counter(seen), narrowest_ipv6)
    starts, widest = {4: 32, 6: narrowest_ipv6}, {4: widest_ipv4, 6: widest_ipv6}
    for step in range(1, 129):
        for version in (4, 6):
            if starts[version] - step >= widest[version]:
                _join(groups, version, starts[version] - step, most)
    ranked = sorted(groups.values(), key=lambda group: (-group.requests, _place(group)))
    return Proposal(
        networks=tuple(sorted(ranked[:most], key=_place)),
        left_out=tuple(sorted(ranked[most:], key=_place)),
    )


def _groups(seen: Mapping[str, int], narrowest_ipv6: int) -> dict[Network, Seen]:
    # Two spellings can be one address.
    by_address: Counter[Address] = Counter()
    for text, requests in seen.items():
        by_address[parse_address(text)] += requests
    groups: dict[Network, Seen] = {}
    for address, requests in by_address.items():
        length = 32 if address.version == 4 else narrowest_ipv6
        network = ip_network(f"{address}/{length}", strict=False)
        _add(groups, network, Seen(network=network, addresses=1, requests=requests))
    return groups


def _join(groups: dict[Network, Seen], version: int, length: int, most: int) -> None:
    """Join what shares a network of this length, the lowest addresses first, while there are too many."""
    together: dict[Network, list[Seen]] = {}
    for group in sorted((group for group in groups.values() if group.network.version == version), key=_place):
        together.setdefault(group.network.supernet(new_prefix=length), []).append(group)
    for network, members in together.items():
        if len(groups) > most and len(members) > 1:
            for member in members:
                del groups[member.network]
                _add(groups, network, member)


def _add(groups: dict[Network, Seen], network: Network, more: Seen) -> None:
    before = groups.get(network, Seen(network=network, addresses=0, requests=0))
    groups[network] = Seen(
        network=network,
        addresses=before.addresses + more.addresses,
        requests=before.requests + more.requests,
    )


def _place(group: Seen) -> tuple[int, int]:
    return group.network.version, int(group.network.network_address)
