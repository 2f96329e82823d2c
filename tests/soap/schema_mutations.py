"""Documents that are wrong in one place, made of a valid one by its schema, each with the path that names the place.

The schema is read here once more, apart from `soap.schema`, so that no mistake of the engine's is also the test's.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from soap.names import XSD, XSI

NIL = f"{{{XSI}}}nil"
TYPE = f"{{{XSI}}}type"
OTHER = "urn:other"

NOT_EXPECTED = "this element is not expected"
WRONG = {
    "int": ("x", "1.5", "1e3", "2147483648", "-2147483649", "0x1"),
    "long": ("x", "1.0", "9223372036854775808"),
    "boolean": ("yes", "2", "TRUE"),
    "dateTime": ("yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-31", "2026-01-31 12:00:00Z"),
    "base64Binary": ("QUJ", "=QUJD", "Q"),
}
"""Texts that are not of a built-in type."""

ONLY_DECODED = {"dateTime": ("2026-01-31T12:00:00",), "base64Binary": ("QU!JD", "QU-_")}
"""What the service refuses although libxml2, or the schema itself, lets it pass (rule R6)."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One document that is wrong: what was done, where the fault must say that it is, and words that it must have.

    `by_schema`: the schema itself does not allow it; else the service alone refuses it.
    """

    kind: str
    about: str
    root: etree._Element
    place: str
    words: str
    by_schema: bool = True


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A child element as the schema declares it; `most` None: as many as one likes."""

    name: str
    type: str
    least: int
    most: int | None


@dataclass(frozen=True, kw_only=True)
class Simple:
    """A simple type: its built-in type, its facets and the values that it lists."""

    built_in: str
    facets: dict[str, str]
    listed: tuple[str, ...]


class Declarations:
    """What a schema document declares."""

    def __init__(self, schema: etree._Element) -> None:
        self.namespace = str(schema.get("targetNamespace"))
        self.elements = {str(n.get("name")): _bare(n) for n in schema.iterfind(f"{{{XSD}}}element")}
        self.content = {
            str(node.get("name")): [_declared(child) for child in node.iterfind(f"{{{XSD}}}sequence/{{{XSD}}}element")]
            for node in schema.iterfind(f"{{{XSD}}}complexType")
        }
        self._simple = {
            str(node.get("name")): _simple(node.find(f"{{{XSD}}}restriction"))
            for node in schema.iterfind(f"{{{XSD}}}simpleType")
        }

    def simple(self, type_: str) -> Simple:
        """Give a simple type by its name, one of ours or a built-in."""
        return self._simple.get(type_) or Simple(built_in=type_, facets={}, listed=())


def _bare(node: etree._Element, attribute: str = "type") -> str:
    return str(node.get(attribute)).rpartition(":")[2]


def _declared(node: etree._Element) -> Declared:
    most = str(node.get("maxOccurs", "1"))
    return Declared(
        name=str(node.get("name")),
        type=_bare(node),
        least=int(node.get("minOccurs", "1")),
        most=None if most == "unbounded" else int(most),
    )


def _simple(node: etree._Element | None) -> Simple:
    assert node is not None
    facets = [(etree.QName(facet).localname, str(facet.get("value"))) for facet in node]
    return Simple(
        built_in=_bare(node, "base"),
        facets=dict(facets),
        listed=tuple(value for name, value in facets if name == "enumeration"),
    )


def place_of(element: etree._Element) -> str:
    """Give the path that a fault names an element by."""
    steps: list[str] = []
    at: etree._Element | None = element
    while at is not None:
        parent = at.getparent()
        twins = [at] if parent is None else [child for child in parent if child.tag == at.tag]
        name = etree.QName(at).localname
        steps.append(name if len(twins) == 1 else f"{name}[{twins.index(at) + 1}]")
        at = parent
    return "/".join(reversed(steps))


def first_wrong(parent: etree._Element, declared: list[Declared], namespace: str) -> etree._Element:
    """Give the first child that cannot stand where it stands, or the parent when something is missing at its end."""
    children, at = list(parent), 0
    for one in declared:
        times = 0
        while at < len(children) and children[at].tag == f"{{{namespace}}}{one.name}" and times != one.most:
            at, times = at + 1, times + 1
        if times < one.least:
            break
    return children[at] if at < len(children) else parent


