"""Values for every message of a contract, made of its schema: drawn ones, and those at the limits of its facets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import ModuleType
from typing import Any

from hypothesis import strategies as st
from lxml import etree

from soap.messages import admin, depot, ozomm, sales
from soap.names import XSD
from soap.schema import ComplexType, Field, SimpleType

SERVICES: dict[str, ModuleType] = {"sales": sales, "depot": depot, "admin": admin, "ozomm": ozomm}
"""The services of the contract by the names of their files."""

XML_TEXT = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from(
    "\t\n\r\x7f\x85\u2028&<>\"']"
)
"""What XML 1.0 can carry (section 2.2), with those that writers get wrong more often."""

UNLIMITED = 50
"""How many there are where the schema sets no limit."""


class MessageValues:
    """Values for the messages of a schema document, each within its facets."""

    def __init__(self, root: etree._Element, messages: ModuleType) -> None:
        self._messages = messages
        self._types = {node.get("name"): node for node in root.iter(f"{{{XSD}}}simpleType")}
        self._most = {
            (type_.get("name"), node.get("name")): str(node.get("maxOccurs", "1"))
            for type_ in root.iter(f"{{{XSD}}}complexType")
            for node in type_.iter(f"{{{XSD}}}element")
        }

    def drawn(self, type_: ComplexType) -> st.SearchStrategy[Any]:
        """Give messages of a type: any text, values at and between their limits, absent and empty, none and several."""
        values: dict[str, st.SearchStrategy[Any]] = {}
        for field in type_.fields:
            one = self.drawn(field.type) if isinstance(field.type, ComplexType) else self._drawn(field.type)
            if field.many:
                size = min(3, self.most(type_, field))
                values[field.attribute] = st.lists(one, min_size=0 if field.optional else 1, max_size=size).map(tuple)
            else:
                values[field.attribute] = st.none() | one if field.optional else one
        return st.builds(getattr(self._messages, type_.name), **values)

    def most(self, type_: ComplexType, field: Field) -> int:
        """How many of a field's element a message may have; `UNLIMITED` where there is no limit."""
        most = self._most[type_.name, field.name]
        return UNLIMITED if most == "unbounded" else int(most)

    def full(self, type_: ComplexType, *, many: int = 2) -> Any:
        """Give the message with every element, `many` in each list that may have so many."""
        return self._made(type_, lambda t, f: min(many, self.most(t, f)), most=False)

    def least(self, type_: ComplexType) -> Any:
        """Give the message of what is required alone, each value the least that its type allows."""
        return self._made(type_, lambda _, field: int(not field.optional), most=False)

    def greatest(self, type_: ComplexType) -> Any:
        """Give the message with every element once, each value the greatest that its type allows."""
        return self._made(type_, lambda *_: 1, most=True)

    def crowded(self, type_: ComplexType) -> list[Any]:
        """Give a message for each list that a type has itself, as long as it may be, with the least of all else."""
        found = []
        for field in type_.fields:
            if field.many:
                one = self._one(field, lambda _, f: int(not f.optional), most=False)
                many = (one,) * self.most(type_, field)
                found.append(self._message(type_, self._values(self.least(type_)) | {field.attribute: many}))
        return found

    def _made(self, type_: ComplexType, count: Callable[[ComplexType, Field], int], *, most: bool) -> Any:
        values: dict[str, Any] = {}
        for field in type_.fields:
            times = count(type_, field)
            one = self._one(field, count, most=most) if times else None
            values[field.attribute] = (one,) * times if field.many else one
        return self._message(type_, values)

    def _one(self, field: Field, count: Callable[[ComplexType, Field], int], *, most: bool) -> Any:
        if isinstance(field.type, ComplexType):
            return self._made(field.type, count, most=most)
        return self._bound(field.type, most=most)

    def _message(self, type_: ComplexType, values: dict[str, Any]) -> Any:
        return getattr(self._messages, type_.name)(**values)

    @staticmethod
    def _values(message: Any) -> dict[str, Any]:
        return {name: getattr(message, name) for name in message.__dataclass_fields__}

    def _facets(self, type_: SimpleType) -> tuple[dict[str, str], list[str]]:
        node = self._types.get(type_.name)
        if node is None:
            return {}, []
        found = [(etree.QName(facet).localname, str(facet.get("value"))) for facet in node[-1]]
        return dict(found), [value for name, value in found if name == "enumeration"]

    def _bound(self, type_: SimpleType, *, most: bool) -> Any:
        facets, enumerated = self._facets(type_)
        if enumerated:
            return enumerated[-1 if most else 0]
        least, greatest = int(facets.get("minLength", 0)), int(facets.get("maxLength", 1000))
        letter = "~" if "!-~" in facets.get("pattern", "") else "z" if "pattern" in facets else "\U0001f600"
        lower = {"string": "a" * least, "int": int(facets.get("minInclusive", -(2**31))), "long": -(2**63)}
        upper = {"string": letter * greatest, "int": int(facets.get("maxInclusive", 2**31 - 1)), "long": 2**63 - 1}
        lower |= {"boolean": False, "dateTime": datetime(1, 1, 1, tzinfo=UTC), "base64Binary": b"\x00" * least}
        upper |= {"boolean": True, "dateTime": datetime.max.replace(tzinfo=UTC), "base64Binary": b"\xff" * greatest}
        return (upper if most else lower)[type_.built_in]

    def _drawn(self, type_: SimpleType) -> st.SearchStrategy[Any]:
        facets, enumerated = self._facets(type_)
        if enumerated:
            return st.sampled_from(enumerated)
        if type_.built_in == "string":
            return _text(facets)
        least, most = int(facets.get("minLength", 0)), min(200, int(facets.get("maxLength", 200)))
        zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
        bounds = st.sampled_from([self._bound(type_, most=False), self._bound(type_, most=True)])
        return (
            bounds
            | {
                "int": st.integers(
                    int(facets.get("minInclusive", -(2**31))), int(facets.get("maxInclusive", 2**31 - 1))
                ),
                "long": st.integers(-(2**63), 2**63 - 1),
                "boolean": st.booleans(),
                "dateTime": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones),  # noqa: DTZ001
                "base64Binary": st.binary(min_size=least, max_size=most),
            }[type_.built_in]
        )


def _text(facets: dict[str, str]) -> st.SearchStrategy[str]:
    least, most = int(facets.get("minLength", 0)), int(facets.get("maxLength", 40))
    form = facets.get("pattern", "").removesuffix("*")
    letters = st.from_regex(form, fullmatch=True) if form else XML_TEXT
    between = st.text(letters, min_size=least, max_size=most)
    return between | st.tuples(letters, st.sampled_from([least, most])).map(lambda pair: pair[0] * pair[1])
