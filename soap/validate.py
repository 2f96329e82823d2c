"""Validation against the compiled XSD, and a failure told by place and mend, without values of the message.

A compiled schema keeps its error log in itself, so each thread has its own: with one shared schema, error messages of
different requests were mixed up (design section 3).
"""

import re
import threading

from lxml import etree

from soap.errors import SoapError
from soap.schema import ComplexType, SimpleType

_EXPECTED = re.compile(r"Expected is (?:one of )?\( (?P<names>[^()]*) \)")
_NAMESPACE = re.compile(r"\{[^{}]*\}")
_STEP = re.compile(r"(?:[^:/\[\]]+:)?(?P<name>[^:/\[\]]+)(?P<index>\[[0-9]+\])?")

_REASONS = {
    "SCHEMAV_CVC_PATTERN_VALID": "the value does not have the required form",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "the value is too small",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "the value is too large",
    "SCHEMAV_CVC_MINLENGTH_VALID": "the value is too short",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "the value is too long",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": "the value is not of the required type",
    "SCHEMAV_CVC_ELT_3_1": "xsi:nil is not allowed here; leave the element out",
    "SCHEMAV_CVC_ELT_4_1": "xsi:type names no known type; leave it out",
    "SCHEMAV_CVC_ELT_4_2": "xsi:type names no known type; leave it out",
    "SCHEMAV_CVC_ELT_4_3": "xsi:type names another type than the contract does; leave it out",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "there is text between elements",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "attributes are not allowed here",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2": "attributes are not allowed here",
    "SCHEMAV_CVC_TYPE_3_1_1": "attributes are not allowed here",
    "SCHEMAV_CVC_TYPE_3_1_2": "an element stands where a value is expected",
}


class Validator:
    """One schema document, compiled once per thread."""

    def __init__(self, root: etree._Element) -> None:
        self._root = etree.tostring(root)
        self._local = threading.local()

    def _schema(self) -> etree.XMLSchema:
        try:
            return self._local.schema  # type: ignore[no-any-return]  # threading.local has no types
        except AttributeError:
            self._local.schema = etree.XMLSchema(etree.fromstring(self._root))
            return self._local.schema  # type: ignore[no-any-return]  # as above

    def valid(self, element: etree._Element) -> bool:
        """Whether an element is valid as a global element of the schema."""
        return self._schema().validate(element)

    def explain(self, element: etree._Element, type_: ComplexType, *, about: str = "SchemaViolation") -> SoapError:
        """Tell the first thing that is wrong with an element that is not valid."""
        schema = self._schema()
        schema.validate(element)
        first = schema.error_log[0]
        path = _readable(first.path or "")
        reason = _REASONS.get(first.type_name) or _structure(first.type_name, first.message)
        allowed = _allowed(type_, path)
        return SoapError(
            about, f"{reason}. {allowed}".rstrip() if allowed else f"{reason}.", path=path, line=first.line or None
        )


def _structure(type_name: str, message: str) -> str:
    """Word an error of structure; the names that libxml2 lists as expected are the schema's own."""
    expected = _EXPECTED.search(message)
    if expected:
        names = _NAMESPACE.sub("", expected["names"])
        missing = "Missing child" in message
        what = "an element is missing after the last child" if missing else "this element is not expected"
        return f"{what}; expected: {names}"
    if type_name == "SCHEMAV_ELEMENT_CONTENT":
        return "this element is not expected; nothing may follow"
    return "the element does not keep to the schema"


def _readable(path: str) -> str:
    """Turn libxml2's path with prefixes into one of local names, such as `CreateOrder/orderLine[2]/quantity`."""
    steps = (_STEP.fullmatch(step) for step in path.split("/") if step)
    return "/".join(f"{step['name']}{step['index'] or ''}" for step in steps if step)


def _allowed(type_: ComplexType, path: str) -> str:
    """Give the documentation of the simple type at `path`: it says in words what is allowed."""
    current: ComplexType | SimpleType = type_
    for step in path.split("/")[1:]:
        name = step.partition("[")[0]
        found = [f.type for f in current.fields if f.name == name] if isinstance(current, ComplexType) else []
        if not found:
            return ""
        current = found[0]
    return f"Allowed: {current.documentation}" if isinstance(current, SimpleType) else ""
