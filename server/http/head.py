"""The head of a request: request line and fields, read in exactly one way or refused (RFC 9112, sections 2 to 6)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from server.http.refusals import HttpRefused

CRLF_CRLF = b"\r\n\r\n"

_REMEMBERED = 512
_LONGEST_REMEMBERED = 2048

_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t" + bytes(range(0x80, 0x100))
"""What may stand in a head beside the line ends: with all of it deleted, nothing but line ends may be left."""

_REQUEST_LINE = re.compile(r"([A-Z]{1,24}) (/[!-~]*|\*) HTTP/(1)\.([01])")
_ANY_VERSION = re.compile(r"[A-Z]{1,24} [!-~]+ HTTP/(?!1\.[01])[0-9]\.[0-9]")
_ABSOLUTE = re.compile(r"[A-Z]{1,24} [A-Za-z][A-Za-z0-9+.-]*:[!-~]* HTTP/1\.[01]")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(?::[0-9]{1,5})?")
_DIGITS = re.compile(r"[0-9]{1,15}")
_NOT_IN_TARGET = re.compile(r"#|%(?![0-9A-Fa-f]{2})|%00|\\")

_SINGLE = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "soapaction",
        "transfer-encoding",
    }
)
"""Fields whose value decides something here: a second one is refused, equal or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadLimits:
    """The greatest head that is read: bytes in all, bytes of the request line, number of fields."""

    head_bytes: int = 16 * 1024
    line_bytes: int = 4 * 1024
    fields: int = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A request's head.

    `fields` has names in lower case; values of a repeated field are joined by a comma, in order. `length` is the
    declared length of the body in bytes, None when none was declared. `keep_alive`: the client wants to go on with
    this connection. `minor` is the x of HTTP/1.x.
    """

    method: str
    path: str
    query: str | None
    minor: int
    fields: Mapping[str, str]
    length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.chunked or bool(self.length)


class HeadReader:
    """Reads heads, and remembers those that it has read: a client sends nearly the same one all the time."""

    def __init__(self, limits: HeadLimits) -> None:
        self.limits = limits
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._read)

    def read(self, data: bytes) -> Head:
        """Read a head; `data` ends before the empty line. Raises HttpRefused."""
        return self._remembered(data) if len(data) <= _LONGEST_REMEMBERED else self._read(data)

    def _read(self, data: bytes) -> Head:
        return read_head(data, limits=self.limits)


def read_head(data: bytes, *, limits: HeadLimits) -> Head:
    """Read a head; `data` ends before the empty line. Raises HttpRefused."""
    lines = data.decode("latin-1").split("\r\n")
    if data.translate(None, _PRINTABLE) != b"\r\n" * (len(lines) - 1):
        raise HttpRefused(400, "a control character or a bare line end in the head")
    if len(lines) > limits.fields + 1:
        raise HttpRefused(431, "too many fields")
    method, path, query, minor = _request_line(lines[0], limits)
    del lines[0]
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if name in fields or name not in _USUAL:
            if not colon or _FIELD_NAME.fullmatch(name) is None:
                raise HttpRefused(400, "a field name that is none, or a folded line")
            if name in fields:
                fields[name] = _joined(name, fields[name], value.strip(" \t"))
                continue
        elif not colon:
            raise HttpRefused(400, "a line without a colon")
        fields[name] = value.strip(" \t")
    _check_host(fields.get("host"), minor)
    if "upgrade" in fields:
        raise HttpRefused(400, "an upgrade")
    length, chunked = _framing(fields, minor)
    return Head(
        method=method,
        path=path,
        query=query,
        minor=minor,
        fields=fields,
        length=length,
        chunked=chunked,
        keep_alive=_keep_alive(fields.get("connection"), minor),
        expects_continue=_expects(fields.get("expect"), minor),
    )


_USUAL = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "host",
        "soapaction",
        "user-agent",
        "x-forwarded-for",
    }
)
"""Names that need not be looked at letter by letter."""


def _request_line(line: str, limits: HeadLimits) -> tuple[str, str, str | None, int]:
    if len(line) > limits.line_bytes:
        raise HttpRefused(414, "the request line is too long")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        if _ABSOLUTE.fullmatch(line):
            raise HttpRefused(400, "an absolute target; this is no proxy")
        if _ANY_VERSION.fullmatch(line):
            raise HttpRefused(505, "a version that is not HTTP/1.1 or HTTP/1.0")
        raise HttpRefused(400, "the request line is none")
    method, target = found[1], found[2]
    if method == "CONNECT":
        raise HttpRefused(400, "a tunnel; this is no proxy")
    if target == "*" and method != "OPTIONS":
        raise HttpRefused(400, "the target * without OPTIONS")
    if _NOT_IN_TARGET.search(target):
        raise HttpRefused(400, "a character in the target that belongs into none")
    path, mark, query = target.partition("?")
    return method, path, query if mark else None, int(found[4])


def _joined(name: str, first: str, second: str) -> str:
    if name in _SINGLE:
        raise HttpRefused(400, "a field that may stand once stands twice")
    return f"{first}, {second}"


def _check_host(host: str | None, minor: int) -> None:
    """RFC 9112, section 3.2: exactly one in HTTP/1.1, and a valid one; it decides nothing here."""
    if host is None:
        if minor == 1:
            raise HttpRefused(400, "no Host")
    elif _HOST.fullmatch(host) is None:
        raise HttpRefused(400, "a Host that is none")


def _framing(fields: Mapping[str, str], minor: int) -> tuple[int | None, bool]:
    """RFC 9112, section 6: a length, or chunked and nothing else, never both."""
    coding, length = fields.get("transfer-encoding"), fields.get("content-length")
    if coding is not None:
        if length is not None:
            raise HttpRefused(400, "both Transfer-Encoding and Content-Length")
        if minor == 0:
            raise HttpRefused(400, "Transfer-Encoding in HTTP/1.0")
        if coding.lower() != "chunked":
            raise HttpRefused(501, "a Transfer-Encoding other than chunked")
        return None, True
    if length is None:
        return None, False
    if _DIGITS.fullmatch(length) is None:
        raise HttpRefused(400, "a Content-Length that is no number")
    return int(length), False


def _keep_alive(connection: str | None, minor: int) -> bool:
    if connection is None:
        return minor == 1
    options = {option.strip(" \t").lower() for option in connection.split(",")}
    if "upgrade" in options:
        raise HttpRefused(400, "an upgrade")
    if "close" in options:
        return False
    return minor == 1 or "keep-alive" in options


def _expects(expect: str | None, minor: int) -> bool:
    if expect is None:
        return False
    if expect.lower() != "100-continue":
        raise HttpRefused(417, "an Expect other than 100-continue")
    return minor == 1
