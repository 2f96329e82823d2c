"""Messages of `urn:opendepot:header:1`, made from wsdl/v1/header.xsd by `python -m soap.generate`."""

from dataclasses import dataclass

from frozen import quickly_made


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class FrontClient:
    """The client that a front acts for.

    client_address: The address of the client, IPv4 or IPv6, as the front saw it.
    account: The account that the client is logged in with at the front, if any.
    """

    client_address: str
    account: str | None = None
