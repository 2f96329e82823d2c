"""The contract of Sales with the one operation that is measured, for generators that want code for all there are."""

from pathlib import Path

from lxml import etree

import wsdl

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
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


def _removed(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        raise AssertionError("a definition stands in something")
    parent.remove(element)
