"""What proves to a service who is calling. Another kind is any object with a method `applied`."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from soap.client import Request


class Credential(Protocol):
    """Puts a proof of identity into a request. Asked again for every attempt, so that a nonce is never sent twice."""

    def applied(self, request: Request) -> Request:
        """Give the request with the proof in it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """An API key as `Authorization: Bearer` (RFC 6750)."""

    key: str = field(repr=False)

    def applied(self, request: Request) -> Request:
        """Add the Authorization field."""
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {self.key}"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Basic:
    """A shop's name and its API key as HTTP Basic (RFC 7617)."""

    name: str
    key: str = field(repr=False)

    def applied(self, request: Request) -> Request:
        """Add the Authorization field."""
        told = b64encode(f"{self.name}:{self.key}".encode()).decode("ascii")
        return replace(request, headers={**request.headers, "Authorization": f"Basic {told}"})


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvelopeHook:
    """A place for WS-Security: `secured` takes the envelope and gives the one to send, with a token or a signature."""

    secured: Callable[[bytes], bytes] = field(repr=False)

    def applied(self, request: Request) -> Request:
        """Send what the hook made of the envelope."""
        return replace(request, body=self.secured(request.body))
