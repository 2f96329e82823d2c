"""The documents that a service hands out about itself: its WSDL, flattened (rule R1) or with its schemas apart."""

from copy import deepcopy

from lxml import etree

from soap.contract import Contract
from soap.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD


def flattened_wsdl(contract: Contract, *, address: str) -> bytes:
    """Give the WSDL with its schemas inside and `address` at both ports; the same bytes for the same address.

    `address` is the configured public URL of the service, never taken from a request.
    """
    # The whole tree, so that the comment that says "draft" before the root stays.
    document = deepcopy(contract.document.getroottree())
    types = document.find(f"{{{WSDL}}}types")
    if types is None:
        raise AssertionError("load_contract has found schemas in wsdl:types")
    types[:] = [_standing_alone(schema) for schema in contract.schemas.values()]
    return _written(document, address)


def wsdl_apart(contract: Contract, *, address: str) -> bytes:
    """Give the WSDL that imports its schemas from `address`, as `?xsd=` serves them; the same bytes each time."""
    document = deepcopy(contract.document.getroottree())
    for node in document.iterfind(f"{{{WSDL}}}types/{{{XSD}}}schema/{{{XSD}}}import"):
        node.set("schemaLocation", f"{address}?xsd={node.get('schemaLocation')}")
    return _written(document, address)


def _written(document: "etree._ElementTree[etree._Element]", address: str) -> bytes:
    for namespace in (WSDL_SOAP11, WSDL_SOAP12):
        for node in document.iter(f"{{{namespace}}}address"):
            node.set("location", address)
    return etree.tostring(document, xml_declaration=True, encoding="utf-8")


def schema_locations(contract: Contract) -> tuple[str, ...]:
    """Give the names of the schema files that the WSDL imports, such as `sales.xsd`, as they stand beside it."""
    imports = contract.document.iterfind(f"{{{WSDL}}}types/{{{XSD}}}schema/{{{XSD}}}import")
    return tuple(str(node.get("schemaLocation")) for node in imports)


def _standing_alone(schema: etree._Element) -> etree._Element:
    copy = deepcopy(schema)
    copy.tail = "\n"
    return copy
