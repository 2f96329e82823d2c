"""The contract of Sales with the one operation that is measured, for generators that want code for all there are.

And its schema with what an order needs alone, for validators that read the schema anew for each request.
"""

from copy import deepcopy
from pathlib import Path

from lxml import etree

import wsdl

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_SOURCES = Path(wsdl.__file__).parent / "v1"
SOURCES = tuple(_SOURCES / name for name in ("sales.wsdl", "sales.xsd", "header.xsd"))
"""What it is made of."""

OPERATION, BINDING = "CreateOrder", "SalesSoap11"


def write_contract(folder: Path) -> Path:
    """Write the WSDL, with this operation and its SOAP 1.1 port alone, and its schemas as they are; give the WSDL."""
    for schema in SOURCES[1:]:
        (folder / schema.name).write_bytes(schema.read_bytes())
    definitions = etree.fromstring(SOURCES[0].read_bytes())
    for operation in list(definitions.iter(f"{_WSDL}operation")):
        if operation.get("name") != OPERATION:
            _removed(operation)
    for kind in ("binding", "port"):
        for one in list(definitions.iter(f"{_WSDL}{kind}")):
            if one.get("name") != BINDING:
                _removed(one)
    written = folder / SOURCES[0].name
    written.write_bytes(etree.tostring(definitions, xml_declaration=True, encoding="utf-8"))
    return written


def write_order_schema(file: Path) -> None:
    """Write what the schema says of an order, without what it says for people."""
    whole = etree.fromstring(SOURCES[1].read_bytes())
    for annotation in list(whole.iter(f"{_XSD}annotation")):
        _removed(annotation)
    (order,) = whole.iterfind(f"{_XSD}element[@name='{OPERATION}']")
    types = {str(one.get("name")): one for one in whole if one.tag in (f"{_XSD}complexType", f"{_XSD}simpleType")}
    needed = [order]
    for one in needed:
        for part in one.iter():
            prefix, _, name = (part.get("type") or part.get("base") or "").partition(":")
            if prefix == "sales" and types[name] not in needed:
                needed.append(types[name])
    schema = etree.Element(whole.tag, dict(whole.attrib), nsmap=dict(whole.nsmap))
    schema.extend(deepcopy(needed))
    file.write_bytes(etree.tostring(schema, xml_declaration=True, encoding="utf-8"))


def _removed(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        raise AssertionError("a definition stands in something")
    parent.remove(element)
