"""Which bytes are read at all: UTF-8 and UTF-16, under names that agree with the bytes (design, section 10).

libxml2 would believe a declaration and then read UTF-7 and dozens of other encodings, in which the gate's byte
counts mean nothing. So the encoding is found from the bytes, the names given for it are only compared, and what goes
on is UTF-8.
"""

import re
from typing import NamedTuple

from xmlgate.limits import XmlRefused

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF32_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff", b"<\x00\x00\x00", b"\x00\x00\x00<")
_UTF16_MARKS = (
    (b"\xff\xfe", 2, "utf-16-le"),
    (b"\xfe\xff", 2, "utf-16-be"),
    (b"<\x00", 0, "utf-16-le"),
    (b"\x00<", 0, "utf-16-be"),
)

_UTF8_NAMES = frozenset({"utf-8", "UTF-8"})
_UTF8_BYTES = frozenset({b"utf-8", b"UTF-8"})

# XML 1.0, productions 23 to 26, 32, 77 and 80; the encoding's name is taken whole and judged afterwards.
_DECLARATION = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?P<v>[\"'])1\.0(?P=v)"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?P<q>[\"'])(?P<encoding>[A-Za-z][A-Za-z0-9._-]{0,39})(?P=q))?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?P<s>[\"'])(?:yes|no)(?P=s))?"
    rb"[ \t\r\n]*\?>"
)
_DECLARATION_START = re.compile(rb"<\?xml[ \t\r\n?]")


class Decoded(NamedTuple):
    """A document as UTF-8 without a byte order mark, and how many bytes of it are its XML declaration."""

    data: bytes
    declaration: int


def decode(data: bytes, *, charset: str | None) -> Decoded:
    """Return the document as UTF-8; `charset` is the HTTP parameter, if there was one.

    Raises XmlRefused: EncodingUnsupported for another encoding or a name that contradicts the bytes, Malformed for
    bytes that are not what they are named and for a declaration that XML 1.0 does not know.
    """
    if data.isascii() and data[:1] == b"<" and data[1:2] != b"\0" and (charset is None or charset in _UTF8_NAMES):
        return _plain(data, charset)
    return _found_out(data, charset)


def _plain(data: bytes, charset: str | None) -> Decoded:
    """Take the short way for what almost all documents are: ASCII, under no name but that of UTF-8."""
    declaration = _DECLARATION.match(data)
    if declaration is None:
        return _found_out(data, charset) if data.startswith(b"<?") else Decoded(data, 0)
    encoding = declaration["encoding"]
    if encoding is None or encoding in _UTF8_BYTES:
        return Decoded(data, declaration.end())
    return _found_out(data, charset)


def _found_out(data: bytes, charset: str | None) -> Decoded:
    text, codec = _unmark(data)
    if text.startswith(_UTF8_BOM):
        # libxml2 would leave it out, and a declaration behind it would not be seen here.
        raise XmlRefused("Malformed", "There are two byte order marks; send one at most.", line=1, column=1)
    declaration = _DECLARATION.match(text)
    if declaration is None and _DECLARATION_START.match(text):
        raise XmlRefused("Malformed", "The XML declaration is not one of XML 1.0.", line=1, column=1)
    if charset is not None:
        _compare(charset, text, codec=codec, where="the charset of the Content-Type")
    if declaration is not None and declaration["encoding"] is not None:
        named = declaration["encoding"].decode("ascii")
        _compare(named, text, codec=codec, where="the XML declaration")
    # Last, so that a document in another encoding that says so hears about that and not about its bytes.
    _check_utf8(text)
    return Decoded(text, 0 if declaration is None else declaration.end())


def _unmark(data: bytes) -> tuple[bytes, str]:
    """Return the bytes without mark, UTF-16 transcoded, and the codec that they were in."""
    if data.startswith(_UTF32_MARKS):
        raise XmlRefused("EncodingUnsupported", "UTF-32 is not read; send UTF-8 or UTF-16.")
    for mark, skipped, codec in _UTF16_MARKS:
        if data.startswith(mark):
            try:
                return data[skipped:].decode(codec).encode("utf-8"), codec
            except UnicodeDecodeError:
                raise XmlRefused("Malformed", "The document is not valid UTF-16.") from None
    return data.removeprefix(_UTF8_BOM), "utf-8"


def _check_utf8(text: bytes) -> None:
    if text.isascii():
        return
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise XmlRefused("Malformed", "The document is not valid UTF-8.", line=line) from None


def _compare(name: str, text: bytes, *, codec: str, where: str) -> None:
    match name.upper():
        case "UTF-8" | "UTF8":  # the second is no registered name, but what some programs call it
            agrees = codec == "utf-8"
        case "US-ASCII":
            agrees = codec == "utf-8" and text.isascii()
        case "UTF-16":
            agrees = codec != "utf-8"
        case "UTF-16LE" | "UTF-16BE" as ordered:  # RFC 2781, sections 3.1 and 3.2
            agrees = codec == f"utf-16-{ordered[-2:].lower()}"
        case _:
            raise XmlRefused("EncodingUnsupported", f"The encoding named by {where} is not read; send UTF-8 or UTF-16.")
    if not agrees:
        raise XmlRefused(
            "EncodingUnsupported",
            f"The bytes are not in the encoding named by {where}; send UTF-8 and say so.",
        )
