"""A SoapUI project of a service: both bindings, and a filled-in request for each operation."""

from lxml import etree

from server.pages.samples import Samples
from soap.contract import Contract
from soap.names import Version

_CON = "http://eviware.com/soapui/config"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_BINDINGS = (("Soap11", "1_1", Version.SOAP11), ("Soap12", "1_2", Version.SOAP12))


def soapui_project(contract: Contract, *, address: str) -> bytes:
    """Give the project file."""
    samples = Samples(contract)
    root = etree.Element(
        f"{{{_CON}}}soapui-project", {"name": f"OpenDepot {contract.name}"}, nsmap={"con": _CON, "xsi": _XSI}
    )
    for suffix, number, version in _BINDINGS:
        binding = f"{contract.name}{suffix}"
        interface = etree.SubElement(
            root,
            f"{{{_CON}}}interface",
            {
                f"{{{_XSI}}}type": "con:WsdlInterface",
                "name": binding,
                "type": "wsdl",
                "bindingName": f"{{{contract.namespace}}}{binding}",
                "soapVersion": number,
                "definition": f"{address}?wsdl",
            },
        )
        endpoints = etree.SubElement(interface, f"{{{_CON}}}endpoints")
        etree.SubElement(endpoints, f"{{{_CON}}}endpoint").text = address
        for operation in contract.operations.values():
            node = etree.SubElement(
                interface,
                f"{{{_CON}}}operation",
                {
                    "name": operation.name,
                    "bindingOperationName": operation.name,
                    "action": operation.action,
                    "type": "Request-Response",
                    "isOneWay": "false",
                },
            )
            call = etree.SubElement(node, f"{{{_CON}}}call", {"name": "Sample"})
            etree.SubElement(call, f"{{{_CON}}}encoding").text = "UTF-8"
            etree.SubElement(call, f"{{{_CON}}}endpoint").text = address
            etree.SubElement(call, f"{{{_CON}}}request").text = samples.envelope(operation, version=version)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)
