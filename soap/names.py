"""Namespaces, media types and roles of SOAP and WSDL, each with the document that fixes it."""

from enum import StrEnum

XML = "http://www.w3.org/XML/1998/namespace"
XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XMIME = "http://www.w3.org/2005/05/xmlmime"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
WSDL_SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
WSA = "http://www.w3.org/2005/08/addressing"
"""Namespace of WS-Addressing 1.0 (Core, section 1.2)."""
HEADER = "urn:opendepot:header:1"
"""Namespace of the header blocks of all services (rule R11)."""
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
"""Namespaces of WS-Security (SOAP Message Security 1.1.1, section 2.2)."""


XML_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
"""How every message that leaves begins."""


class Version(StrEnum):
    """A SOAP version; the value is its envelope namespace (SOAP 1.1 section 3, SOAP 1.2 part 1 section 5)."""

    SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
    SOAP12 = "http://www.w3.org/2003/05/soap-envelope"

    @property
    def media_type(self) -> str:
        """The media type of messages (SOAP 1.1 section 6, RFC 3902)."""
        return "text/xml" if self is Version.SOAP11 else "application/soap+xml"

    @property
    def content_type(self) -> str:
        """The Content-Type of messages that leave."""
        return f"{self.media_type}; charset=utf-8"


MY_ROLES = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
"""The actors and roles that a service acts in (SOAP 1.1 section 4.2.2, SOAP 1.2 part 1 section 2.2)."""
