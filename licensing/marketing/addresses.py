"""Who may be written to: consent, suppression, and the tokens by which a customer unsubscribes with one click.

An address is known by a keyed hash of its lower-case form, so that who has the database alone cannot tell whose it is.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address

from licensing.errors import AddressInvalid, TokenInvalid
from licensing.vault import Vault
from storage import Storage
from storage.marketing import (
    AddressView,
    Consent,
    FindAddress,
    ForgetAddress,
    LiftSuppressions,
    ListConsents,
    RecordConsent,
    SuppressAddress,
    Suppression,
    SuppressionRow,
)
from storage.records import AuditRow

PURPOSE = "mail address"
_TOKEN = "mail unsubscribe"  # noqa: S105  the purpose of a key, not one
_LOOKUP_BYTES = 32
_TAG_BYTES = 16
MOST_ADDRESS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""
MOST_SOURCE = 100
ALL = 2**31


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What may be sent to an address."""

    reachable: bool
    offers: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownConsent:
    """A consent with the address that it is for."""

    address: str
    customer_group: str | None
    given_at: datetime
    source: str
    recorded_by: str


def read_address(text: str) -> str:
    """Give an address as it is written on an envelope, an internationalised domain in its ASCII form.

    Raises AddressInvalid for what cannot be one, such as a text with a line end.
    """
    address = ascii_address(text)
    try:
        address.encode("ascii")
        parsed = Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        parsed = None
    printable = all(33 <= ord(character) <= 126 for character in address)
    if (
        parsed is None
        or not parsed.username
        or not parsed.domain
        or not printable
        or len(address) > MOST_ADDRESS
        or "," in address
    ):
        raise AddressInvalid("an address is written name@example.com, in ASCII but for the domain", path="address")
    return address


def ascii_address(text: str) -> str:
    """Give an address with its domain in ASCII, or as it is where that cannot be."""
    address = text.strip()
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return address


class AddressBook:
    """Consents and suppressions; each change leaves an audit row about the hash, never about the address."""

    def __init__(self, *, storage: Storage, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock

    def lookup(self, address: str) -> bytes:
        """Give what an address is known by."""
        return address_lookup(self._vault, ascii_address(address))

    async def view(self, address: str) -> AddressView:
        """Give what is known of an address."""
        return await self._storage.query(FindAddress(lookup=self.lookup(address)))

    async def wishes(self, address: str) -> Wishes:
        """Say what may be sent to an address: offers only with a consent and without any suppression."""
        return wishes_of(await self.view(address))

    async def record_consent(
        self,
        address: str,
        *,
        source: str,
        actor: str,
        given_at: datetime | None = None,
        customer_group: str | None = None,
    ) -> bool:
        """Write down that somebody agreed to get offers: when, where (`source`), and who says so (`actor`).

        Answered False where a newer consent or a later unsubscribing is known. Raises AddressInvalid.
        """
        address, now = read_address(address), self._clock()
        if not 1 <= len(source) <= MOST_SOURCE:
            raise AddressInvalid(f"say where the consent was given, in 1 to {MOST_SOURCE} characters", path="source")
        if given_at is not None and given_at > now:
            raise AddressInvalid("a consent cannot be given in the future", path="given_at")
        sealed = json.dumps({"address": address, "group": customer_group}).encode()
        lookup = self.lookup(address)
        consent = Consent(
            lookup=lookup,
            sealed=self._vault.seal(PURPOSE, sealed),
            given_at=given_at or now,
            source=source,
            recorded_by=actor,
        )
        return await self._storage.execute(
            RecordConsent(consent=consent, audit=self._audit("RecordConsent", lookup, actor, source=source))
        )

    async def suppress(self, lookup: bytes, reason: Suppression, *, source: str, actor: str) -> bool:
        """Send no more to whom a lookup is of; answered whether that is new."""
        row = SuppressionRow(lookup=lookup, reason=reason, at=self._clock(), source=source)
        audit = self._audit("SuppressAddress", lookup, actor, source=source, reason=reason.value)
        return await self._storage.execute(SuppressAddress(suppression=row, audit=audit))

    async def lift(self, address: str, *, actor: str) -> int:
        """Let an address get mail again; how many suppressions were lifted."""
        lookup = self.lookup(address)
        return await self._storage.execute(
            LiftSuppressions(lookup=lookup, audit=self._audit("LiftSuppressions", lookup, actor))
        )

    async def forget(self, address: str, *, actor: str) -> int:
        """Take away what is known of an address; how many rows went."""
        lookup = self.lookup(address)
        return await self._storage.execute(
            ForgetAddress(lookup=lookup, audit=self._audit("ForgetAddress", lookup, actor))
        )

    async def consents(self, *, limit: int = ALL) -> tuple[KnownConsent, ...]:
        """Give the consents, with their addresses."""
        found = await self._storage.query(ListConsents(after=b"", limit=limit))
        return tuple(map(self.opened, found))

    def opened(self, consent: Consent) -> KnownConsent:
        """Unseal a consent. Raises VaultError."""
        values = json.loads(self._vault.open(PURPOSE, consent.sealed))
        return KnownConsent(
            address=values["address"],
            customer_group=values["group"],
            given_at=consent.given_at,
            source=consent.source,
            recorded_by=consent.recorded_by,
        )

    def token(self, address: str) -> str:
        """Give what proves that somebody got a mail to an address: it can unsubscribe it, and nothing else."""
        lookup = self.lookup(address)
        return urlsafe_b64encode(lookup + self._tag(lookup)).decode()

    def read_token(self, token: str) -> bytes:
        """Give the lookup of the address that a token is for. Raises TokenInvalid."""
        try:
            content = urlsafe_b64decode(token.encode("ascii"))
        except (ValueError, UnicodeEncodeError):
            content = b""
        lookup, tag = content[:_LOOKUP_BYTES], content[_LOOKUP_BYTES:]
        if not hmac.compare_digest(tag, self._tag(lookup)) or urlsafe_b64encode(content).decode() != token:
            raise TokenInvalid("the address of this page is not whole; take it from the mail once more")
        return lookup

    def _tag(self, lookup: bytes) -> bytes:
        return self._vault.index(_TOKEN, lookup.hex())[:_TAG_BYTES]

    def _audit(self, action: str, lookup: bytes, actor: str, **details: str) -> AuditRow:
        subject = f"address {lookup.hex()[:16]}"
        return AuditRow(at=self._clock(), actor=actor, action=action, subject=subject, details=json.dumps(details))


def address_lookup(vault: Vault, address: str) -> bytes:
    """Give the keyed hash that an address is known by, the same whatever its case."""
    return vault.index(PURPOSE, address.strip().casefold())


def wishes_of(view: AddressView) -> Wishes:
    """Say what may be sent by what is known of an address."""
    bounced = any(row.reason is Suppression.BOUNCE for row in view.suppressions)
    return Wishes(reachable=not bounced, offers=view.consent is not None and not view.suppressions)
