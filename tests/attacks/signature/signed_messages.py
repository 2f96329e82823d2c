"""Messages with WS-Security header blocks, honest ones and any other, and what the server's own stages make of them.

The signer is the test's own and does what it is told: wrong algorithms, missing references, keys of others.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from server.errors import ServerError
from server.security.wssecurity.checking import Proven, SecurityCheck
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.keys import RegisteredCertificate, RegisteredSecret, registered
from server.security.wssecurity.names import (
    BASE64,
    DSIG,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    KEY_IDENTIFIER,
    PASSWORD_DIGEST,
    RSA_SHA256,
    SHA256,
    THUMBPRINT,
    X509,
)
from server.security.wssecurity.references import KeyName, certificate_name, names_of
from soap import Engine, Received, SoapError, Version, load_contract
from soap.messages import sales
from soap.names import HEADER, WSSE, WSU
from xmlgate import Limits

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
SALES = "urn:opendepot:sales:1"
ORDER = (
    f'<CreateOrder xmlns="{SALES}"><transactionId>t-1</transactionId>'
    "<orderLine><itemNumber>EDITOR</itemNumber><quantity>1</quantity></orderLine></CreateOrder>"
)
SHA1_DIGEST = "http://www.w3.org/2000/09/xmldsig#sha1"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
HMAC_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
HMAC_SHA1 = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@dataclass(frozen=True)
class Signer:
    """A key with its certificate."""

    key: Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def method(self) -> str:
        return RSA_SHA256 if isinstance(self.key, rsa.RSAPrivateKey) else ECDSA_SHA256


@cache
def signer(name: str = "acme", kind: str = "p256", *, days: int = 365, serial: int | None = None) -> Signer:
    """Make a key and a certificate of it by itself, valid from a day before NOW."""
    key: Any = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "rsa1024": lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),
    }[kind]()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = NOW - timedelta(days=1 if days > 0 else 1 - days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=abs(days)))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Signer(key=key, certificate=certificate)


@dataclass
class Keys:
    """What is registered, in memory."""

    found: list[RegisteredCertificate] = field(default_factory=list)
    secrets: dict[str, RegisteredSecret] = field(default_factory=dict)

    @classmethod
    def of(cls, *signers: Signer, owner: str = "acme") -> "Keys":
        found = [
            registered(one.certificate, credential_id=f"c-{number}", owner=owner) for number, one in enumerate(signers)
        ]
        secret = RegisteredSecret(credential_id="u-1", owner=owner, secret=b"a machine's secret")
        return cls(found=found, secrets={"acme": secret})

    def certificates(self, name: KeyName) -> Sequence[RegisteredCertificate]:
        return [
            one
            for one in self.found
            if name in (certificate_name(one.certificate.public_bytes(Encoding.DER)), *names_of(one.certificate))
        ]

    async def secret(self, username: str) -> RegisteredSecret | None:
        return self.secrets.get(username)


def element(tag: str, text: str | None = None, /, *children: Any, **attributes: str) -> Any:
    """Make an element; attributes `wsu_Id` and the like get their namespaces."""
    namespaces = {"wsu_Id": ID}
    made = etree.Element(tag, nsmap=None)
    made.text = text
    for name, value in attributes.items():
        made.set(namespaces.get(name, name), value)
    made.extend(children)
    return made


def ds(name: str, text: str | None = None, /, *children: Any, **attributes: str) -> Any:
    return element(f"{{{DSIG}}}{name}", text, *children, **attributes)


def wsse(name: str, text: str | None = None, /, *children: Any, **attributes: str) -> Any:
    return element(f"{{{WSSE}}}{name}", text, *children, **attributes)


def wsu(name: str, text: str | None = None, /, *children: Any, **attributes: str) -> Any:
    return element(f"{{{WSU}}}{name}", text, *children, **attributes)


def c14n(node: Any, method: str = EXCLUSIVE) -> bytes:
    return etree.tostring(node, method="c14n", exclusive=method == EXCLUSIVE, with_comments=False)


def moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Message:
    """A message in the making; `root` may be changed in any way before and after it is signed."""

    root: Any
    version: Version = Version.SOAP11

    @classmethod
    def of(cls, body: str = ORDER, *, version: Version = Version.SOAP11, header: str = "") -> "Message":
        text = (
            f'<soap:Envelope xmlns:soap="{version}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" xmlns:od="{HEADER}">'
            f'<soap:Header>{header}<wsse:Security soap:mustUnderstand="1"/></soap:Header>'
            f'<soap:Body wsu:Id="body">{body}</soap:Body></soap:Envelope>'
        )
        return cls(root=etree.fromstring(text), version=version)

    @property
    def header(self) -> Any:
        return self.root[0]

    @property
    def body(self) -> Any:
        return self.root.find(f"{{{self.version}}}Body")

    @property
    def security(self) -> Any:
        return self.header.find(f"{{{WSSE}}}Security")

    @property
    def signature(self) -> Any:
        return self.security.find(f"{{{DSIG}}}Signature")

    @property
    def info(self) -> Any:
        return self.signature[0]

    @property
    def references(self) -> list[Any]:
        return self.info.findall(f"{{{DSIG}}}Reference")

    def timestamp(self, created: datetime = NOW, expires: datetime | None = None, *, name: str = "time") -> "Message":
        children = [wsu("Created", moment(created))]
        if expires is not None:
            children.append(wsu("Expires", moment(expires)))
        made = wsu("Timestamp", None, *children)
        made.set(ID, name)
        self.security.append(made)
        return self

    def username(
        self,
        *,
        name: str = "acme",
        secret: bytes = b"a machine's secret",
        nonce: bytes = b"0123456789abcdef",
        created: str | None = None,
    ) -> "Message":
        created = moment(NOW) if created is None else created
        digest = hashlib.sha1(nonce + created.encode() + secret).digest()
        self.security.append(
            wsse(
                "UsernameToken",
                None,
                wsse("Username", name),
                wsse("Password", b64encode(digest).decode(), Type=PASSWORD_DIGEST),
                wsse("Nonce", b64encode(nonce).decode(), EncodingType=BASE64),
                wsu("Created", created),
            )
        )
        return self

    def text_username(self, *, name: str = "acme", secret: str = "a machine's secret") -> "Message":
        self.security.append(wsse("UsernameToken", None, wsse("Username", name), wsse("Password", secret)))
        return self

    def sign(
        self,
        by: Signer,
        *,
        over: Sequence[Any] | None = None,
        key: str = "binary",
        method: str | None = None,
        digest: str = SHA256,
        canonical: str = EXCLUSIVE,
        transform: str = EXCLUSIVE,
        change_info: Callable[[Any], None] = lambda _: None,
        token: bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> "Message":
        """Sign elements, by default Body and Timestamp; `change_info` changes SignedInfo before it is signed."""
        targets = [self.body, self.security.find(f"{{{WSU}}}Timestamp")] if over is None else over
        hashing = hashlib.sha1 if digest == SHA1_DIGEST else hashlib.sha256
        info = ds(
            "SignedInfo",
            None,
            ds("CanonicalizationMethod", Algorithm=canonical),
            ds("SignatureMethod", Algorithm=by.method if method is None else method),
            *(
                ds(
                    "Reference",
                    None,
                    ds("Transforms", None, ds("Transform", Algorithm=transform)),
                    ds("DigestMethod", Algorithm=digest),
                    ds("DigestValue", b64encode(hashing(c14n(target, transform)).digest()).decode()),
                    URI=f"#{target.get(ID) or target.get('Id')}",
                )
                for target in targets
            ),
        )
        value = ds("SignatureValue")
        if key == "binary":
            self.security.insert(
                0, wsse("BinarySecurityToken", b64encode(token or by.der).decode(), ValueType=X509, EncodingType=BASE64)
            )
            self.security[0].set(ID, "token")
        self.security.append(ds("Signature", None, info, value, ds("KeyInfo", None, key_reference(by, key))))
        change_info(info)
        signed = c14n(info, canonical)
        value.text = b64encode(sign(signed) if sign else made_by(by.key, signed)).decode()
        return self

    def resign(self, by: Signer) -> "Message":
        """Sign SignedInfo anew, as it stands."""
        self.signature[1].text = b64encode(made_by(by.key, c14n(self.info))).decode()
        return self

    def bytes(self) -> bytes:
        return etree.tostring(self.root)


def key_reference(by: Signer, key: str) -> Any:
    """Give a SecurityTokenReference of a kind."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(by.certificate.public_key()).digest
    thumbprint = by.certificate.fingerprint(hashes.SHA1())
    pair = [
        ds("X509IssuerName", by.certificate.issuer.rfc4514_string()),
        ds("X509SerialNumber", str(by.certificate.serial_number)),
    ]
    inner = {
        "binary": lambda: wsse("Reference", URI="#token", ValueType=X509),
        "ski": lambda: wsse("KeyIdentifier", b64encode(identifier).decode(), ValueType=KEY_IDENTIFIER),
        "thumbprint": lambda: wsse("KeyIdentifier", b64encode(thumbprint).decode(), ValueType=THUMBPRINT),
        "embedded": lambda: wsse("KeyIdentifier", b64encode(by.der).decode(), ValueType=X509),
        "serial": lambda: ds("X509Data", None, ds("X509IssuerSerial", None, *pair)),
        "serial-and-certificate": lambda: ds(
            "X509Data", None, ds("X509IssuerSerial", None, *pair), ds("X509Certificate", b64encode(by.der).decode())
        ),
    }[key]()
    return wsse("SecurityTokenReference", None, inner)


