"""A filled-in request of each operation, valid against its schema, as values and as XML."""

import base64
from collections.abc import Mapping

from lxml import etree

from soap.codec import escape
from soap.contract import Contract, Operation
from soap.names import XSD, Version
from soap.schema import ComplexType, Field, SimpleType

Simple = str | int | bool | bytes
One = Simple | dict[str, "Value"]
Value = One | list[One]

CHOSEN: Mapping[str, frozenset[str]] = {
    "GetOrder": frozenset({"orderNumber"}),
    "GetLicenseUpdates": frozenset({"ticket", "limit"}),
    "CreateOrder": frozenset({"orderNumber"}),
    "CancelOrder": frozenset({"orderNumber"}),
}
"""Optional elements that a request is of little use without."""

_TEXTS = {
    "transactionId": "2026-000117",
    "orderNumber": "A-1001",
    "itemNumber": "EDITOR",
    "ticket": "7K3QD-0WXYZ-4M8RT-VBN2C-5HJ6P",
    "serial": "130-0123456789",
    "address": "192.0.2.7",
    "reason": "ordered twice",
}
_OWN: Mapping[str, Mapping[str, str]] = {"CreateOrders": {"transactionId": "2026-000118"}}
"""Texts of one operation: CreateOrder and CreateOrders share their transactionIds."""
_BUILT_IN: Mapping[str, Simple] = {
    "int": 1,
    "long": 6000010,
    "boolean": False,
    "dateTime": "2027-01-31T12:00:00Z",
    "base64Binary": b"<context/>",
}


class Samples:
    """Makes samples by the facets of a contract's schema."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        schema = contract.schemas[contract.namespace]
        self._facets = {
            str(node.get("name")): {etree.QName(facet).localname: str(facet.get("value")) for facet in restriction}
            for node in schema.iterfind(f"{{{XSD}}}simpleType")
            for restriction in node.iterfind(f"{{{XSD}}}restriction")
        }

    def values(self, operation: Operation) -> dict[str, Value]:
        """Give the request of an operation as nested values."""
        texts = {**_TEXTS, **_OWN.get(operation.name, {})}
        return self._complex(operation.request, texts, CHOSEN.get(operation.name, frozenset()))

    def body(self, operation: Operation) -> str:
        """Give the child of the Body."""
        inner = "".join(_elements(self.values(operation), "      "))
        name = operation.name
        return f'    <{name} xmlns="{self._contract.namespace}">\n{inner}    </{name}>\n'

    def envelope(self, operation: Operation, *, version: Version = Version.SOAP11) -> str:
        """Give the whole message."""
        return (
            f'<soap:Envelope xmlns:soap="{version}">\n  <soap:Body>\n{self.body(operation)}'
            "  </soap:Body>\n</soap:Envelope>"
        )

    def _complex(
        self, type_: ComplexType, texts: Mapping[str, str], chosen: frozenset[str] = frozenset()
    ) -> dict[str, Value]:
        wanted = [field for field in type_.fields if not field.optional or field.name in chosen]
        return {field.name: [self._one(field, texts)] if field.many else self._one(field, texts) for field in wanted}

    def _one(self, field: Field, texts: Mapping[str, str]) -> One:
        if isinstance(field.type, ComplexType):
            return self._complex(field.type, texts)
        return self._simple(field.type, texts.get(field.name, field.name))

    def _simple(self, type_: SimpleType, text: str) -> Simple:
        facets = self._facets.get(type_.name, {})
        if "enumeration" in facets:
            return facets["enumeration"]
        if type_.built_in == "string":
            least, most = int(facets.get("minLength", 0)), int(facets.get("maxLength", 10**6))
            return text.ljust(least, "0")[:most]
        if type_.built_in == "int":
            return max(1, int(facets.get("minInclusive", 1)))
        return _BUILT_IN[type_.built_in]


def _elements(values: Mapping[str, Value], indent: str) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                lines += [f"{indent}<{name}>\n", *_elements(one, indent + "  "), f"{indent}</{name}>\n"]
            else:
                lines.append(f"{indent}<{name}>{escape(_lexical(one))}</{name}>\n")
    return lines


def _lexical(value: Simple) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)
