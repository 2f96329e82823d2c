"""Values as the canonical text of a container file (design, section 6).

Every canonical byte string (listing, step, body of a context, SignedInfo) is put together from templates that are
already Exclusive C14N: no tree is built to write a file. What cannot stand in a file raises ContainerError
`ValueWrong`, naming the element and never the value.
"""

import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

from containers.model import ContainerError

NAMESPACE = "urn:opendepot:container:1"
XMLNS = f' xmlns="{NAMESPACE}"'

INT = 2**31 - 1
UNSIGNED = 2**32 - 1
LONG = 2**63 - 1

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_SERIAL = re.compile(r"[0-9]{1,3}-[0-9]{1,64}", re.ASCII)


def wrong(name: str, mend: str) -> ContainerError:
    """Return the error for a value that an element cannot hold; `mend` says what it can hold."""
    return ContainerError("ValueWrong", f"{name} must be {mend}")


def text(value: str, name: str, *, shortest: int = 1, longest: int = 64) -> str:
    """Return element content for a text of `shortest` to `longest` characters, escaped as C14N escapes it."""
    if not shortest <= len(value) <= longest:
        raise wrong(name, f"{shortest} to {longest} characters")
    if _SPECIAL.search(value) is None:
        return value
    return _SPECIAL.sub(lambda match: _escape(match[0], name), value)


def small_text(value: str, name: str) -> str:
    """Return element content for a text of 0 to 256 bytes in UTF-8 (design, section 5)."""
    content = text(value, name, shortest=0, longest=256)
    if len(value.encode()) > 256:
        raise wrong(name, "at most 256 bytes in UTF-8")
    return content


def number(value: int, name: str, *, lowest: int, highest: int) -> str:
    """Return element content for a whole number."""
    if not lowest <= value <= highest:
        raise wrong(name, f"{lowest} to {highest}")
    return str(int(value))


def moment(value: datetime, name: str) -> str:
    """Return element content for a time: UTC, whole seconds, the years 1000 to 9999."""
    if value.utcoffset() != timedelta(0) or value.microsecond or value.year < 1000:
        raise wrong(name, "an aware time in UTC, in whole seconds, from the year 1000 on")
    return value.replace(tzinfo=None).isoformat() + "Z"


def whole_second(value: datetime) -> datetime:
    """Return an aware time of a clock as files hold it: in UTC, the fraction of a second dropped."""
    return value.astimezone(UTC).replace(microsecond=0)


def octets(value: bytes, name: str, *, length: int | None = None) -> str:
    """Return element content for bytes, as base64 without line breaks; `length` in bytes where it is fixed."""
    if length is not None and len(value) != length:
        raise wrong(name, f"{length} bytes")
    return b64encode(value).decode("ascii")


def serial(value: str) -> str:
    """Return element content for a container's serial."""
    if _SERIAL.fullmatch(value) is None:
        raise wrong("serial", "digits, a hyphen and digits")
    return value


def firm_code(value: int) -> str:
    """Return element content for a firm code."""
    return number(value, "firmCode", lowest=1, highest=UNSIGNED)


def _escape(character: str, name: str) -> str:
    escaped = _ESCAPES.get(character)
    if escaped is None:
        raise wrong(name, "text of characters that XML 1.0 allows")
    return escaped
