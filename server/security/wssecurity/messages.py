"""Security header blocks of shops' messages, checked against the shops' own certificates and usernames."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from licensing.credentials import Credentials
from observe import Metrics
from server.errors import ServerError
from server.security.callers import Calling
from server.security.certificates import CertificateStore, Registered
from server.security.messages import MessageProofs
from server.security.proofs import Proof, ProofKind
from server.security.wssecurity.checking import Kind, Proven, SecurityCheck
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.keys import RegisteredCertificate, RegisteredSecret, registered
from server.security.wssecurity.references import KeyName, names_of
from server.security.wssecurity.refusals import SecurityInvalid
from soap import Received
from soap.envelope import ON_BEHALF_OF
from storage.records import Shop

LARGE_BYTES = 64 * 1024
"""Messages above this are checked in a thread, so that they hold up nobody else."""
MOST_REMEMBERED = 10_000
_KINDS: Mapping[Kind, ProofKind] = {
    Kind.PASSWORD: ProofKind.USERNAME,
    Kind.DIGEST: ProofKind.USERNAME,
    Kind.SIGNATURE: ProofKind.SIGNATURE,
}


class WsSecurity:
    """A `server.security.messages.MessageSecurity`."""

    def __init__(self, credentials: Credentials, metrics: Metrics, *, window: Window) -> None:
        self._credentials = credentials
        self._metrics = metrics
        self._window = window
        self._names = CertificateNames(CertificateStore())

    async def prove(
        self, received: Received, call: Calling, *, certificates: CertificateStore, now: datetime
    ) -> MessageProofs:
        """Give what a message proves; no proof where it has no Security header block. Raises SecurityRefused."""
        security = received.security
        if security is None or received.payload is None:
            return MessageProofs(received=received)
        if self._names.store is not certificates:
            self._names = CertificateNames(certificates)
        shops: dict[str, Shop] = {}
        keys = _Keys(self._names, self._credentials, shops, now=now)
        check = SecurityCheck(keys, window=self._window, now=now)
        body = next(received.payload.iterancestors())
        try:
            proven = await check.prove(security, body, encrypted=call.secure, large=received.size > LARGE_BYTES)
            _check_front(received, security, proven)
        except ServerError as refused:
            self._metrics.message_security.labels(refused.code).inc()
            raise
        for proof in proven.proofs:
            self._metrics.message_security.labels(proof.kind.value).inc()
        return MessageProofs(
            received=received,
            proofs=tuple(
                Proof(kind=_KINDS[proof.kind], shop=shops[proof.owner], credential_id=proof.credential_id)
                for proof in proven.proofs
            ),
            marks=tuple(proof.once for proof in proven.proofs if proof.once is not None),
        )


def _check_front(received: Received, security: etree._Element, proven: Proven) -> None:
    """Refuse what a front tells of its client where it signed the message and not that. Raises SecurityInvalid."""
    if received.on_behalf_of is None or proven.signed is None:
        return
    header = next(security.iterancestors())
    if not all(proven.signed.cover(block) for block in header if block.tag == ON_BEHALF_OF):
        raise SecurityInvalid("the signature must cover the header block OnBehalfOf, by its wsu:Id")


class CertificateNames:
    """The certificates of one state of the store by all their names, each made ready for use when it is first asked."""

    def __init__(self, store: CertificateStore) -> None:
        self.store = store
        self._named: dict[KeyName, list[Registered]] | None = None
        self._ready: dict[bytes, RegisteredCertificate | None] = {}

    def find(self, name: KeyName) -> list[Registered]:
        """Give the registrations of a name."""
        if name.der is not None:
            found = self.store.find(name.der)
            return [] if found is None else [found]
        if self._named is None:
            self._named = {}
            for one in self.store.pinned.values():
                for each in names_of(one.certificate):
                    self._named.setdefault(each, []).append(one)
        return self._named.get(name, [])

    def ready(self, one: Registered) -> RegisteredCertificate | None:
        """Give a registration ready for use, None where its key must not be used."""
        mark = one.certificate.fingerprint(SHA256())
        if mark not in self._ready:
            if len(self._ready) >= MOST_REMEMBERED:
                self._ready.clear()
            self._ready[mark] = _usable(one)
        return self._ready[mark]


def _usable(one: Registered) -> RegisteredCertificate | None:
    try:
        return registered(one.certificate, credential_id=one.credential.credential_id, owner=one.shop.shop_id)
    except ValueError:
        return None


class _Keys:
    """The `RegisteredKeys` for one message. The shops of what it gave are put into `shops`."""

    def __init__(
        self, names: CertificateNames, credentials: Credentials, shops: dict[str, Shop], *, now: datetime
    ) -> None:
        self._names = names
        self._credentials = credentials
        self._shops = shops
        self._now = now

    def certificates(self, name: KeyName) -> Sequence[RegisteredCertificate]:
        found = []
        for one in self._names.find(name):
            ready = self._names.ready(one) if one.credential.holds(self._now) else None
            if ready is not None:
                self._shops[one.shop.shop_id] = one.shop
                found.append(ready)
        return found

    async def secret(self, username: str) -> RegisteredSecret | None:
        found = await self._credentials.find_username(username)
        if found is None:
            return None
        self._shops[found.shop.shop_id] = found.shop
        return RegisteredSecret(
            credential_id=found.credential.credential_id, owner=found.shop.shop_id, secret=found.secret
        )
