"""API keys in the Authorization header of HTTP."""

import binascii
from base64 import b64decode
from dataclasses import dataclass, field

from server.errors import NotIdentified


@dataclass(frozen=True, kw_only=True, slots=True)
class Presented:
    """An API key as it was presented, and the shop's name where HTTP Basic gave one."""

    api_key: str = field(repr=False)
    name: str | None


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
