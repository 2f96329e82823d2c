from collections.abc import Callable
from datetime import timedelta

import pytest
import vendor
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from containers import ContainerError, SoftwareBox, load_trust
from containers.certificates import firm_certificate_key, firm_code_uri

Refused = Callable[..., ContainerError]

_ROOT_KEY = ec.derive_private_key(100, ec.SECP256R1())
_KEY = ec.derive_private_key(200, ec.SECP256R1())
_URI = firm_code_uri(vendor.FIRM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(
    *,
    key: object = _KEY,
    issuer: str = "Root",
    subject: str = "Leaf",
    signer: object = _ROOT_KEY,
    ca: bool | None = False,
    signs: bool | None = True,
    names: tuple[str, ...] | None = (_URI,),
    days: int = 10,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(vendor.NOW - timedelta(days=1))
        .not_valid_after(vendor.NOW + timedelta(days=days))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if signs is not None:
        builder = builder.add_extension(_usage(signs=signs), critical=True)
    if names is not None:
        uris = [x509.UniformResourceIdentifier(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    return builder.sign(signer, hashes.SHA256())


_ROOT = _certificate(key=_ROOT_KEY, subject="Root", ca=True, signs=False, names=None)


def _judge(certificate: x509.Certificate | bytes, *, roots: tuple[x509.Certificate, ...] = (_ROOT,)) -> object:
    der = certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)
    return firm_certificate_key(der, firm_code=vendor.FIRM, at=vendor.NOW, trust=roots)


def test_a_vendors_own_certificate_gives_its_key() -> None:
    assert _judge(_certificate()) == _KEY.public_key()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"names": (_URI + "0",)}, "another firm code"),
        ({"names": (firm_code_uri(vendor.FIRM + 1),)}, "another firm code"),
        ({"names": (_URI, firm_code_uri(1))}, "another firm code"),
        ({"names": ()}, "another firm code"),
        ({"names": None}, "cannot be read"),
        ({"signs": False}, "digital signatures"),
        ({"signs": None}, "cannot be read"),
        ({"ca": True}, "authority"),
        ({"ca": None}, "cannot be read"),
        ({"key": ec.derive_private_key(3, ec.SECP384R1())}, "P-256"),
        ({"key": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))}, "P-256"),
        ({"issuer": "Other"}, "trusted root"),
        ({"signer": _KEY}, "trusted root"),
        ({"days": 0}, None),
    ],
)
def test_each_thing_a_certificate_must_be_is_asked(refused: Refused, changed: dict, words: str | None) -> None:
    certificate = _certificate(**changed)
    if words is None:
        assert _judge(certificate) == _KEY.public_key()
        return
    error = refused(_judge, certificate)
    assert error.code == "CertificateWrong"
    assert words in str(error)


def test_the_root_must_have_been_valid_too(refused: Refused) -> None:
    expired = _certificate(key=_ROOT_KEY, subject="Root", ca=True, signs=False, names=None, days=0)
    late = vendor.NOW + timedelta(days=1)
    der = _certificate().public_bytes(Encoding.DER)
    error = refused(firm_certificate_key, der, firm_code=vendor.FIRM, at=late, trust=(expired,))
    assert (error.code, "not valid" in str(error)) == ("CertificateWrong", True)
    assert firm_certificate_key(der, firm_code=vendor.FIRM, at=late, trust=(expired, _ROOT)) == _KEY.public_key()


def test_the_certificate_must_have_been_valid_itself(refused: Refused) -> None:
    der = _certificate(days=0).public_bytes(Encoding.DER)
    late = vendor.NOW + timedelta(seconds=1)
    error = refused(firm_certificate_key, der, firm_code=vendor.FIRM, at=late, trust=(_ROOT,))
    assert (error.code, "not valid" in str(error)) == ("CertificateWrong", True)


def test_every_changed_byte_of_a_certificate_is_refused(refused: Refused) -> None:
    certificate = _certificate()
    der = certificate.public_bytes(Encoding.DER)
    # The count of unused bits before the signature is no part of it, and the parser does not look at it.
    unused_bits = len(der) - len(certificate.signature) - 1
    for position in set(range(len(der))) - {unused_bits}:
        changed = der[:position] + bytes([der[position] ^ 1]) + der[position + 1 :]
        assert refused(_judge, changed).code == "CertificateWrong"


def test_trust_is_one_root_or_several(box: SoftwareBox) -> None:
    pem = _ROOT.public_bytes(Encoding.PEM)
    assert load_trust(pem) == (_ROOT,)
    assert load_trust(box.root_certificate_pem + b"\nsome words\n" + pem)[1] == _ROOT


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        _certificate().public_bytes(Encoding.PEM),
        _certificate(ca=None).public_bytes(Encoding.PEM),
        _ROOT.public_bytes(Encoding.PEM) + _certificate().public_bytes(Encoding.PEM),
    ],
)
def test_what_is_no_root_is_not_trusted(refused: Refused, pem: bytes) -> None:
    assert refused(load_trust, pem).code == "TrustWrong"