Change = Callable[[etree._Element], etree._Element]
"""What changes an element of a copy of the document and gives the one that is then wrong."""


class Mutations:
    """All documents with one mistake that can be made of a valid one.

    `absence`: what is empty and optional means absent, and is no mistake (rule R10). In a list only the last item is
    changed, so that paths count.
    """

    def __init__(self, declarations: Declarations, *, absence: bool) -> None:
        self._declarations = declarations
        self._absence = absence

    def of(self, root: etree._Element) -> Iterator[Mutation]:
        """Give them one after the other; `root` stays as it is."""
        name = etree.QName(root).localname
        yield from self._complex(root, self._declarations.elements[name], name, optional=False)

    def _complex(self, element: etree._Element, type_: str, about: str, *, optional: bool) -> Iterator[Mutation]:
        content = self._declarations.content[type_]
        yield from self._any(element, about)
        yield from self._text_between(element, about)
        yield from self._unknown(element, about)
        for one in content:
            found = element.findall(self._tag(one.name))
            if found:
                inner, last = f"{about}/{one.name}", found[-1]
                yield from self._child(last, one, content, inner, held_optionally=optional)
                if one.type in self._declarations.content:
                    yield from self._complex(last, one.type, inner, optional=one.least == 0)
                else:
                    yield from self._leaf(last, self._declarations.simple(one.type), inner, optional=one.least == 0)

    def _tag(self, name: str) -> str:
        return f"{{{self._declarations.namespace}}}{name}"

    def _any(self, element: etree._Element, about: str) -> Iterator[Mutation]:
        """What is wrong at any element: attributes, xsi:nil beside content, xsi:type."""
        for kind, name, value in (
            ("an unknown attribute", "color", "red"),
            ("an attribute of the service's namespace", self._tag("color"), "red"),
            ("an attribute of another namespace", f"{{{OTHER}}}color", "red"),
        ):
            yield _made(element, kind, about, _setting(name, value), "attributes are not allowed here")
        yield _made(element, "an unknown xsi:type", about, _setting(TYPE, "Nobody"), "xsi:type names no known type")
        if len(element) or element.text:
            yield _made(element, "xsi:nil beside content", about, _setting(NIL, "true"), "xsi:nil is not allowed here")

    def _text_between(self, element: etree._Element, about: str) -> Iterator[Mutation]:
        words = "there is text between elements"

        def before(copy: etree._Element) -> etree._Element:
            copy.text = "text"
            return copy

        def behind(copy: etree._Element) -> etree._Element:
            copy[-1].tail = "text"
            return copy

        yield _made(element, "text before the elements", about, before, words)
        if len(element):
            yield _made(element, "text behind the elements", about, behind, words)

    def _unknown(self, element: etree._Element, about: str) -> Iterator[Mutation]:
        """An element that nothing declares, at each place where one could stand, in three namespaces."""
        for tag in (self._tag("unknown"), "unknown", f"{{{OTHER}}}unknown"):
            for at in range(len(element) + 1):

                def insert(copy: etree._Element, tag: str = tag, at: int = at) -> etree._Element:
                    copy.insert(at, etree.Element(tag))
                    return copy[at]

                yield _made(element, f"an unknown element {tag} at {at}", about, insert, NOT_EXPECTED)

    def _child(
        self, child: etree._Element, one: Declared, content: list[Declared], about: str, *, held_optionally: bool
    ) -> Iterator[Mutation]:
        """What is wrong with the place of a child: missing, once too often, before what should come first."""
        parent, tag = child.getparent(), self._tag(one.name)
        assert parent is not None
        at = parent.index(child)

        def wrong(copy: etree._Element) -> etree._Element:
            return first_wrong(copy, content, self._declarations.namespace)

        def remove(copy: etree._Element) -> etree._Element:
            for same in copy.findall(tag):
                copy.remove(same)
            return wrong(copy)

        def repeat(copy: etree._Element) -> etree._Element:
            while len(copy.findall(tag)) <= (one.most or 0):
                copy.insert(at, deepcopy(copy[at]))
            return copy.findall(tag)[one.most or 0]

        def swap(copy: etree._Element) -> etree._Element:
            copy.insert(at, copy[at + 1])
            return wrong(copy)

        means_absent = held_optionally and self._absence and len(parent.findall(tag)) == len(parent)
        if one.least and not means_absent:
            yield _made(parent, "a required element missing", about, remove, one.name)
        if one.most is not None:
            yield _made(parent, "an element once too often", about, repeat, NOT_EXPECTED)
        if child.getnext() is not None:
            yield _made(parent, "two elements in the wrong order", about, swap, NOT_EXPECTED)
        yield from self._name(child, one, about)

    def _name(self, child: etree._Element, one: Declared, about: str) -> Iterator[Mutation]:
        """What is wrong with the name of a child."""
        for kind, tag, words in (
            ("a misnamed element", self._tag(f"{one.name}X"), NOT_EXPECTED),
            ("an element in another case", self._tag(one.name.upper()), NOT_EXPECTED),
            ("an element in no namespace", one.name, "this element must be in the namespace"),
            ("an element in another namespace", f"{{{OTHER}}}{one.name}", "this element must be in the namespace"),
        ):

            def rename(copy: etree._Element, tag: str = tag) -> etree._Element:
                copy.tag = tag
                return copy

            yield _made(child, kind, about, rename, words)

    def _leaf(self, element: etree._Element, type_: Simple, about: str, *, optional: bool) -> Iterator[Mutation]:
        """What is wrong with a value."""

        def hold(copy: etree._Element) -> etree._Element:
            etree.SubElement(copy, self._tag("unknown"))
            return copy

        yield _made(element, "an element in a value", about, hold, "an element stands where a value is expected")
        for text in WRONG.get(type_.built_in, ()):
            yield _made(element, f"{text} as {type_.built_in}", about, _saying(text), "not of the required type")
        for text in ONLY_DECODED.get(type_.built_in, ()):
            yield _made(element, f"{text} as {type_.built_in}", about, _saying(text), "", by_schema=False)
        if type_.built_in not in {"string", "base64Binary"}:
            # An empty date, number or boolean is never taken for absent (rule R10).
            yield _made(element, f"an empty {type_.built_in}", about, _saying(""), "not of the required type")
        for kind, text, words in _past(type_):
            if text or not (optional and self._absence):
                yield _made(element, kind, about, _saying(text), words)
        if not (optional and self._absence):

            def empty(copy: etree._Element) -> etree._Element:
                copy.text = None
                copy.set(NIL, "true")
                return copy

            yield _made(element, "xsi:nil", about, empty, "xsi:nil is not allowed here")


