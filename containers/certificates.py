"""Certificates that say which key signs for a firm code (design, section 6)."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from containers.model import ContainerError

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What reading a certificate of somebody else's making raises."""


def firm_code_uri(firm_code: int) -> str:
    """Return the subject alternative name (a URI) that binds a certificate to a firm code."""
    return f"urn:opendepot:firm-code:{firm_code}"


def load_trust(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Return the root certificates of a PEM file.

    Raises ContainerError `TrustWrong` if there is none, or one that is no certificate authority or whose subject cannot
    be read.
    """
    try:
        roots = tuple(x509.load_pem_x509_certificates(pem))
        authorities = all(_is_authority(root) for root in roots)
    except _UNREADABLE:
        authorities = False
    if not authorities:
        raise ContainerError("TrustWrong", "trust must be one or more root certificates of vendors, in PEM")
    return roots


def firm_certificate_key(
    der: bytes, *, firm_code: int, at: datetime, trust: Sequence[x509.Certificate]
) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key that the certificate binds to the firm code.

    Raises ContainerError `CertificateWrong` unless one of `trust` issued it, both were valid at `at`, and it is made
    for digital signatures of exactly this firm code.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _check_use(certificate, firm_code=firm_code)
        key = certificate.public_key()
    except _UNREADABLE:
        raise _wrong("a step's certificate cannot be read") from None
    # The signature's count of unused bits is outside what is signed, and the parser lets some of its values pass.
    if not der.endswith(b"\x00" + certificate.signature):
        raise _wrong("a step's certificate is not in its one encoding (DER)")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _wrong("a step's certificate must hold a P-256 key")
    issuers = [root for root in trust if _issued(root, certificate)]
    if not issuers:
        raise _wrong("a step's certificate is not issued by a trusted root; add the vendor's root certificate")
    if not _valid(certificate, at) or not any(_valid(root, at) for root in issuers):
        raise _wrong("a step's certificate was not valid when the step was issued")
    return key


def _is_authority(root: x509.Certificate) -> bool:
    # A name is decoded only when it is asked for, and a root without a readable one could not be shown.
    root.subject.rfc4514_string()
    return root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _check_use(certificate: x509.Certificate, *, firm_code: int) -> None:
    extensions = certificate.extensions
    if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise _wrong("a step's certificate must not be a certificate authority's")
    if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
        raise _wrong("a step's certificate must be made for digital signatures")
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if names.get_values_for_type(x509.UniformResourceIdentifier) != [firm_code_uri(firm_code)]:
        raise _wrong("a step's certificate is for another firm code")


def _issued(root: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _wrong(message: str) -> ContainerError:
    return ContainerError("CertificateWrong", message)
