"""PROXY protocol version 2: a proxy tells whose connection it passes on (haproxy's proxy-protocol.txt, section 2.2)."""

import socket
import struct
from dataclasses import dataclass

from server.http.refusals import HttpRefused

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = struct.Struct("!12sBBH")
_LONGEST = 2048
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxied:
    """What a proxy said: the client's address and port, or None when the connection is the proxy's own (LOCAL)."""

    client: tuple[str, int] | None
    taken: int


def read_proxy_header(buffer: bytes | bytearray) -> Proxied | None:
    """Read the header at the start of a connection; None while it is not whole.

    Type-length-value fields are skipped. Raises HttpRefused for anything but version 2 over TCP.
    """
    if not SIGNATURE.startswith(bytes(buffer[:12])):
        raise HttpRefused(400, "no PROXY protocol header")
    if len(buffer) < _FIXED.size:
        return None
    _, command, family, length = _FIXED.unpack_from(buffer)
    if command not in {_LOCAL, _PROXY} or length > _LONGEST:
        raise HttpRefused(400, "a PROXY protocol header of another version, or too long")
    whole = _FIXED.size + length
    if len(buffer) < whole:
        return None
    if command == _LOCAL:
        return Proxied(client=None, taken=whole)
    size, kind = {_TCP4: (4, socket.AF_INET), _TCP6: (16, socket.AF_INET6)}.get(family, (0, socket.AF_UNSPEC))
    if not size or length < 2 * size + 4:
        raise HttpRefused(400, "a PROXY protocol header without a TCP address")
    address = socket.inet_ntop(kind, bytes(buffer[_FIXED.size : _FIXED.size + size]))
    (port,) = struct.unpack_from("!H", buffer, _FIXED.size + 2 * size)
    return Proxied(client=(address, port), taken=whole)


def render_proxy_header(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Give the header for a client `source` that reached `destination`, both IPv4 or both IPv6."""
    kind, family = (socket.AF_INET6, _TCP6) if ":" in source[0] else (socket.AF_INET, _TCP4)
    addresses = socket.inet_pton(kind, source[0]) + socket.inet_pton(kind, destination[0])
    rest = addresses + struct.pack("!HH", source[1], destination[1])
    return _FIXED.pack(SIGNATURE, _PROXY, family, len(rest)) + rest
