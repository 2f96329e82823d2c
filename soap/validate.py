"""Validation against the compiled XSD, and a failure told by place and mend, without values of the message.

A compiled schema keeps its error log in itself, so each thread has its own: with one shared schema, error messages of
different requests were mixed up (design section 3).
"""

import re
import threading
from collections.abc import Sequence
from itertools import islice

from lxml import etree

from soap.bounded import begun_at_first_error, cut_behind, put_back_behind
from soap.errors import ContractError, SoapError
from soap.normalise import Taken, Wrong, put_back
from soap.place import local_name, path_of
from soap.schema import ComplexType, Field, SimpleType

_EXPECTED = re.compile(
    r"(?P<missing>Missing child element\(s\)\. )?Expected is (?:one of )?\( (?P<names>[^()]*) \)\.\s*$"
)
_EXPECTED_NAME = re.compile(r"\{(?P<namespace>[^{}]*)\}(?P<local>[^,\s]+)")
_OF_ATTRIBUTE = re.compile(r"Element '\S*', attribute '")

_VALUE_REASONS = {
    "SCHEMAV_CVC_PATTERN_VALID": "the value does not have the required form",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "the value is too small",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "the value is too large",
    "SCHEMAV_CVC_MINLENGTH_VALID": "the value is too short",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "the value is too long",
    "SCHEMAV_CVC_ENUMERATION_VALID": "the value is none of those that are allowed",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": "the value is not of the required type",
    "SCHEMAV_CVC_TYPE_3_1_2": "an element stands where a value is expected",
}
"""About the value of an element: what its type allows is told as well."""

_REASONS = {
    "SCHEMAV_CVC_ELT_3_1": "xsi:nil is not allowed here; leave the element out",
    "SCHEMAV_CVC_ELT_4_2": "xsi:type names no known type; leave it out",
    "SCHEMAV_CVC_ELT_4_3": "xsi:type names another type than the contract does; leave it out",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "there is text between elements",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "attributes are not allowed here",
    "SCHEMAV_CVC_TYPE_3_1_1": "attributes are not allowed here",
}


LARGE = 16 * 1024
"""Bytes of a message above which its errors are bounded; those of a smaller one are few."""


class Validator:
    """One schema document, compiled once per thread."""

    def __init__(self, root: etree._Element) -> None:
        """Compile it for this thread. Raises ContractError for a document that is no schema."""
        self._root = etree.tostring(root)
        self._local = threading.local()
        try:
            self._schema()
        except etree.XMLSchemaParseError as error:
            raise ContractError(f"schema {root.get('targetNamespace')}: {error}") from error

    def _schema(self) -> etree.XMLSchema:
        try:
            return self._local.schema  # type: ignore[no-any-return]  # threading.local has no types
        except AttributeError:
            self._local.schema = etree.XMLSchema(etree.fromstring(self._root))
            return self._local.schema  # type: ignore[no-any-return]  # as above

    def valid(self, element: etree._Element) -> bool:
        """Whether an element is valid as a global element of the schema."""
        return self._schema().validate(element)

    def valid_of(self, element: etree._Element, type_: ComplexType, *, size: int) -> bool:
        """Whether the payload of a message of so many bytes is valid.

        Of a large one that is not, no more is validated than what has the first error, and a list that is longer than
        any may be is cut.
        """
        schema = self._schema()
        if size > LARGE and (begun := begun_at_first_error(schema, element)) is not None:
            kept = cut_behind(element, begun, most_children=type_.most_children)
            valid = schema.validate(element)
            put_back_behind(kept)
            if not valid:
                return False
        return schema.validate(element)

    def wrong(self, element: etree._Element, type_: ComplexType) -> Wrong | None:
        """Give what the first error is about, of an element of which `valid` has just said no in this thread.

        None where libxml2 does not tell it whole.
        """
        way, whole = _way(element, self._schema().error_log[0])
        if not whole:
            return None
        declared = [field for field in _declared(type_, way[:-1]) if field.tag == way[-1].tag]
        return Wrong(way[-1], declared[0] if declared else None)

    def explain(
        self,
        element: etree._Element,
        type_: ComplexType,
        *,
        about: str = "SchemaViolation",
        taken: Sequence[Taken] = (),
        found: bool = False,
    ) -> SoapError:
        """Tell the first thing that is wrong with an element that is not valid.

        `taken` is what rule R10 took out of it before: it is put back, since the path is that of the message as sent.
        `found`: `valid` has just said no, in this thread and of this element as it is, and is not asked again.
        """
        schema = self._schema()
        if not found:
            schema.validate(element)
        first = schema.error_log[0]
        way, _ = _way(element, first)
        words = _words(first, way, type_)
        put_back(taken, around=way[-1])
        return SoapError(about, words, path=path_of(way[-1]), line=first.line or None)


