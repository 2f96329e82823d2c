"""What shops prove themselves by: API keys, usernames with a secret, certificates, authorities."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from licensing.errors import (
    CertificateInvalid,
    CredentialExists,
    CredentialUnknown,
    NameInvalid,
    OverlapInvalid,
    ShopUnknown,
)
from licensing.ids import Ids
from licensing.lookups import Lookups
from licensing.shop_changes import ShopChanges, check_depot_policy
from licensing.vault import Vault
from storage import Storage
from storage.commands import (
    AddCredential,
    FindIdentity,
    LoadFilters,
    RevokeCredential,
    SetDepotPolicy,
    SetShopActive,
    ShopView,
    ShowShop,
)
from storage.records import AccessPolicy, AuditRow, Credential, Identity, Shop
from storage.together import AllOrNone, NoneDone

KEY_PREFIX = "od_"
API_KEY = "api-key"
USERNAME = "username"
CERTIFICATE = "certificate"
AUTHORITY = "authority"
MOST_VALID_KEYS = 2
LEAST_RSA_BITS = 2048
_EXISTS = "this is registered already, with this shop or another one; take another one"


@dataclass(frozen=True, kw_only=True, slots=True)
class UsernameSecret:
    """A username's shop and its secret, which proves nothing before it was compared."""

    shop: Shop
    credential: Credential
    secret: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSecret:
    """A credential that was made here, and its secret, which is given this once."""

    credential: Credential
    secret: str = field(repr=False)


def new_key(random: Callable[[int], bytes]) -> str:
    """Give an API key of 256 random bits."""
    return KEY_PREFIX + urlsafe_b64encode(random(32)).decode().rstrip("=")


