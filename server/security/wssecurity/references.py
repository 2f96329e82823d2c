"""How a signature says which key made it (X.509 Certificate Token Profile 1.1.1, section 3.2).

A reference only selects among the registered certificates. It proves nothing, and what it carries is never believed.
"""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lxml import etree

from server.security.wssecurity.elements import children, leaf, octets
from server.security.wssecurity.limits import (
    MOST_CERTIFICATE_BYTES,
    MOST_ID_CHARACTERS,
    MOST_NAME_CHARACTERS,
)
from server.security.wssecurity.names import BASE64, DSIG, ID, KEY_IDENTIFIER, THUMBPRINT, X509
from server.security.wssecurity.refusals import SecurityInvalid, SecurityUnsupported
from soap.names import WSSE

_REFERENCE, _IDENTIFIER, _DATA = f"{{{WSSE}}}Reference", f"{{{WSSE}}}KeyIdentifier", f"{{{DSIG}}}X509Data"
_ISSUER_SERIAL, _CERTIFICATE = f"{{{DSIG}}}X509IssuerSerial", f"{{{DSIG}}}X509Certificate"
_ISSUER, _SERIAL = f"{{{DSIG}}}X509IssuerName", f"{{{DSIG}}}X509SerialNumber"
_DIGITS = re.compile(r"[0-9]{1,50}", re.ASCII)


class NameKind(StrEnum):
    """By what a certificate can be named."""

    CERTIFICATE = "certificate"
    THUMBPRINT = "thumbprint"
    KEY_IDENTIFIER = "key-identifier"
    SERIAL = "serial"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyName:
    """A name of registered certificates; a serial number may be that of several, from different issuers.

    `der` is the whole certificate where the message holds it: a shop's authority may have issued it.
    """

    kind: NameKind
    value: str
    der: bytes | None = field(default=None, repr=False, compare=False)


def names_of(certificate: x509.Certificate) -> tuple[KeyName, ...]:
    """Give the names of a certificate that are shorter than itself."""
    names = [
        KeyName(kind=NameKind.THUMBPRINT, value=certificate.fingerprint(hashes.SHA1()).hex()),  # noqa: S303  a name
        KeyName(kind=NameKind.SERIAL, value=str(certificate.serial_number)),
    ]
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return tuple(names)
    return (*names, KeyName(kind=NameKind.KEY_IDENTIFIER, value=identifier.hex()))


def certificate_name(der: bytes) -> KeyName:
    """Give the name that is made of a whole certificate (DER)."""
    return KeyName(kind=NameKind.CERTIFICATE, value=hashlib.sha256(der).hexdigest(), der=der)


def read_reference(key_info: etree._Element, token: etree._Element | None) -> KeyName:
    """Read KeyInfo; `token` is the BinarySecurityToken of the header block.

    Raises SecurityInvalid, SecurityUnsupported.
    """
    only = children(key_info, {f"{{{WSSE}}}SecurityTokenReference": 1})[f"{{{WSSE}}}SecurityTokenReference"]
    if len(only) != 1 or len(only[0]) != 1:
        raise SecurityInvalid("KeyInfo must hold one SecurityTokenReference with one reference in it")
    ((tag, found),) = (
        (tag, each[0]) for tag, each in children(only[0], {_REFERENCE: 1, _IDENTIFIER: 1, _DATA: 1}).items() if each
    )
    if tag == _REFERENCE:
        return _of_token(found, token)
    return _of_identifier(found) if tag == _IDENTIFIER else _of_data(found)


def _of_token(reference: etree._Element, token: etree._Element | None) -> KeyName:
    if reference.get("ValueType", X509) != X509:
        raise SecurityUnsupported("Reference must have the ValueType of X509v3")
    identifier = "" if token is None else token.get(ID, "")
    if token is None or not identifier or reference.get("URI") != f"#{identifier}" or len(reference):
        raise SecurityInvalid("Reference must name the BinarySecurityToken of the same Security by its wsu:Id")
    return certificate_name(token_bytes(token))


def token_bytes(token: etree._Element) -> bytes:
    """Give the certificate (DER) in a BinarySecurityToken. Raises SecurityInvalid, SecurityUnsupported."""
    if token.get("ValueType") != X509 or token.get("EncodingType", BASE64) != BASE64:
        raise SecurityUnsupported("BinarySecurityToken must have the ValueType of X509v3 and hold Base64")
    if len(token.get(ID, "")) > MOST_ID_CHARACTERS:
        raise SecurityInvalid(f"a wsu:Id has {MOST_ID_CHARACTERS} characters at most")
    return octets(token, most=MOST_CERTIFICATE_BYTES)


def _of_identifier(identifier: etree._Element) -> KeyName:
    if identifier.get("EncodingType", BASE64) != BASE64:
        raise SecurityUnsupported("KeyIdentifier must hold Base64")
    match identifier.get("ValueType"):
        case kind if kind == THUMBPRINT:
            return KeyName(kind=NameKind.THUMBPRINT, value=octets(identifier, least=20, most=20).hex())
        case kind if kind == KEY_IDENTIFIER:
            return KeyName(kind=NameKind.KEY_IDENTIFIER, value=octets(identifier, most=64).hex())
        case kind if kind == X509:
            return certificate_name(octets(identifier, most=MOST_CERTIFICATE_BYTES))
    raise SecurityUnsupported(
        "KeyIdentifier must have the ValueType of ThumbprintSHA1, X509SubjectKeyIdentifier or X509v3"
    )


def _of_data(data: etree._Element) -> KeyName:
    """Read X509Data; some clients (zeep) put the certificate beside issuer and serial number."""
    found = children(data, {_ISSUER_SERIAL: 1, _CERTIFICATE: 1})
    name: KeyName | None = None
    for pair in found[_ISSUER_SERIAL]:
        parts = children(pair, {_ISSUER: 1, _SERIAL: 1})
        if not parts[_ISSUER] or not parts[_SERIAL]:
            raise SecurityInvalid("X509IssuerSerial must hold X509IssuerName and X509SerialNumber")
        leaf(parts[_ISSUER][0], most=4 * MOST_NAME_CHARACTERS)
        number = leaf(parts[_SERIAL][0], most=MOST_NAME_CHARACTERS)
        if _DIGITS.fullmatch(number) is None:
            raise SecurityInvalid("X509SerialNumber must be a whole number")
        name = KeyName(kind=NameKind.SERIAL, value=str(int(number)))
    for certificate in found[_CERTIFICATE]:
        name = certificate_name(octets(certificate, most=MOST_CERTIFICATE_BYTES))
    if name is None:
        raise SecurityInvalid("X509Data must hold X509IssuerSerial")
    return name
