"""The whole check of a Security header block, in the one safe order, to proofs or a refusal."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from lxml import etree

from server.security.wssecurity.freshness import Window
from server.security.wssecurity.keys import RegisteredCertificate, RegisteredKeys
from server.security.wssecurity.reading import Claims, Signature, Timestamp, Username, read_claims
from server.security.wssecurity.refusals import SecurityExpired, SecurityFailed, SecurityUnencrypted
from server.security.wssecurity.verifying import SignedParts, signature_identity, verify_signature, verify_username
from storage.marks import Mark

ResultT = TypeVar("ResultT")

MOST_CANDIDATES = 4
"""Certificates that are tried for one name. More have the same serial number only by somebody's mistake."""


class Kind(StrEnum):
    """What was proven with."""

    PASSWORD = "password"  # noqa: S105  the name of a way, not one of them
    DIGEST = "digest"
    SIGNATURE = "signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """Who it is, proven. `once` must not be seen twice; None for a password in plain text, which nothing ties to this
    message.
    """

    kind: Kind
    owner: str
    credential_id: str
    once: Mark | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """All that a header block proves. `signed` is what was signed, None without a signature."""

    proofs: tuple[Proof, ...]
    body: etree._Element
    signed: SignedParts | None


class SecurityCheck:
    """Checks Security header blocks against registered keys."""

    def __init__(self, keys: RegisteredKeys, *, window: Window, now: datetime) -> None:
        self._keys = keys
        self._window = window
        self._now = now

    async def prove(
        self, security: etree._Element, body: etree._Element, *, encrypted: bool, large: bool = False
    ) -> Proven:
        """Give what a header block proves.

        `encrypted`: nobody but sender and server could read the message. `large`: what takes long is done in a thread.
        Raises SecurityRefused. Whether a mark was seen before is for the storage to say.
        """
        claims = await _on(large, lambda: read_claims(security, body))
        if claims.username is not None and isinstance(claims.username.password, str) and not encrypted:
            raise SecurityUnencrypted
        proofs: list[Proof] = []
        signed: SignedParts | None = None
        if claims.signature is not None and claims.timestamp is not None:
            signature = claims.signature
            signed, signer = await _on(large, lambda: self._signer(signature))
            proofs.append(self._signature_proof(claims.timestamp, signature, signer))
        if claims.username is not None:
            proofs.append(await self._username_proof(claims, claims.username))
        if len({proof.owner for proof in proofs}) != 1:
            raise SecurityFailed("signature and username are of two owners")
        return Proven(proofs=tuple(proofs), body=claims.body, signed=signed)

    def _signer(self, signature: Signature) -> tuple[SignedParts, RegisteredCertificate]:
        candidates = self._keys.certificates(signature.key)[:MOST_CANDIDATES]
        for certificate in candidates:
            signed = verify_signature(signature, certificate.key)
            if signed is not None:
                return signed, certificate
        if not candidates:
            raise SecurityFailed(f"no usable certificate is registered under this {signature.key.kind.value}")
        raise SecurityFailed("signature or digest does not fit the message")

    def _signature_proof(self, timestamp: Timestamp, signature: Signature, signer: RegisteredCertificate) -> Proof:
        now = self._now
        if not signer.not_before <= now <= signer.not_after:
            raise SecurityExpired(
                f"the certificate is valid from {signer.not_before.isoformat()} to {signer.not_after.isoformat()}, "
                f"and this server's clock says {now.isoformat(timespec='seconds')}; register a new one"
            )
        return Proof(
            kind=Kind.SIGNATURE,
            owner=signer.owner,
            credential_id=signer.credential_id,
            once=Mark(
                mark=_mark(Kind.SIGNATURE, signer.credential_id, signature_identity(signature)),
                until=self._until(timestamp),
            ),
        )

    async def _username_proof(self, claims: Claims, username: Username) -> Proof:
        secret = await self._keys.secret(username.name)
        if not verify_username(username, secret) or secret is None:
            raise SecurityFailed("there is no such username, or its password is another one")
        if claims.timestamp is not None:
            self._until(claims.timestamp)
        until = None if username.created is None else self._window.admit(username.created, None, now=self._now)
        if until is None or isinstance(username.password, str):
            return Proof(kind=Kind.PASSWORD, owner=secret.owner, credential_id=secret.credential_id, once=None)
        # The digest is in the mark: nonce and time may be cut elsewhere between them and give the same digest, but
        # nobody without the secret can make another digest.
        mark = _mark(Kind.DIGEST, secret.credential_id, username.password)
        return Proof(
            kind=Kind.DIGEST,
            owner=secret.owner,
            credential_id=secret.credential_id,
            once=Mark(mark=mark, until=until),
        )

    def _until(self, timestamp: Timestamp) -> datetime:
        return self._window.admit(timestamp.created, timestamp.expires, now=self._now)


async def _on(large: bool, work: Callable[[], ResultT]) -> ResultT:  # noqa: FBT001  reads well at the call
    return await asyncio.to_thread(work) if large else work()


def _mark(kind: Kind, credential_id: str, identity: bytes) -> bytes:
    return hashlib.sha256(f"{kind}\0{credential_id}\0".encode() + identity).digest()
