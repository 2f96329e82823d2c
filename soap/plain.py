"""Values that are plainly allowed: what a text stands for, found out without a parser and a schema.

A reader knows one simple type of the contract. It says None to whatever it is not sure of, and then the whole way
through parser and schema decides: it may know less than XML Schema does, and never more.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from soap.schema import SimpleType

Read = Callable[[str], Any]
"""A text to its value, or to None. The text of a `string` has been found free of markup and control characters."""

_MOST_DIGITS = 18
"""Every number of so many digits is below 2 to the power of 63."""

_SAME_IN_PYTHON = re.compile(
    r"(?:(?:[A-Za-z0-9-]|\[(?:[A-Za-z0-9]-[A-Za-z0-9]|!-~|[A-Za-z0-9]|\\-|-(?=\]))+\])"
    r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})?|\|)+"
)
"""Patterns of ASCII letters, digits and classes of these mean the same there (XML Schema part 2, appendix F)."""

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def reader_of(type_: SimpleType) -> Read | None:
    """Make the reader of a type; None where it has a facet that readers do not know."""
    facets = dict(type_.facets)
    if len(facets) < len(type_.facets):
        return _one_of(frozenset(value for _, value in type_.facets)) if set(facets) == {"enumeration"} else None
    make, known = _MAKERS[type_.built_in]
    return make(facets) if facets.keys() <= known else None


def _one_of(allowed: frozenset[str]) -> Read:
    return lambda text: text if text in allowed else None


def _string(facets: Mapping[str, str]) -> Read | None:
    if "enumeration" in facets:
        return _one_of(frozenset({facets["enumeration"]})) if len(facets) == 1 else None
    least, most = _lengths(facets)
    if "pattern" not in facets:
        return lambda text: text if least <= len(text) <= most else None
    if _SAME_IN_PYTHON.fullmatch(facets["pattern"]) is None:
        return None
    matches = re.compile(facets["pattern"]).fullmatch
    return lambda text: text if least <= len(text) <= most and matches(text) else None


def _lengths(facets: Mapping[str, str]) -> tuple[int, int]:
    return int(facets.get("minLength", 0)), int(facets.get("maxLength", 2**31))


def _whole(lowest: int, highest: int, facets: Mapping[str, str]) -> Read:
    least = max(lowest, int(facets.get("minInclusive", lowest)))
    most = min(highest, int(facets.get("maxInclusive", highest)))

    def read(text: str) -> int | None:
        if not (text.isdigit() and text.isascii() and len(text) <= _MOST_DIGITS):
            return None
        value = int(text)
        return value if least <= value <= most else None

    return read


def _bytes(facets: Mapping[str, str]) -> Read:
    least, most = _lengths(facets)

    def read(text: str) -> bytes | None:
        try:
            value = a2b_base64(text, strict_mode=True)
        except ValueError:
            return None
        # What is written again alike has neither white space nor bits that stand for nothing.
        same = b2a_base64(value, newline=False).decode("ascii") == text
        return value if same and least <= len(value) <= most else None

    return read


def _date_time(text: str) -> datetime | None:
    if _DATE_TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_LENGTHS = frozenset({"minLength", "maxLength"})
_RANGE = frozenset({"minInclusive", "maxInclusive"})
_MAKERS: dict[str, tuple[Callable[[Mapping[str, str]], Read | None], frozenset[str]]] = {
    "string": (_string, _LENGTHS | {"pattern", "enumeration"}),
    "int": (partial(_whole, -(2**31), 2**31 - 1), _RANGE),
    "long": (partial(_whole, -(2**63), 2**63 - 1), _RANGE),
    "base64Binary": (_bytes, _LENGTHS),
    "boolean": (lambda _: _BOOLEANS.get, frozenset()),
    "dateTime": (lambda _: _date_time, frozenset()),
}
"""What makes the reader of each built-in type, and which facets it knows."""
