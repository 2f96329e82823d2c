"""What the engine writes into a header block Security, against values that were computed elsewhere."""

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signed_messages import signer

from soap import Version
from soap.names import WSSE, WSU
from soap.signing import MessageSigner, SigningKeyWrong, with_digest, with_password

NOW = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
BODY = "<s:Body><a>ä</a></s:Body>"


def message(version: Version, header: str = "") -> bytes:
    return f'<s:Envelope xmlns:s="{version}">{header}{BODY}</s:Envelope>'.encode()


def token(data: bytes, version: Version) -> dict[str, Any]:
    root = etree.fromstring(data)
    (header,) = root.findall(f"{{{version}}}Header")
    assert root.index(header) == 0
    assert etree.QName(root[1]).localname == "Body"
    assert root[1][0].text == "ä"
    (found,) = header.findall(f"{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
    return {etree.QName(child).localname: (child.text, dict(child.attrib)) for child in found}


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("header", ["", "<s:Header/>", "<s:Header><x/></s:Header>"])
def test_a_password_stands_in_the_one_header(version: Version, header: str) -> None:
    told = token(with_password(message(version, header), username="erp<1", secret="a&b"), version)
    assert (told["Username"][0], told["Password"][0]) == ("erp<1", "a&b")
    assert told["Password"][1]["Type"].endswith("#PasswordText")
    assert set(told) == {"Username", "Password"}


@pytest.mark.parametrize("version", list(Version))
def test_a_digest_holds_no_secret(version: Version) -> None:
    """By: { printf 0123456789abcdef; printf 2026-05-06T07:08:09.123Z; printf secret; } | openssl dgst -sha1 -binary"""
    data = with_digest(message(version), username="erp-1", secret="secret", nonce=b"0123456789abcdef", now=NOW)
    told = token(data, version)
    assert told["Password"][0] == "3JjOs/rU5/WIEWUt+/Z3FkMszKY="
    assert told["Password"][1]["Type"].endswith("#PasswordDigest")
    assert told["Created"][0] == "2026-05-06T07:08:09.123Z"
    assert b64decode(told["Nonce"][0]) == b"0123456789abcdef"
    assert b"secret<" not in data
    assert etree.fromstring(data).find(f".//{{{WSU}}}Created") is not None


def test_a_key_on_another_curve_is_refused_before_it_signs() -> None:
    by = signer("large", "p384")
    assert isinstance(by.key.curve, ec.SECP384R1)
    with pytest.raises(SigningKeyWrong, match="RSA or ECDSA on P-256"):
        MessageSigner(
            certificate_pem=by.certificate.public_bytes(Encoding.PEM),
            key_pem=by.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            lifetime_seconds=300,
            clock=lambda: NOW,
        )
