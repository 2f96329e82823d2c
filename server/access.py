"""Who speaks: gate A before a body is read, gate B after the header blocks are read and before the body is believed."""

import binascii
from base64 import b64decode
from dataclasses import dataclass

from licensing.catalogue import Catalogue
from server.errors import FrontRefused, NotIdentified
from soap import Received, SoapError
from soap.envelope import ContentType, read_content_type
from storage.records import Shop


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who was let in. Depot's callers prove themselves by a ticket or a container's signature, inside the message."""

    identified_shop: Shop | None

    @property
    def shop(self) -> Shop:
        """The shop. Raises AssertionError where the service identifies none: a bug of the registry."""
        if self.identified_shop is None:
            raise AssertionError("a handler of an unidentified service asked for the shop")
        return self.identified_shop


@dataclass(frozen=True, kw_only=True, slots=True)
class Presented:
    """An API key as it was presented, and the shop's name where HTTP Basic gave one."""

    api_key: str
    name: str | None


def gate_a(*, content_type: str | None, content_encoding: str | None, declared: int | None, most: int) -> ContentType:
    """Refuse by the HTTP header alone what will be refused anyway. Raises SoapError."""
    kind = read_content_type(content_type)
    if (content_encoding or "identity").strip().lower() != "identity":
        raise SoapError("ContentEncodingRefused", "send the body without Content-Encoding", version=kind.version)
    if declared is not None and declared > most:
        raise SoapError("TooLarge", f"the body is larger than {most} bytes", version=kind.version)
    return kind


class GateB:
    """Credential to shop, and the right to act for others."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def admit(self, received: Received, *, authorization: str | None, identified: bool) -> Caller:
        """Give the caller of a message. Raises NotIdentified or FrontRefused."""
        shop: Shop | None = None
        if identified:
            presented = read_authorization(authorization)
            shop = await self._catalogue.find_shop(presented.api_key, presented.name)
            if shop is None:
                raise NotIdentified("this API key belongs to no active shop")
        if received.on_behalf_of is not None:
            raise FrontRefused("OnBehalfOf needs the right front, which this caller does not hold")
        return Caller(identified_shop=shop)


def read_authorization(header: str | None) -> Presented:
    """Read an Authorization header, Bearer or Basic (RFC 6750, RFC 7617). Raises NotIdentified."""
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return Presented(api_key=rest.strip(), name=None)
    if scheme.lower() == "basic":
        try:
            name, colon, api_key = b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise NotIdentified("the Authorization header is not valid HTTP Basic") from None
        if colon and api_key:
            return Presented(api_key=api_key, name=name)
    raise NotIdentified("send Authorization: Bearer with the API key, or HTTP Basic with shop name and API key")
