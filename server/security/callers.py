"""What is known of a request at the gates, and who was let in."""

from dataclasses import dataclass, field

from frozen import quickly_made
from ipfilters import Client, Endpoint
from storage.marks import Mark
from storage.records import Shop


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who was let in. Depot's callers prove themselves by a ticket or a container's signature, inside the message.

    `address` is the client's: what a front has told of it, where one speaks for it (`fronted`), and then `account` may
    be told, too. `kinds` names what proved the shop (`proofs.ProofKind` values). `marks`, of what proved it, must be
    used up before the message is answered.
    """

    identified_shop: Shop | None
    identified_administrator: str | None = None
    address: str = ""
    account: str | None = None
    fronted: bool = False
    kinds: tuple[str, ...] = ()
    credential_ids: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def shop(self) -> Shop:
        """The shop. Raises AssertionError where the service identifies none: a bug of the registry."""
        if self.identified_shop is None:
            raise AssertionError("a handler of an unidentified service asked for the shop")
        return self.identified_shop

    @property
    def administrator(self) -> str:
        """The administrator's name. Raises AssertionError at other services than Admin: a bug of the registry."""
        if self.identified_administrator is None:
            raise AssertionError("a handler of another service asked for the administrator")
        return self.identified_administrator


@dataclass(kw_only=True, slots=True)
class Calling:
    """What is known of a request when its head was read, and what the last look at its address gave.

    `named` is the shop in the URL. `certificate` is the client's (DER), of the TLS connection or told by a trusted
    proxy, whoever issued it; `secure` tells that nobody could read along. `allowed`, None before any look, is what the
    rules say of the address, whatever the policy makes of it; `version` is that of the rules. `front` is the address of
    the front that `client` was told by.
    """

    endpoint: Endpoint
    client: Client
    named: str | None
    authorization: str | None = field(repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    secure: bool = False
    allowed: bool | None = None
    version: int = 0
    front: str | None = None
