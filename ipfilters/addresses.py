"""Addresses and networks from text, each in exactly one way: a form that two programs read differently is refused."""

import re
import socket
import unicodedata
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import inet_pton

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 inside IPv6 as sockets give it (RFC 4291, section 2.5.5.2). Addresses of it are read as IPv4."""

_MAPPED = bytes(10) + b"\xff\xff"
"""What stands before the last four bytes of an IPv4-mapped address."""

# As numbers: a member of an enumeration would be converted at each call.
_FOUR, _SIX = int(socket.AF_INET), int(socket.AF_INET6)

_SHOWN = 100
"""What is longer is shortened where a message repeats it."""

_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_LEADING_ZEROS = re.compile(r"(?<![0-9A-Fa-f.])0+(?=[0-9]+\.)|(?<=\.)0+(?=[0-9])")


class AddressRefused(ValueError):
    """A text is no address, or no network, in the form that is read. The message says the mend where there is one.

    `mended` is the text to write instead, None where none can be told. The message repeats the text: it is for
    whoever wrote it, and not for an answer to a client.
    """

    def __init__(self, message: str, *, mended: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mended = mended


def parse_address(text: str) -> Address:
    """Give the address that a text says: IPv4-mapped ones as IPv4, without a zone (RFC 4007, section 11).

    6to4 (2002::/16) and NAT64 (64:ff9b::/96) stay the IPv6 addresses that they are. Raises AddressRefused, also for
    short forms (`10.1`), leading zeros (`010.0.0.1`) and digits that are not ASCII.
    """
    return ip_address(read_bytes(text))


def read_bytes(text: str) -> bytes:
    """Give the bytes of the address that `parse_address` would give, many times faster: 4 for IPv4, 16 for IPv6."""
    try:
        if ":" not in text:
            return inet_pton(_FOUR, text)
        # A zone is judged by the standard library.
        packed = IPv6Address(text).packed if "%" in text else inet_pton(_SIX, text)
    except (ValueError, OSError):
        raise AddressRefused(f"{shown(text)} is no IP address; write one like 192.0.2.7 or 2001:db8::7") from None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def parse_network(text: str) -> Network:
    """Give the network that a text says; an address alone is a network of one.

    Raises AddressRefused for host bits, masks in place of a prefix length, leading zeros, zones, IPv4-mapped networks
    and whatever is no network.
    """
    _, slash, prefix = text.partition("/")
    try:
        network = ip_network(text)
    except ValueError:
        raise _refused(text) from None
    if (slash and _PREFIX.fullmatch(prefix) is None) or "%" in text or is_mapped(network):
        raise _refused(text)
    return network


def shown(text: str) -> str:
    """Give a text in quotes, as a message repeats it: no longer than a line, and nothing that a terminal obeys."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def is_mapped(network: Network) -> bool:
    """Whether a network holds nothing but IPv4-mapped addresses, so that as it stands it would never match."""
    return isinstance(network, IPv6Network) and network.subnet_of(IPV4_MAPPED)


def unmapped(network: Network) -> Network:
    """Give the IPv4 network for an IPv4-mapped one, and any other as it is."""
    if isinstance(network, IPv6Network) and is_mapped(network):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _refused(text: str) -> AddressRefused:
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    address, slash, prefix = plain.partition("/")
    address = _LEADING_ZEROS.sub("", address.partition("%")[0])
    try:
        network = unmapped(ip_network(f"{address}{slash}{prefix}", strict=False))
    except ValueError:
        return AddressRefused(f"{shown(text)} is no network; write one like 192.0.2.0/24 or 2001:db8::/32")
    mended = str(network)
    said = text if text.isprintable() and len(text) <= _SHOWN else shown(text)
    return AddressRefused(f"{said} {_why(text, plain, address, prefix, network)}; write {mended}", mended=mended)


def _why(text: str, plain: str, address: str, prefix: str, network: Network) -> str:
    if plain != text:
        return "has spaces or characters that are not ASCII"
    if "%" in text:
        return "has a zone, which no address here keeps"
    if address != text.partition("/")[0]:
        return "has leading zeros, which some programs read as octal"
    if prefix and _PREFIX.fullmatch(prefix) is None:
        return "has a mask or leading zeros where the prefix length stands"
    if ":" in text and network.version == 4:
        return "is IPv4 written as IPv6, and addresses of it are read as IPv4"
    return "has host bits set"
