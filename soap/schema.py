"""Reads the subset of XML Schema that the contract rules allow into frozen tables.

Only sequences of elements with named types, and restrictions of built-in simple types, are read; anything else is a
`ContractError` (rules R2 and R7), so a contract that foreign clients choke on never starts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from keyword import iskeyword

from lxml import etree

from soap.errors import ContractError
from soap.names import XMIME, XSD
from soap.place import local_name

BUILT_IN = frozenset({"string", "int", "long", "boolean", "dateTime", "base64Binary"})
"""The built-in types that messages use (rule R6)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleType:
    """A built-in type or a restriction of one.

    `documentation` says in words what values are allowed, and `limits` what its facets say, such as `0 to 127`.
    `facets`: names and values of what restricts it, in their order.
    """

    name: str
    built_in: str
    documentation: str
    limits: str = ""
    facets: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> str:
        """Both in one text, the limits only where the words do not have them already."""
        told = self.limits.removesuffix(" characters") in self.documentation
        return self.documentation if told else f"{self.documentation} {self.limits}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A local element of a complex type. `many`: it may occur more than once; `most`: how often, None without end."""

    name: str
    attribute: str
    tag: str
    type: "SimpleType | ComplexType"
    optional: bool
    many: bool
    most: int | None
    documentation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ComplexType:
    """A named sequence of elements."""

    name: str
    fields: tuple[Field, ...]
    documentation: str

    @property
    def most_children(self) -> int | None:
        """The most children that any element of it, or in it, may have; None without end."""
        inner = [field.type.most_children for field in self.fields if isinstance(field.type, ComplexType)]
        own = [field.most for field in self.fields]
        if None in own or None in inner:
            return None
        return max(sum(most or 0 for most in own), *(most or 0 for most in inner), 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """One target namespace: its global elements and their types, and all its complex types in document order."""

    namespace: str
    elements: Mapping[str, ComplexType]
    complex_types: tuple[ComplexType, ...]


def snake(name: str) -> str:
    """Turn a camelCase name of the contract into the name of a Python attribute."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def read_schema(root: etree._Element) -> Schema:
    """Read an `xs:schema` element. Raises ContractError where it leaves the allowed subset."""
    return _Reader(root).read()


def _elements(node: etree._Element) -> list[etree._Element]:
    """Give the child elements of a schema component without its annotation."""
    return [child for child in node.iterchildren("*") if child.tag != f"{{{XSD}}}annotation"]


def _only(node: etree._Element, *allowed: str) -> None:
    """Refuse attributes that would change what a component means behind the back of the tables (rule R7)."""
    other = sorted(set(map(str, node.attrib)) - set(allowed))
    if other:
        raise ContractError(
            f"xs:{local_name(node)} {node.get('name', '')}, line {node.sourceline}: "
            f"{', '.join(other)} is not allowed (rule R7)"
        )


class _Reader:
    """Resolves the named types of one schema document, each once."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        self._namespace = root.get("targetNamespace", "")
        self._resolved: dict[str, SimpleType | ComplexType] = {}
        self._open: set[str] = set()
        if root.get("elementFormDefault") != "qualified":
            raise ContractError(f"schema {self._namespace}: elementFormDefault must be qualified")

    def read(self) -> Schema:
        elements: dict[str, ComplexType] = {}
        for node in _elements(self._root):
            match local_name(node):
                case "element":
                    _only(node, "name", "type")
                    found = self._type_of(node)
                    if not isinstance(found, ComplexType):
                        raise ContractError(f"element {node.get('name')} must have a complex type")
                    elements[str(node.get("name"))] = found
                case "complexType" | "simpleType":
                    self._named(str(node.get("name")))
                case "import":
                    continue
                case other:
                    raise ContractError(f"schema {self._namespace}: xs:{other} is not allowed (rule R7)")
        in_order = [self._resolved[str(n.get("name"))] for n in self._root.findall(f"{{{XSD}}}complexType")]
        return Schema(
            namespace=self._namespace,
            elements=elements,
            complex_types=tuple(t for t in in_order if isinstance(t, ComplexType)),
        )

    def _type_of(self, element: etree._Element) -> SimpleType | ComplexType:
        """Resolve the type attribute of an element, which must be a QName, and all that it has."""
        name = element.get("type")
        if name is None:
            raise ContractError(f"element {element.get('name')} has no named type (rule R2)")
        if bound := _elements(element):
            raise ContractError(f"element {element.get('name')}: xs:{local_name(bound[0])} is not allowed (rule R7)")
        prefix, _, local = name.rpartition(":")
        namespace = element.nsmap.get(prefix or None, "")
        if namespace == XSD:
            if local not in BUILT_IN:
                raise ContractError(f"element {element.get('name')}: xs:{local} is not used here")
            return SimpleType(name=local, built_in=local, documentation=_ALLOWED[local])
        if namespace != self._namespace:
            raise ContractError(f"element {element.get('name')}: type {name} is of another namespace")
        return self._named(local)

    def _named(self, name: str) -> SimpleType | ComplexType:
        if name in self._resolved:
            return self._resolved[name]
        if name in self._open:
            raise ContractError(f"type {name} contains itself")
        self._open.add(name)
        for node in _elements(self._root):
            if node.get("name") == name and local_name(node) in {"complexType", "simpleType"}:
                _only(node, "name")
                complex_ = local_name(node) == "complexType"
                self._resolved[name] = self._complex(node) if complex_ else self._simple(node)
                return self._resolved[name]
        raise ContractError(f"schema {self._namespace} has no type {name}")

    def _simple(self, node: etree._Element) -> SimpleType:
        restriction = node.find(f"{{{XSD}}}restriction")
        prefix, _, base = str("" if restriction is None else restriction.get("base")).rpartition(":")
        if base not in BUILT_IN or node.nsmap.get(prefix or None) != XSD:
            raise ContractError(f"simple type {node.get('name')} must restrict a built-in type")
        facets = () if restriction is None else _elements(restriction)
        return SimpleType(
            name=str(node.get("name")),
            built_in=base,
            documentation=documentation(node),
            limits=_limits(restriction),
            facets=tuple([(local_name(facet), str(facet.get("value"))) for facet in facets]),
        )

    def _complex(self, node: etree._Element) -> ComplexType:
        content = _elements(node)
        if [local_name(child) for child in content] != ["sequence"]:
            raise ContractError(f"complex type {node.get('name')} must be one sequence (rule R7)")
        _only(content[0])
        fields = tuple(self._field(child) for child in _elements(content[0]))
        attributes = [field.attribute for field in fields]
        if len(set(attributes)) < len(attributes) or any(iskeyword(attribute) for attribute in attributes):
            raise ContractError(f"complex type {node.get('name')}: its elements need names of their own in Python too")
        return ComplexType(name=str(node.get("name")), fields=fields, documentation=documentation(node))

    def _field(self, node: etree._Element) -> Field:
        if local_name(node) != "element":
            raise ContractError(f"only elements may stand in a sequence (rule R7), line {node.sourceline}")
        _only(node, "name", "type", "minOccurs", "maxOccurs", f"{{{XMIME}}}expectedContentTypes")
        name = str(node.get("name"))
        return Field(
            name=name,
            attribute=snake(name),
            tag=f"{{{self._namespace}}}{name}",
            type=self._type_of(node),
            optional=node.get("minOccurs") == "0",
            many=(most := node.get("maxOccurs", "1")) != "1",
            most=None if most == "unbounded" else int(most),
            documentation=documentation(node),
        )


_ALLOWED = {
    "string": "Text.",
    "int": "A whole number of 32 bits.",
    "long": "A whole number of 64 bits.",
    "boolean": "true or false.",
    "dateTime": "A date and time with a zone, such as 2026-01-31T12:00:00Z.",
    "base64Binary": "Bytes in base64.",
}


def _limits(restriction: etree._Element | None) -> str:
    """Say in words what a restriction's facets allow, but for its pattern."""
    if restriction is None:
        return ""
    listed = [str(facet.get("value")) for facet in restriction.iterchildren(f"{{{XSD}}}enumeration")]
    if listed:
        return f"One of: {', '.join(listed)}"
    facets = {local_name(facet): str(facet.get("value")) for facet in _elements(restriction)}
    for least, most, unit in (("minInclusive", "maxInclusive", ""), ("minLength", "maxLength", " characters")):
        if {least, most} <= facets.keys():
            return f"{facets[least]} to {facets[most]}{unit}"
    return ""


def documentation(node: etree._Element) -> str:
    """Give the xs:documentation of a schema component, white space folded; '' when it has none."""
    return " ".join((node.findtext(f"{{{XSD}}}annotation/{{{XSD}}}documentation") or "").split())
