"""What proxies wrote about who they act for, read from the right: X-Forwarded-For, and Forwarded (RFC 7239).

The right end is what the nearest proxy wrote; whatever stands further left may be the client's own invention. So
nothing is read from the left, where an open quote could swallow what a proxy appended, and nothing is judged that is
not reached.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Literal

RefusalCode = Literal["Peer", "Garbage", "Hidden", "TooManyHops"]


class Forwarding(StrEnum):
    """The form of a forwarding header; the value is the usual name of a header of this form, in lower case."""

    X_FORWARDED_FOR = "x-forwarded-for"
    FORWARDED = "forwarded"


class ClientRefused(Exception):
    """Who the client is cannot be told; the answer is status 400.

    `code` names the case: Peer (the connection's own address is none), Garbage (what a believed proxy wrote is no
    address), Hidden (it wrote `unknown` or an obfuscated name, RFC 7239, section 6), TooManyHops. `message` is
    generic and repeats nothing of the header.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code: RefusalCode = code
        self.message = message


_BLANK = " \t"

# RFC 7239, section 4 (forwarded-pair), with the token and the quoted-string of RFC 9110, section 5.6.
_PAIR = re.compile(
    r"[ \t]*+(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r"(?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    r'|"(?P<quoted>(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)"))?[ \t]*+(?:;|\Z)'
)
_QUOTED_PAIR = re.compile(r"\\(.)")

# RFC 7239, section 6: node, with a port that may be obfuscated. The address itself is judged where it is read.
_NODE = re.compile(
    r"(?:\[(?P<six>[^\[\]]*:[^\[\]]*)\]|(?P<four>[0-9.]+))(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]+))?"
)
_HIDDEN = re.compile(r"(?:unknown|_[A-Za-z0-9._-]+)(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?", re.IGNORECASE)


def read_from_right(lines: Sequence[str], *, form: Forwarding) -> Iterator[str]:
    """Give the text of each address in the lines of one header, the last first; nothing is read ahead.

    The lines are those of one name, in the order in which they arrived. Ports are dropped. Raises ClientRefused.
    """
    for line in reversed(lines):
        rest: str | None = line
        while rest is not None:
            rest, element = _split_last(rest) if form is Forwarding.FORWARDED and '"' in rest else _cut_last(rest)
            node = _for_of(element) if form is Forwarding.FORWARDED else element.strip(_BLANK)
            yield _address_of(node, bare_ipv6=form is Forwarding.X_FORWARDED_FOR)


def garbage() -> ClientRefused:
    """Give the error for what is no address."""
    return ClientRefused("Garbage", "The forwarding header holds something that is no IP address.")


def _cut_last(text: str) -> tuple[str | None, str]:
    rest, comma, element = text.rpartition(",")
    return (rest if comma else None), element


def _split_last(text: str) -> tuple[str | None, str]:
    """Split at the last comma that is outside of quotes."""
    quoted = False
    for at in range(len(text) - 1, -1, -1):
        if text[at] == '"' and not _is_escaped(text, at):
            quoted = not quoted
        elif text[at] == "," and not quoted:
            return text[:at], text[at + 1 :]
    return None, text


def _is_escaped(text: str, at: int) -> bool:
    begin = at
    while begin and text[begin - 1] == "\\":
        begin -= 1
    return (at - begin) % 2 == 1


def _for_of(element: str) -> str:
    """Give the value of `for` in one element of Forwarded."""
    values: dict[str, str] = {}
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            raise garbage()
        at = pair.end()
        if pair["name"] is None:
            continue
        name = pair["name"].lower()
        if name in values:
            raise garbage()
        values[name] = pair["token"] if pair["quoted"] is None else _QUOTED_PAIR.sub(r"\1", pair["quoted"])
    if "for" not in values:
        raise garbage()
    return values["for"]


def _address_of(node: str, *, bare_ipv6: bool) -> str:
    if bare_ipv6 and node.count(":") > 1 and not node.startswith("["):
        return node
    found = _NODE.fullmatch(node)
    if found is None:
        if _HIDDEN.fullmatch(node):
            raise ClientRefused("Hidden", "A proxy hides who it acts for, so no rule can be asked about it.")
        raise garbage()
    if int(found["port"] or 0) > 65535:
        raise garbage()
    return found["six"] or found["four"]
