"""From bytes to a tree that the schema has judged, and the proof that it is canonical (design, sections 3 and 6).

A file is read by the gate and the hardened parser, validated, and turned into values. Then the values are rendered
again by the templates that write files, and that must be, byte for byte, the Exclusive C14N of what was read. So
nothing can stand in a file that the values do not show, and what is verified afterwards is verified on bytes of our
own making.
"""

import re
import threading
from collections.abc import Callable

from lxml import etree

import wsdl
from containers.canonical import NAMESPACE
from containers.model import ContainerError
from xmlgate import Limits, XmlRefused, parse

CONTEXT_LIMITS = Limits()
"""A context: 256 KiB (design, section 10)."""

UPDATE_LIMITS = Limits(max_bytes=4 * 1024 * 1024, elements=200_000)
"""An update file may hold a long chain."""

_SCHEMA_PATH = "v1/container.xsd"
_SCHEMA_NAMES = re.compile(r"Element '\{urn:opendepot:container:1\}([A-Za-z]{1,30})'")


def read_tree(data: bytes, *, root: str, what: str, limits: Limits) -> etree._Element:
    """Return the valid root element called `root`.

    Raises ContainerError: `<what>Malformed` for what is no XML within the limits, `<what>Invalid` for another root
    element or what the schema refuses.
    """
    try:
        element = parse(data, limits=limits)
    except XmlRefused as refused:
        raise ContainerError(f"{what}Malformed", refused.message, line=refused.line) from None
    if element.tag != f"{{{NAMESPACE}}}{root}":
        raise ContainerError(f"{what}Invalid", f"the root element is not {root} of {NAMESPACE}", line=1)
    _schema.check(element, what=what)
    return element


def canonical_bytes(element: etree._Element) -> bytes:
    """Return the Exclusive C14N of an element, without comments. The gate has bounded its cost."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def require_canonical(element: etree._Element, render: Callable[[], bytes], *, what: str) -> bytes:
    """Return the Exclusive C14N of `element` if it is what `render` makes of the values read from it.

    Raises ContainerError `<what>Invalid` if not.
    So nothing stands in the file but these values, in the one form their writer gives them: no other algorithm, no
    second signature, no stray attribute.
    """
    try:
        expected = render()
    except ContainerError as error:
        raise ContainerError(f"{what}Invalid", str(error)) from None
    try:
        same = canonical_bytes(element) == expected
    except etree.C14NError:
        # The name of a namespace is no absolute URI: there is no canonical form then (Canonical XML, section 1.3).
        same = False
    if not same:
        raise ContainerError(
            f"{what}Invalid",
            "the file is not in the one accepted form; use it as the container tool or server wrote it",
        )
    return expected


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


class _Schema(threading.local):
    """One compiled schema a thread: threads that share one mix up each other's error messages."""

    def __init__(self) -> None:
        published = wsdl.read(_SCHEMA_PATH)
        self._names = frozenset(re.findall(rb'name="([A-Za-z]+)"', published))
        self._schema = etree.XMLSchema(parse(published, limits=Limits()))

    def check(self, element: etree._Element, *, what: str) -> None:
        if self._schema.validate(element):
            return
        first = next(iter(self._schema.error_log))
        # The schema's own words echo the value; only a name that the schema knows goes further.
        named = _SCHEMA_NAMES.match(first.message)
        name = named[1] if named is not None and named[1].encode() in self._names else None
        place = "an element" if name is None else f"the element {name}"
        raise ContainerError(f"{what}Invalid", f"{place} is not as {_SCHEMA_PATH} says", line=first.line)


_schema = _Schema()
