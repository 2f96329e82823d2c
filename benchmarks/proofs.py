"""What a WS-Security header block costs beside a bare call: bytes to a message and an answer to bytes, one process.

The network, the database and the rules are left out on all sides, so that the ratios are the worst there can be. The
messages are the same order; `digest` has a UsernameToken, `signed` a P-256 signature over Body and Timestamp, `rsa` one
of 2,048 bits.
"""

import asyncio
import hashlib
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from server.security.wssecurity.answers import SignAnswers
from server.security.wssecurity.checking import SecurityCheck
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.keys import RegisteredCertificate, RegisteredSecret, registered
from server.security.wssecurity.names import BASE64, PASSWORD_DIGEST
from server.security.wssecurity.references import KeyName
from server.security.wssecurity.signing import AnswerSigner
from soap import Engine, Version, load_contract
from soap.messages import sales
from soap.names import WSSE, WSU
from xmlgate import Limits

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SECRET = b"a machine's secret"
_LICENSE = sales.OrderedLicense(license_id="l", item_number="i", quantity=1)
_ANSWER = sales.CreateOrderAnswer(
    receipt=sales.OrderReceipt(
        order_id="o",
        ticket="t",
        collect_url=None,
        license=(_LICENSE,),
    )
)
_BODY = (
    '<soap:Body><CreateOrder xmlns="urn:opendepot:sales:1"><transactionId>t-1</transactionId><orderLine>'
    "<itemNumber>EDITOR</itemNumber><quantity>1</quantity></orderLine></CreateOrder></soap:Body>"
)
BARE = f'<soap:Envelope xmlns:soap="{Version.SOAP11}">{_BODY}</soap:Envelope>'.encode()


class _Keys:
    """One certificate and one username."""

    def __init__(self, certificate: RegisteredCertificate | None) -> None:
        self._certificates = () if certificate is None else (certificate,)

    def certificates(self, name: KeyName) -> Sequence[RegisteredCertificate]:  # noqa: ARG002  there is one
        return self._certificates

    async def secret(self, username: str) -> RegisteredSecret | None:  # noqa: ARG002  as above
        return RegisteredSecret(credential_id="c", owner="o", secret=_SECRET)


def proof_costs(*, seconds: float) -> Mapping[str, float]:
    """Give microseconds of processor time for each kind of call."""
    engine = Engine(load_contract("v1/sales.wsdl"), sales, limits=Limits(), validate_answers=False)
    signed, p256 = _signed(ec.generate_private_key(ec.SECP256R1()))
    by_rsa, rsa_key = _signed(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    calls: dict[str, tuple[bytes, _Keys]] = {
        "call_bare_us": (BARE, _Keys(None)),
        "call_digest_us": (_digest(), _Keys(None)),
        "call_signed_us": (signed, _Keys(p256)),
        "call_rsa_us": (by_rsa, _Keys(rsa_key)),
    }
    return {name: _timed(engine, *call, seconds=seconds) for name, call in calls.items()}


async def call(engine: Engine, data: bytes, keys: _Keys) -> None:
    """Make one call: all the engine does, and the check of the header block where there is one."""
    received = engine.open(data, content_type="text/xml; charset=utf-8", soap_action=None)
    if received.security is not None and received.payload is not None:
        body = next(received.payload.iterancestors())
        await SecurityCheck(keys, window=Window(), now=_NOW).prove(received.security, body, encrypted=False)
    engine.decode(received)
    engine.encode(received, _ANSWER)


def _timed(engine: Engine, data: bytes, keys: _Keys, *, seconds: float) -> float:
    async def run() -> float:
        await call(engine, data, keys)
        started, times = time.process_time(), 0
        while (passed := time.process_time() - started) < seconds:
            for _ in range(50):
                await call(engine, data, keys)
            times += 50
        return passed / times * 1e6

    return asyncio.run(run())


def _digest() -> bytes:
    nonce, created = b"0123456789abcdef", "2026-01-01T00:00:00Z"
    digest = hashlib.sha1(nonce + created.encode() + _SECRET).digest()
    token = (
        f'<w:UsernameToken><w:Username>erp</w:Username><w:Password Type="{PASSWORD_DIGEST}">'
        f"{b64encode(digest).decode()}</w:Password>"
        f'<w:Nonce EncodingType="{BASE64}">{b64encode(nonce).decode()}</w:Nonce>'
        f"<u:Created>{created}</u:Created></w:UsernameToken>"
    )
    header = f'<soap:Header><w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}">{token}</w:Security></soap:Header>'
    return BARE.replace(b"<soap:Body>", header.encode() + b"<soap:Body>", 1)


def _signed(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> tuple[bytes, RegisteredCertificate]:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "erp")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOW - timedelta(days=1))
        .not_valid_after(_NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    signer = AnswerSigner(
        certificate_pem=certificate.public_bytes(Encoding.PEM),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        which=SignAnswers.ALL,
        lifetime_seconds=60,
        clock=_clock,
    )
    return signer.sign(BARE), registered(certificate, credential_id="c", owner="o")


def _clock() -> datetime:
    return _NOW