def _past(type_: Simple) -> Iterator[tuple[str, str, str]]:
    """Give texts one past each facet."""
    facets = type_.facets
    if "maxLength" in facets:
        yield "a value too long", "a" * (int(facets["maxLength"]) + 1), "the value is too long. Allowed: "
    if int(facets.get("minLength", 0)) and not type_.listed:
        yield "a value too short", "a" * (int(facets["minLength"]) - 1), "the value is too short. Allowed: "
    if "maxInclusive" in facets:
        yield "a value too large", str(int(facets["maxInclusive"]) + 1), "the value is too large. Allowed: "
    if "minInclusive" in facets:
        yield "a value too small", str(int(facets["minInclusive"]) - 1), "the value is too small. Allowed: "
    if "pattern" in facets:
        least = max(1, int(facets.get("minLength", 1)))
        yield "a value out of its form", "\u00e9" * least, "the value does not have the required form. Allowed: "
    for text in ("Other", type_.listed[0].swapcase(), f"{type_.listed[0]} ") if type_.listed else ():
        yield "a value that is not listed", text, "the value is none of those that are allowed. Allowed: "


def _setting(name: str, value: str) -> Change:
    def change(copy: etree._Element) -> etree._Element:
        copy.set(name, value)
        return copy

    return change


def _saying(text: str) -> Change:
    def change(copy: etree._Element) -> etree._Element:
        copy.text = text
        return copy

    return change


def _made(
    element: etree._Element, kind: str, about: str, change: Change, words: str, *, by_schema: bool = True
) -> Mutation:
    """Change a copy of the whole document."""
    root = element.getroottree().getroot()
    at = list(root.iter()).index(element)
    copy = deepcopy(root)
    wrong = change(next(found for place, found in enumerate(copy.iter()) if place == at))
    return Mutation(kind=kind, about=about, root=copy, place=place_of(wrong), words=words, by_schema=by_schema)
