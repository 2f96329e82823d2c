"""MTOM and XOP: binary values beside the envelope (W3C Recommendations of 2005; for SOAP 1.1 the submission of 2006).

A request is put together again when it is opened: each Include gives way to the base64 of its part, so that everything
behind, signatures too, sees the message that was meant. The parts are of one message that is held whole within the
limit of its body, and each is used once at most, so the whole is at most a third larger.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

from soap.errors import SoapError
from soap.multipart import Part, read_parts
from soap.names import Version
from soap.place import path_of

XOP = "http://www.w3.org/2004/08/xop/include"
XOP_TYPE = "application/xop+xml"
_INCLUDE = f"{{{XOP}}}Include"
_ROOT_ID = "envelope@opendepot"


class Package(NamedTuple):
    """The parts of a request: the envelope's, with its Content-Type, and the others."""

    envelope: bytes
    content_type: str
    others: tuple[Part, ...]


def open_package(body: bytes, *, boundary: str, start: str | None) -> Package:
    """Find the envelope in a package. Raises SoapError MultipartInvalid."""
    parts = read_parts(body, boundary=boundary)
    ids = [part.id for part in parts if part.id]
    if len(set(ids)) < len(ids):
        raise SoapError("MultipartInvalid", "two parts have the same Content-ID")
    wanted = (start or "").strip().removeprefix("<").removesuffix(">")
    roots = [part for part in parts if part.id == wanted] if wanted else [parts[0]]
    if not roots:
        raise SoapError("MultipartInvalid", "no part has the Content-ID that start names")
    content_type = roots[0].fields.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != XOP_TYPE:
        raise SoapError("MultipartInvalid", f"the part that holds the envelope must be {XOP_TYPE}")
    return Package(roots[0].content, content_type, tuple(part for part in parts if part is not roots[0]))


def expand(root: etree._Element, parts: Sequence[Part], version: Version) -> None:
    """Put the base64 of its part in place of each Include. Raises SoapError IncludeInvalid."""
    by_id = {part.id: part.content for part in parts if part.id}
    for include in list(root.iter(_INCLUDE)):
        holder = include.getparent()
        if holder is None or len(holder) != 1 or (holder.text or "").strip() or (include.tail or "").strip():
            raise _invalid("an Include must stand alone in its element", include, version)
        if len(include):
            raise _invalid("an Include must be empty", include, version)
        scheme, _, name = include.get("href", "").strip().partition(":")
        if scheme.lower() != "cid":
            raise _invalid("the href of an Include must be cid: and the Content-ID of a part", include, version)
        content = by_id.pop(unquote(name), None)
        if content is None:
            raise _invalid("an Include names a part that is not there, or was named before", include, version)
        holder.remove(include)
        holder.text = b64encode(content).decode("ascii")


def _invalid(message: str, include: etree._Element, version: Version) -> SoapError:
    return SoapError("IncludeInvalid", message, path=path_of(include), line=include.sourceline, version=version)


class Attaching(list[str]):
    """The text of an answer while it is written, and the binary values that go beside it.

    `before`: how many have gone there already.
    """

    def __init__(self, start: str = "", *, before: int = 0) -> None:
        super().__init__([start])
        self.parts: list[bytes] = []
        self._before = before

    def attach(self, value: bytes) -> str:
        """Keep a value for a part of its own and give the Include that names it."""
        self.parts.append(value)
        return f'<xop:Include xmlns:xop="{XOP}" href="cid:{self._before + len(self.parts)}@opendepot"/>'


def write_package(written: Attaching, version: Version) -> tuple[str, bytes]:
    """Give Content-Type and body of an answer whose values go beside it."""
    envelope = "".join(written).encode("utf-8")
    number, boundary = 0, b"opendepot-part"
    while any(b"--" + boundary in content for content in (envelope, *written.parts)):
        number += 1
        boundary = b"opendepot-part-%d" % number
    pieces = [_root_head(boundary, version), envelope, b"\r\n"]
    for place, content in enumerate(written.parts, 1):
        pieces += [_part_head(boundary, place), content, b"\r\n"]
    pieces.append(b"--%b--\r\n" % boundary)
    return _content_type(boundary, version), b"".join(pieces)


def _content_type(boundary: bytes, version: Version) -> str:
    return (
        f'multipart/related; type="{XOP_TYPE}"; boundary="{boundary.decode()}"; start="<{_ROOT_ID}>"; '
        f'start-info="{version.media_type}"'
    )


def _root_head(boundary: bytes, version: Version) -> bytes:
    content_type = f'{XOP_TYPE}; charset=utf-8; type="{version.media_type}"'.encode()
    return _head(boundary, content_type, _ROOT_ID.encode())


def _part_head(boundary: bytes, place: int) -> bytes:
    return _head(boundary, b"application/octet-stream", b"%d@opendepot" % place)


def _head(boundary: bytes, content_type: bytes, name: bytes) -> bytes:
    return b"--%b\r\nContent-Type: %b\r\nContent-ID: <%b>\r\nContent-Transfer-Encoding: binary\r\n\r\n" % (
        boundary,
        content_type,
        name,
    )


class StreamedPackage:
    """A package that is written while its envelope and the values beside it come to be, none of it kept.

    The envelope comes first, since not every client looks for it elsewhere. So the values cannot follow before all
    items are written, and are loaded once more then.
    """

    def __init__(self, version: Version, *, reference: str) -> None:
        """`reference`: a name of this answer that nobody could know when its values were made."""
        self._boundary = f"opendepot-{reference}".encode()
        self._delimiter = b"--" + self._boundary
        self.content_type = _content_type(self._boundary, version)
        self.start = _root_head(self._boundary, version)
        self.end = b"--%b--\r\n" % self._boundary

    def checked(self, content: bytes) -> bytes:
        """Give what a part holds. Raises ValueError for what would end it."""
        if self._delimiter in content:
            raise ValueError("a part of an answer holds the boundary of its package")
        return content

    def part(self, place: int, content: bytes) -> bytes:
        """Give a part, counted from 1. Raises ValueError for what would end it."""
        return b"".join((_part_head(self._boundary, place), self.checked(content), b"\r\n"))


def accepts(accept: str | None) -> bool:
    """Whether an Accept field asks for MTOM; multipart/related alone does not: some send it and mean attachments."""
    return accept is not None and XOP_TYPE in accept.lower()