def made_by(key: Any, data: bytes) -> bytes:
    """Sign as XMLDSig writes it: PKCS #1 v1.5, or r and s."""
    if isinstance(key, rsa.RSAPrivateKey):
        return bytes(key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    half = (key.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


def keyed_by_the_public_key(by: Signer, algorithm: Any = None) -> Callable[[bytes], bytes]:
    """Sign by HMAC with the public key as the secret, which everybody knows."""
    known = by.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(data: bytes) -> bytes:
        made = hmac.HMAC(known, algorithm or hashes.SHA256())
        made.update(data)
        return made.finalize()

    return sign


@cache
def engine() -> Engine:
    return Engine(
        load_contract("v1/sales.wsdl"),
        sales,
        limits=Limits(),
        validate_answers=False,
        own_limits={"CreateOrders": Limits(max_bytes=4 * 1024 * 1024, elements=100_000)},
    )


def opened(data: bytes, version: Version = Version.SOAP11) -> Received:
    return engine().open(data, content_type=version.content_type, soap_action=None)


async def proven(
    data: bytes, keys: Keys, *, now: datetime = NOW, version: Version = Version.SOAP11, encrypted: bool = False
) -> tuple[Proven, Any]:
    """Pass the stages of the server up to the decoded message. Raises SoapError, ServerError."""
    received = opened(data, version)
    assert received.security is not None
    body = next(received.payload.iterancestors())
    found = await SecurityCheck(keys, window=Window(), now=now).prove(received.security, body, encrypted=encrypted)
    return found, engine().decode(received)


async def refusal(data: bytes, keys: Keys, **options: Any) -> str:
    """Give the code of the refusal, or `taken`."""
    try:
        await proven(data, keys, **options)
    except (SoapError, ServerError) as refused:
        return refused.code
    except AssertionError:
        return "no header block"
    return "taken"
