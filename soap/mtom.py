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
    """The text of an answer while it is written, and the binary values that go beside it."""

    def __init__(self, start: str) -> None:
        super().__init__([start])
        self.parts: list[bytes] = []

    def attach(self, value: bytes) -> str:
        """Keep a value for a part of its own and give the Include that names it."""
        self.parts.append(value)
        return f'<xop:Include xmlns:xop="{XOP}" href="cid:{len(self.parts)}@opendepot"/>'


def write_package(written: Attaching, version: Version) -> tuple[str, bytes]:
    """Give Content-Type and body of an answer whose values go beside it."""
    envelope = "".join(written).encode("utf-8")
    number, boundary = 0, b"opendepot-part"
    while any(b"--" + boundary in content for content in (envelope, *written.parts)):
        number += 1
        boundary = b"opendepot-part-%d" % number
    head = f'Content-Type: {XOP_TYPE}; charset=utf-8; type="{version.media_type}"\r\nContent-ID: <{_ROOT_ID}>'.encode()
    pieces = [b"--%b\r\n%b\r\nContent-Transfer-Encoding: binary\r\n\r\n%b\r\n" % (boundary, head, envelope)]
    for place, content in enumerate(written.parts, 1):
        head = b"Content-Type: application/octet-stream\r\nContent-ID: <%d@opendepot>" % place
        pieces.append(b"--%b\r\n%b\r\nContent-Transfer-Encoding: binary\r\n\r\n%b\r\n" % (boundary, head, content))
    pieces.append(b"--%b--\r\n" % boundary)
    content_type = (
        f'multipart/related; type="{XOP_TYPE}"; boundary="{boundary.decode()}"; start="<{_ROOT_ID}>"; '
        f'start-info="{version.media_type}"'
    )
    return content_type, b"".join(pieces)


def accepts(accept: str | None) -> bool:
    """Whether an Accept field asks for MTOM; multipart/related alone does not: some send it and mean attachments."""
    return accept is not None and XOP_TYPE in accept.lower()