def fingerprint_text(der: bytes) -> str:
    """Give the SHA-256 fingerprint of a certificate as people compare it: 64 small hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


class Credentials:
    """Finds shops by their credentials, and gives and takes credentials."""

    def __init__(
        self, *, storage: Storage, vault: Vault, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._random = random
        self._ids = Ids(clock=clock, random=random)
        self.lookups = Lookups(storage=storage, vault=vault)
        self.shop_changes = ShopChanges(storage=storage, clock=clock)

    async def find_api_key(self, api_key: str, name: str | None = None) -> Identity | None:
        """Give whose API key this is, None unless it holds now; where a name is given, it must be that shop's."""
        found = await self._found(API_KEY, api_key)
        return found if found is not None and name in {None, found.shop.name} else None

    async def find_username(self, username: str) -> UsernameSecret | None:
        """Give the shop and the secret of a username, None unless it holds now. Raises VaultError."""
        found = await self._found(USERNAME, username)
        if found is None or found.credential.sealed is None:
            return None
        secret = self._vault.open(USERNAME, found.credential.sealed)
        return UsernameSecret(shop=found.shop, credential=found.credential, secret=secret)

    async def show(self, name: str) -> ShopView:
        """Give a shop and all credentials that it has or had. Raises ShopUnknown."""
        found = await self._storage.query(ShowShop(name=name))
        if found is None:
            raise ShopUnknown(f"there is no shop {name}; `opendepot shop list` has their names", path="shopName")
        return found

    async def names(self) -> tuple[str, ...]:
        """Give the names of all shops, sorted."""
        return tuple(sorted(shop.name for shop in (await self._storage.query(LoadFilters())).shops))

    async def rotate_key(
        self, name: str, *, overlap: timedelta, label: str = "", actor: str = "cli"
    ) -> tuple[NewSecret, datetime]:
        """Make a new API key and let the ones before end when the overlap is over; give that time, too.

        Raises ShopUnknown, OverlapInvalid.
        """
        if not timedelta() <= overlap <= timedelta(days=365):
            raise OverlapInvalid("the overlap is 0 to 365 days; 0 ends the old key at once", path="overlap")
        view, now = await self.show(name), self._clock()
        before = [one for one in view.credentials if one.kind == API_KEY and one.holds(now)]
        ends = now + overlap
        made, adding = self._new_key(
            view.shop, label=label, actor=actor, ending=tuple(one.credential_id for one in before[-1:]), ending_at=ends
        )
        # With a third one, the eldest ends at once: whoever rotates twice within an overlap means the newest two.
        eldest = [self._revocation(view.shop, one.credential_id, actor) for one in before[: -(MOST_VALID_KEYS - 1)]]
        outcome = await self._storage.execute(AllOrNone(commands=(*eldest, adding)))
        if isinstance(outcome, NoneDone):
            raise CredentialUnknown(
                f"the keys of shop {name} were changed by somebody else at the same time; look at them with "
                f"`opendepot shop show {name}` and try again",
                path="credentialId",
            )
        return made, ends

    def _new_key(
        self, shop: Shop, *, label: str, actor: str, ending: tuple[str, ...], ending_at: datetime
    ) -> tuple[NewSecret, AddCredential]:
        api_key = new_key(self._random)
        credential = self._credential(shop, API_KEY, self._vault.index(API_KEY, api_key), label=label)
        details = {"kind": API_KEY, "credential": credential.credential_id, "ending": list(ending)}
        audit = self._audit("AddCredential", shop.name, details, actor)
        command = AddCredential(credential=credential, audit=audit, ending=ending, ending_at=ending_at)
        return NewSecret(credential=credential, secret=api_key), command

    async def add_username(self, name: str, username: str, *, label: str = "", actor: str = "cli") -> NewSecret:
        """Let a shop use a username; its secret is made here. Raises ShopUnknown, NameInvalid, CredentialExists."""
        if not 1 <= len(username) <= 64 or not username.isascii() or not username.isprintable() or " " in username:
            raise NameInvalid("a username must be 1 to 64 printable ASCII characters without blanks", path="userName")
        view = await self.show(name)
        await self._refuse_taken(USERNAME, username)
        secret = new_key(self._random)
        credential = self._credential(
            view.shop,
            USERNAME,
            self._vault.index(USERNAME, username),
            label=label or username,
            sealed=self._vault.seal(USERNAME, secret.encode()),
        )
        await self._add(
            view.shop, credential, details={"kind": USERNAME, "credential": credential.credential_id}, actor=actor
        )
        return NewSecret(credential=credential, secret=secret)

    async def add_certificate(
        self, name: str, certificate: x509.Certificate, *, authority: bool = False, label: str = "", actor: str = "cli"
    ) -> Credential:
        """Register a shop's certificate, or with `authority` the one that certifies this shop alone.

        Raises ShopUnknown, CertificateInvalid, CredentialExists.
        """
        _check_certificate(certificate, authority=authority, now=self._clock())
        view = await self.show(name)
        der = certificate.public_bytes(Encoding.DER)
        mark = fingerprint_text(der)
        await self._refuse_taken(CERTIFICATE, mark)
        credential = self._credential(
            view.shop,
            AUTHORITY if authority else CERTIFICATE,
            self._vault.index(CERTIFICATE, mark),
            label=label,
            material=der,
        )
        details = {"kind": credential.kind, "credential": credential.credential_id, "fingerprint": mark}
        await self._add(view.shop, credential, details=details, actor=actor)
        return credential

    async def revoke(self, name: str, credential_id: str, *, actor: str = "cli") -> None:
        """Let a credential hold no more. Raises ShopUnknown, CredentialUnknown."""
        view = await self.show(name)
        if not await self._storage.execute(self._revocation(view.shop, credential_id, actor)):
            raise CredentialUnknown(
                f"shop {name} has no credential {credential_id} that could be revoked; `opendepot shop show {name}`",
                path="credentialId",
            )

    async def set_active(self, name: str, *, active: bool, actor: str = "cli") -> None:
        """Let a shop in, or let it in no more, whatever it proves. Raises ShopUnknown."""
        audit = self._audit("SetShopActive", name, {"active": active}, actor)
        if not await self._storage.execute(SetShopActive(name=name, active=active, audit=audit)):
            raise ShopUnknown(f"there is no shop {name}; `opendepot shop list` has their names", path="shopName")

    async def set_depot_policy(self, name: str, policy: AccessPolicy, *, actor: str = "cli") -> None:
        """Say what proves a shop at the Depot. Raises ShopUnknown, PolicyInvalid for one by address alone."""
        check_depot_policy(policy)
        audit = self._audit("SetDepotPolicy", name, {"policy": policy.value}, actor)
        if not await self._storage.execute(SetDepotPolicy(name=name, policy=policy, audit=audit)):
            raise ShopUnknown(f"there is no shop {name}; `opendepot shop list` has their names", path="shopName")

    async def _found(self, kind: str, text: str) -> Identity | None:
        by_hash = await self.lookups.find(kind, text, self._identity)
        if by_hash is None:
            return None
        found, lookup = by_hash
        if found.credential.kind != kind or not found.credential.holds(self._clock()):
            return None
        await self.lookups.renew("credentials", found.credential.credential_id, purpose=kind, text=text, found=lookup)
        return found

    async def _identity(self, lookup: bytes) -> Identity | None:
        return await self._storage.query(FindIdentity(lookup=lookup))

    async def _refuse_taken(self, kind: str, text: str) -> None:
        if await self.lookups.is_taken(kind, text, self._identity):
            raise CredentialExists(_EXISTS)

    def _revocation(self, shop: Shop, credential_id: str, actor: str) -> RevokeCredential:
        audit = self._audit("RevokeCredential", shop.name, {"credential": credential_id}, actor)
        return RevokeCredential(shop_id=shop.shop_id, credential_id=credential_id, at=self._clock(), audit=audit)

    def _credential(
        self,
        shop: Shop,
        kind: str,
        lookup: bytes,
        *,
        label: str,
        sealed: bytes | None = None,
        material: bytes | None = None,
    ) -> Credential:
        if len(label) > 100 or not (label == "" or label.isprintable()):
            raise NameInvalid("a label must be at most 100 printable characters", path="label")
        return Credential(
            credential_id=self._ids.new(),
            shop_id=shop.shop_id,
            kind=kind,
            lookup=lookup,
            created_at=self._clock(),
            label=label,
            sealed=sealed,
            material=material,
        )

    async def _add(
        self,
        shop: Shop,
        credential: Credential,
        *,
        details: Mapping[str, object],
        actor: str,
    ) -> None:
        audit = self._audit("AddCredential", shop.name, details, actor)
        if not await self._storage.execute(AddCredential(credential=credential, audit=audit)):
            raise CredentialExists(_EXISTS)

    def _audit(self, action: str, subject: str, details: Mapping[str, object], actor: str) -> AuditRow:
        return AuditRow(at=self._clock(), actor=actor, action=action, subject=subject, details=json.dumps(details))


def _check_certificate(certificate: x509.Certificate, *, authority: bool, now: datetime) -> None:
    key = certificate.public_key()
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    )
    if not strong:
        raise CertificateInvalid("its key must be RSA of 2048 bits or more, or ECDSA on P-256 or P-384")
    if certificate.not_valid_after_utc <= now:
        raise CertificateInvalid(f"it expired at {certificate.not_valid_after_utc.isoformat()}; make a new one")
    try:
        certifies = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        certifies = False
    if authority and not certifies:
        raise CertificateInvalid("it does not certify others: basicConstraints must say CA:TRUE")