def _way(root: etree._Element, error: etree._LogEntry) -> tuple[list[etree._Element], bool]:
    """Give the elements from the root down to the one that an error is about, and whether that one is there.

    libxml2 names it by a path, in which `*[n]` stands for an element without a prefix. It cuts names after 98 bytes,
    even inside a character; then this ends at the last element that can be told.
    """
    way = [root]
    try:
        path = error.path or ""
    except UnicodeDecodeError:
        return way, False
    for step in path.split("/")[2:]:
        name, _, index = step.rstrip("]").partition("[")
        same = (child for child in way[-1] if name in ("*", _written(child)))
        found = next(islice(same, int(index or 1) - 1, None), None)
        if found is None:
            return way, False
        way.append(found)
    return way, bool(path)


def _written(element: etree._Element) -> str:
    if element.prefix:
        return f"{element.prefix}:{local_name(element)}"
    return "*" if str(element.tag).startswith("{") else local_name(element)


def _words(error: etree._LogEntry, way: list[etree._Element], type_: ComplexType) -> str:
    """Word an error; the only parts taken from libxml2's message are names that the schema itself expects."""
    if error.type_name == "SCHEMAV_ELEMENT_CONTENT":
        return f"{_structure(error.message, way, type_)}."
    if error.type_name in _REASONS:
        return f"{_REASONS[error.type_name]}."
    if _OF_ATTRIBUTE.match(error.message):
        return "an attribute of xsi has no valid value; leave it out."
    if error.type_name in _VALUE_REASONS:
        return f"{_VALUE_REASONS[error.type_name]}. {_allowed(type_, way)}".rstrip()
    return "the element does not keep to the schema."


def _structure(message: str, way: list[etree._Element], type_: ComplexType) -> str:
    element = way[-1]
    declared = [field for field in _declared(type_, way[:-1]) if field.name == local_name(element)]
    if declared and element.tag not in [field.tag for field in declared]:
        return f"this element must be in the namespace {etree.QName(declared[0].tag).namespace}"
    expected = _EXPECTED.search(message)
    if expected is None:
        return "this element is not expected here; check its name and its place"
    listed = ", ".join(found["local"] for found in _EXPECTED_NAME.finditer(expected["names"]))
    if expected["missing"] and not len(element) and any(f.optional for f in declared):
        return f"this element is empty, which does not mean left out; leave it out, or give it its {listed}"
    if expected["missing"]:
        return f"an element is missing after the last child; expected: {listed}"
    return f"this element is not expected; expected: {listed}"


def _allowed(type_: ComplexType, way: list[etree._Element]) -> str:
    """Give the documentation of the simple type at the end of the way: it says in words what is allowed."""
    found = [field.type for field in _declared(type_, way[:-1]) if field.tag == way[-1].tag]
    return f"Allowed: {found[0].allowed}" if found and isinstance(found[0], SimpleType) else ""


def _declared(type_: ComplexType, way: list[etree._Element]) -> tuple[Field, ...]:
    """Give what is declared in the element at the end of a way; nothing where the tables do not know the way."""
    current: ComplexType | SimpleType | None = type_ if way else None
    for element in way[1:]:
        fields = current.fields if isinstance(current, ComplexType) else ()
        current = next((field.type for field in fields if field.tag == element.tag), None)
    return current.fields if isinstance(current, ComplexType) else ()
