"""Answers that the server signs: what they cover, that the server itself would take them, and keys that are refused."""

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from lxml import etree
from signed_messages import NOW, Signer, signer
from wire import envelope

from server.security.wssecurity.answers import SignAnswers
from server.security.wssecurity.freshness import read_moment
from server.security.wssecurity.keys import usable_key
from server.security.wssecurity.names import DSIG, ECDSA_SHA256, ID, RSA_SHA256
from server.security.wssecurity.reading import Signature, read_claims
from server.security.wssecurity.signing import AnswerSigner, SigningKeyWrong
from server.security.wssecurity.verifying import verify_signature
from soap import Version
from soap.names import WSSE, WSU

SECURITY, TOKEN = f"{{{WSSE}}}Security", f"{{{WSSE}}}BinarySecurityToken"


def key_pem(key: Any, secret: bytes | None = None) -> bytes:
    sealing = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing)


def signing(by: Signer, *, which: SignAnswers = SignAnswers.SIGNED, key: bytes | None = None) -> AnswerSigner:
    return AnswerSigner(
        certificate_pem=by.certificate.public_bytes(Encoding.PEM),
        key_pem=key_pem(by.key) if key is None else key,
        which=which,
        lifetime_seconds=300,
        clock=lambda: NOW,
    )


def claimed(data: bytes) -> tuple[Any, Signature]:
    """The root of a signed answer, and the signature as the server itself reads one."""
    root = etree.fromstring(data)
    signature = read_claims(root[0].find(SECURITY), root[-1]).signature
    assert signature is not None
    return root, signature


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("header", ["", '<b xmlns="urn:x">1</b><c xmlns="urn:x">2</c>'])
def test_body_timestamp_and_all_header_blocks_are_covered(version: Version, kind: str, header: str) -> None:
    by = signer("server", kind)
    data = signing(by).sign(envelope("<a xmlns='urn:x'>ä</a>", version=version, header=header))
    assert data.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    root, signature = claimed(data)
    signed = verify_signature(signature, usable_key(by.certificate))
    assert signed is not None
    security = root[0].find(SECURITY)
    others = [block for block in root[0] if block is not security]
    assert [etree.QName(block).localname for block in others] == (["b", "c"] if header else [])
    covered = [root[-1], security.find(f"{{{WSU}}}Timestamp"), *others]
    assert len(signed.elements) == len(covered)
    assert all(signed.cover(element) for element in covered)
    assert [element.get(ID) for element in covered] == ["body", "time", *(f"block-{n}" for n in range(len(others)))]
    assert signature.method == (RSA_SHA256 if kind == "rsa" else ECDSA_SHA256)
    assert verify_signature(signature, usable_key(signer("other", kind).certificate)) is None


@pytest.mark.parametrize("change", [(b">1<", b">2<"), ("ä".encode(), b"a"), (b"07:08:09", b"07:08:08")])
def test_one_changed_byte_is_noticed(change: tuple[bytes, bytes]) -> None:
    data = signing(signer("server")).sign(envelope("<a>ä</a>", header='<b xmlns="urn:x">1</b>'))
    changed = data.replace(*change)
    assert changed != data
    _, signature = claimed(changed)
    assert verify_signature(signature, usable_key(signer("server").certificate)) is None


def test_an_answer_says_when_it_was_made_how_long_it_holds_and_by_which_certificate() -> None:
    by = signer("server")
    root, _ = claimed(signing(by).sign(envelope("<a/>")))
    security = root[0].find(SECURITY)
    created, expires = (security.find(f".//{{{WSU}}}{name}").text for name in ("Created", "Expires"))
    assert created == "2026-05-06T07:08:09.000Z"
    assert read_moment(expires, name="Expires") == NOW + timedelta(seconds=300)
    assert b64decode(security.find(TOKEN).text) == by.der
    assert security.find(TOKEN).get(ID) == "token"
    assert [etree.QName(child).localname for child in security] == ["BinarySecurityToken", "Timestamp", "Signature"]


def test_halves_of_a_signature_have_leading_zeros() -> None:
    """One of 256 signatures has a half that is shorter than 32 bytes."""
    by = signer("server")
    made = signing(by)
    lengths = {len(claimed(made.sign(envelope(f"<a>{number}</a>")))[1].value) for number in range(600)}
    assert lengths == {64}


def test_an_answer_is_signed_where_the_request_was_or_where_all_are() -> None:
    signed = etree.fromstring(f'<w:Security xmlns:w="{WSSE}"><s:Signature xmlns:s="{DSIG}"/></w:Security>')
    unsigned = etree.fromstring(f'<w:Security xmlns:w="{WSSE}"/>')
    some, every = (signing(signer("server"), which=which) for which in (SignAnswers.SIGNED, SignAnswers.ALL))
    assert [some.wanted(each) for each in (None, unsigned, signed)] == [False, False, True]
    assert [every.wanted(each) for each in (None, unsigned, signed)] == [True, True, True]
    assert [which.value for which in SignAnswers] == ["signed", "all"]


@pytest.mark.parametrize(
    ("by", "key", "said"),
    [
        (signer("server"), b"garbage", "must be PEM"),
        (signer("server"), key_pem(signer("server").key, b"secret"), "not encrypted"),
        (signer("server"), key_pem(signer("other").key), "not that of the certificate"),
        (signer("server"), key_pem(signer("server", "rsa").key), "not that of the certificate"),
        (signer("server"), key_pem(ed25519.Ed25519PrivateKey.generate()), "not that of the certificate"),
        (signer("weak", "rsa1024"), None, "2048"),
        (signer("large", "p384"), None, "P-256"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_when_the_server_starts(by: Signer, key: bytes | None, said: str) -> None:
    with pytest.raises(SigningKeyWrong, match=said) as found:
        signing(by, key=key)
    assert b"PRIVATE" not in str(found.value).encode()


def test_a_certificate_that_is_none_is_refused_too() -> None:
    with pytest.raises(SigningKeyWrong, match="must be PEM"):
        AnswerSigner(
            certificate_pem=b"garbage",
            key_pem=key_pem(signer("server").key),
            which=SignAnswers.ALL,
            lifetime_seconds=1,
            clock=lambda: NOW,
        )
