"""Values that are plainly allowed: what a text stands for, found out without a parser and a schema.

A reader knows one simple type of the contract. Whatever it is not sure of it does not take, and then the whole way
through parser and schema decides: it may know less than XML Schema does, and never more.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from soap.schema import SimpleType


class Plain(NamedTuple):
    """How a text of one type is read, as Python expressions over the name `{0}`.

    `holds` must be true of the text, `value` gives its value, and `taken` must be true of that; '' is always true.
    `names` are what the expressions use. The text of a `string` has no markup and no control characters, and its
    references are resolved.
    """

    holds: str = ""
    value: str = "{0}"
    taken: str = ""
    names: Mapping[str, Any] = {}


_MOST_DIGITS = 19
"""No number below 2 to the power of 63 needs more."""

_SAME_IN_PYTHON = re.compile(
    r"(?:(?:[A-Za-z0-9-]|\[(?:[A-Za-z0-9]-[A-Za-z0-9]|!-~|[A-Za-z0-9]|\\-|-(?=\]))+\])"
    r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})?|\|)+"
)
"""Patterns of ASCII letters, digits and classes of these mean the same there (XML Schema part 2, appendix F)."""

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


_REFERENCES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_WITH_REFERENCES = re.compile(r"(?:[^&]|&(?:amp|lt|gt|quot|apos);)*+")


def resolved(values: Sequence[str]) -> Sequence[str] | None:
    """Give texts with their references to the five entities of XML 1.0 resolved (section 4.6); None for any other."""
    if not all(map(_WITH_REFERENCES.fullmatch, values)):
        return None
    return [_with_characters(text) if "&" in text else text for text in values]


def _with_characters(text: str) -> str:
    for reference, character in _REFERENCES.items():
        text = text.replace(reference, character)
    return text


def plain_of(type_: SimpleType) -> Plain | None:
    """Give how values of a type are read; None where it has a facet that is not known here."""
    facets = dict(type_.facets)
    allowed = [value for name, value in type_.facets if name == "enumeration"]
    make, known = _MAKERS[type_.built_in]
    # Several facets of one name, but for the values that are listed, are alternatives or would have to be put together.
    if not facets.keys() <= known or len(type_.facets) > len(facets.keys() - {"enumeration"}) + len(allowed):
        return None
    if allowed:
        lengths = _lengths("{0}", facets)
        holds = f"{{0}} in one_of_{type_.name}"
        names = {f"one_of_{type_.name}": frozenset(allowed)}
        return None if "pattern" in facets else Plain(holds=f"{holds} and {lengths}" if lengths else holds, names=names)
    return make(type_.name, facets)


def _string(name: str, facets: Mapping[str, str]) -> Plain | None:
    lengths = _lengths("{0}", facets)
    if "pattern" not in facets:
        return Plain(holds=lengths)
    if _SAME_IN_PYTHON.fullmatch(facets["pattern"]) is None:
        return None
    matches = f"matches_{name}({{0}})"
    return Plain(
        holds=f"{lengths} and {matches}" if lengths else matches,
        names={f"matches_{name}": re.compile(facets["pattern"]).fullmatch},
    )


def _lengths(value: str, facets: Mapping[str, str]) -> str:
    least, most = facets.get("minLength"), facets.get("maxLength")
    if most is None:
        return "" if least is None else f"len({value}) >= {int(least)}"
    return f"{int(least or 0)} <= len({value}) <= {int(most)}"


def _whole(lowest: int, highest: int, _name: str, facets: Mapping[str, str]) -> Plain:
    least = max(lowest, int(facets.get("minInclusive", lowest)))
    most = min(highest, int(facets.get("maxInclusive", highest)))
    return Plain(
        holds=f"{{0}}.isdigit() and {{0}}.isascii() and len({{0}}) <= {_MOST_DIGITS}",
        value="int({0})",
        taken=f"{least} <= {{0}} <= {most}",
    )


def _bytes(_name: str, facets: Mapping[str, str]) -> Plain:
    lengths = _lengths("{0}", facets)
    return Plain(
        value="bytes_of({0})",
        taken=f"{{0}} is not None and {lengths}" if lengths else "{0} is not None",
        names={"bytes_of": _bytes_of},
    )


def _bytes_of(text: str) -> bytes | None:
    try:
        value = a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    # What is written again alike has neither white space nor bits that stand for nothing.
    return value if b2a_base64(value, newline=False).decode("ascii") == text else None


def _time_of(text: str) -> datetime | None:
    if _DATE_TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_LENGTHS = frozenset({"minLength", "maxLength"})
_RANGE = frozenset({"minInclusive", "maxInclusive"})
_TIME = Plain(value="time_of({0})", taken="{0} is not None", names={"time_of": _time_of})
_BOOLEAN = Plain(holds="{0} in booleans", value="booleans[{0}]", names={"booleans": _BOOLEANS})
_MAKERS: dict[str, tuple[Callable[[str, Mapping[str, str]], Plain | None], frozenset[str]]] = {
    "string": (_string, _LENGTHS | {"pattern", "enumeration"}),
    "int": (partial(_whole, -(2**31), 2**31 - 1), _RANGE),
    "long": (partial(_whole, -(2**63), 2**63 - 1), _RANGE),
    "base64Binary": (_bytes, _LENGTHS),
    "boolean": (lambda *_: _BOOLEAN, frozenset()),
    "dateTime": (lambda *_: _TIME, frozenset()),
}
"""What tells how each built-in type is read, and which facets it knows."""
