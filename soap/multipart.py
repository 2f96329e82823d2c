"""MIME packages, read strictly (RFC 2046 section 5.1, RFC 2387). Whole bytes in, parts out; no I/O.

A package has one reading or none: what could be cut in two ways, by us and by whoever saw it before us, is refused.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from soap.errors import SoapError

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_FIELD = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(?P<value>[\t\x20-\x7e]*)")

MOST_PARTS = 128
"""Parts of one package; no message of the contract has so many binary values."""
MOST_HEAD = 4096
"""Bytes of the header of a part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part: header fields by name in small letters, and content with its transfer encoding undone."""

    fields: Mapping[str, str]
    content: bytes

    @property
    def id(self) -> str:
        """The Content-ID without its brackets, '' if there is none."""
        found = self.fields.get("content-id", "").strip()
        return found[1:-1] if found.startswith("<") and found.endswith(">") else found


def read_parts(body: bytes, *, boundary: str) -> tuple[Part, ...]:
    """Cut a package into its parts, at least one. Raises SoapError MultipartInvalid."""
    if _BOUNDARY.fullmatch(boundary) is None:
        raise _invalid("the boundary of the Content-Type must be 1 to 70 characters of RFC 2046")
    delimiter = b"\r\n--" + boundary.encode("ascii")
    # A delimiter begins with a line end, which the very first one may lack.
    pieces = (body if body.startswith(b"\r\n") else b"\r\n" + body).split(delimiter, MOST_PARTS + 2)
    if pieces[0].strip(b"\r\n") or len(pieces) < 3:
        raise _invalid("the body must begin with its boundary, hold a part, and end with the boundary and --")
    if len(pieces) > MOST_PARTS + 2:
        raise _invalid(f"there are more than {MOST_PARTS} parts")
    if not pieces[-1].startswith(b"--") or pieces[-1][2:].strip(b" \t\r\n"):
        raise _invalid("the body must end with its boundary and --, and nothing after it")
    return tuple(_part(piece) for piece in pieces[1:-1])


def _part(piece: bytes) -> Part:
    padding, line_end, rest = piece.partition(b"\r\n")
    if not line_end or padding.strip(b" \t"):
        raise _invalid("a boundary must stand alone in its line")
    head, blank, content = (b"", b"\r\n", rest[2:]) if rest.startswith(b"\r\n") else rest.partition(b"\r\n\r\n")
    if not blank or len(head) > MOST_HEAD:
        raise _invalid("a part must have a header, an empty line and its content")
    fields = _fields(head)
    return Part(fields=fields, content=_decoded(content, fields.get("content-transfer-encoding", "binary")))


def _fields(head: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    try:
        lines = re.sub(rb"\r\n[ \t]+", b" ", head).decode("ascii").split("\r\n") if head else []
    except UnicodeDecodeError:
        raise _invalid("the header of a part must be ASCII") from None
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise _invalid("the header of a part must be fields of the form name: value")
        name = found["name"].lower()
        if name in fields:
            raise _invalid("a part has a header field twice")
        fields[name] = found["value"].strip()
    return fields


def _decoded(content: bytes, encoding: str) -> bytes:
    match encoding.lower():
        case "binary" | "8bit" | "7bit":
            return content
        case "base64":
            try:
                return b64decode(content.translate(None, b" \t\r\n"), validate=True)
            except ValueError:
                raise _invalid("a part is not base64, as its Content-Transfer-Encoding says") from None
        case _:
            raise _invalid("the Content-Transfer-Encoding of a part must be binary, 8bit, 7bit or base64")


def _invalid(message: str) -> SoapError:
    return SoapError("MultipartInvalid", message)
