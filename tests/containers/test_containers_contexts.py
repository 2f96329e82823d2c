from collections.abc import Callable
from dataclasses import replace

import pytest
import vendor
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import (
    START,
    Container,
    ContainerError,
    Context,
    Options,
    read_context,
    render_context,
    software_serial,
    state_digest,
)
from containers.signatures import public_key_der, public_key_of, sign_raw
from xmlgate import Limits

Refused = Callable[..., ContainerError]

_KEY = ec.derive_private_key(815, ec.SECP256R1())
_PUBLIC = public_key_der(_KEY.public_key())
_LISTING = (vendor.entry("A", options=Options(text="secret")), vendor.entry("B"))
_CONTEXT = Context(
    serial=software_serial(_PUBLIC),
    firm_code=vendor.FIRM,
    public_key=_PUBLIC,
    export=1,
    nonce=bytes(16),
    counter=START,
    listing=_LISTING,
    digest=state_digest(_LISTING),
    last_step=None,
    time=vendor.NOW,
)


def _rendered(key: ec.EllipticCurvePrivateKey = _KEY, **changed: object) -> bytes:
    return render_context(replace(_CONTEXT, **changed), sign=lambda info: sign_raw(key, info))


_FILE = _rendered()
_SIGNATURE = _FILE[_FILE.index(b"<ds:Signature") : _FILE.index(b"</context>")]


def test_a_context_says_what_was_rendered() -> None:
    assert read_context(_FILE) == _CONTEXT


def test_a_context_may_come_as_utf_16_and_with_a_declaration() -> None:
    assert read_context(b'<?xml version="1.0" encoding="UTF-8"?>\n' + _FILE + b"\n") == _CONTEXT
    assert read_context(_FILE.decode().encode("utf-16")) == _CONTEXT


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"</context>", b"", "ContextMalformed"),
        (b"<context ", b"<!DOCTYPE context><context ", "ContextMalformed"),
        (b"<context ", b"<?p?><context ", "ContextMalformed"),
        (b"context>", b"update>", "ContextMalformed"),
        (b"<export>1<", b"<export>x<", "ContextInvalid"),
        (b"<export>1<", b"<export>2<", "ContextInvalid"),
        (b"<export>1<", b"<export>0<", "ContextInvalid"),
        (b"<nonce>AAAA", b"<nonce>AAA", "ContextInvalid"),
        (b"<nonce>AAAAAAAAAAAAAAAAAAAAAA==", b"<nonce>AAAAAAAAAAAAAAAAAAAAAB==", "ContextInvalid"),
        (b"<quantity>1<", b"<quantity>2<", "SignatureWrong"),
        (b"<text>secret<", b"<text>Secret<", "SignatureWrong"),
        (b"<text>secret<", b"<text>secret <", "SignatureWrong"),
        (b"</body>", b"</body>\n", "ContextInvalid"),
        (b"<listing>", b"<listing>\n", "ContextInvalid"),
        (b"<listing>", b'<listing xmlns:r="../relative">', "ContextInvalid"),
        (b"<context ", b'<context xmlns:r="relative" ', "ContextInvalid"),
        (b"#ecdsa-sha256", b"#ecdsa-sha1", "ContextInvalid"),
        (b"#ecdsa-sha256", b"#hmac-sha256", "ContextInvalid"),
        (b"xmlenc#sha256", b"xmlenc#sha512", "ContextInvalid"),
        (b'"#context-1"', b'""', "ContextInvalid"),
        (b'"#context-1"', b'"#context-2"', "ContextInvalid"),
        (b"</ds:Transforms>", b'<ds:Transform Algorithm="x"></ds:Transform></ds:Transforms>', "ContextInvalid"),
        (b"</ds:SignedInfo>", b'<ds:Reference URI=""></ds:Reference></ds:SignedInfo>', "ContextInvalid"),
        (b"</ds:Signature>", b"<ds:KeyInfo></ds:KeyInfo></ds:Signature>", "ContextInvalid"),
        (b"</ds:Signature>", b"</ds:Signature>" + _SIGNATURE, "ContextInvalid"),
        (b"<body ", _SIGNATURE + b"<body ", "ContextInvalid"),
        (_SIGNATURE, b"", "ContextInvalid"),
        (_SIGNATURE, b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>', "SignatureWrong"),
        (b"<context ", b'<context xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="0" ', "ContextInvalid"),
    ],
)
def test_a_context_is_read_only_in_its_one_form(refused: Refused, old: bytes, new: bytes, code: str) -> None:
    data = _FILE.replace(old, new)
    assert data != _FILE
    error = refused(read_context, data)
    assert error.code == code
    assert "secret" not in str(error).lower()


def test_a_prefix_other_than_ds_is_another_form(refused: Refused) -> None:
    renamed = _FILE.replace(b"ds:", b"dsig:").replace(b"xmlns:ds=", b"xmlns:dsig=")
    assert refused(read_context, renamed).code == "ContextInvalid"


def test_no_wrapping_makes_another_body_count(refused: Refused) -> None:
    other = _rendered(ec.derive_private_key(7, ec.SECP256R1()), listing=(), digest=state_digest(()))
    mine = _FILE[_FILE.index(b"<body") : _FILE.index(b"<ds:Signature")]
    theirs = other[other.index(b"<body") : other.index(b"<ds:Signature")]
    wrapped = [
        _FILE.replace(mine, theirs),
        _FILE.replace(mine, theirs + mine),
        _FILE.replace(mine, mine + theirs),
        _FILE.replace(mine, theirs).replace(b"</ds:Signature>", b"<ds:Object>" + mine + b"</ds:Object></ds:Signature>"),
        _FILE.replace(mine, theirs.replace(b"<listing>", b"<listing>" + mine)),
        _FILE.replace(mine, theirs.replace(b"</body>", mine + b"</body>")),
        _FILE.replace(mine, theirs.replace(b"context-1", b"context-2")),
        b'<context xmlns="urn:opendepot:container:1">' + theirs + _FILE + b"</context>",
    ]
    assert {refused(read_context, data).code for data in wrapped} <= {"ContextInvalid", "SignatureWrong"}


def test_only_the_key_inside_verifies(refused: Refused) -> None:
    assert refused(read_context, _rendered(ec.derive_private_key(7, ec.SECP256R1()))).code == "SignatureWrong"


def test_a_software_serial_must_be_the_keys(refused: Refused) -> None:
    assert refused(read_context, _rendered(serial="130-" + "7" * 36)).code == "SerialWrong"
    assert refused(read_context, _rendered(serial="99-1")).code == "SerialWrong"


def test_a_registered_kinds_serial_is_left_to_the_caller() -> None:
    for serial in ("3-4019155", "128-1"):
        assert read_context(_rendered(serial=serial)).serial == serial


def test_the_digest_must_be_the_listings(refused: Refused) -> None:
    assert refused(read_context, _rendered(digest=bytes(32))).code == "DigestWrong"


def test_a_key_has_one_encoding_and_one_curve(refused: Refused) -> None:
    point = _KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = _PUBLIC[:-65] + _KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    off_curve = _PUBLIC[:-1] + bytes([_PUBLIC[-1] ^ 1])
    other_curve = public_key_der(ec.derive_private_key(5, ec.SECP256K1()).public_key())
    hybrid = _PUBLIC[:-65] + bytes([6 | point[-1] & 1]) + point[1:]
    for key in (compressed, off_curve, other_curve, hybrid, _PUBLIC + b"\x00", bytes(91)):
        assert refused(read_context, _rendered(public_key=key, serial=software_serial(key))).code == "ContextInvalid"
        assert public_key_of(key) is None
    assert public_key_of(_PUBLIC) == _KEY.public_key()


def test_errors_name_the_line_and_the_element(refused: Refused) -> None:
    error = refused(read_context, _FILE.replace(b"<export>1", b"\n\n<export>secret"))
    assert (error.code, error.line) == ("ContextInvalid", 3)
    assert "the element export" in str(error)
    error = refused(read_context, _FILE.replace(b"<export>1</export>", b"<secret/>"))
    assert (error.code, "secret" in str(error)) == ("ContextInvalid", False)
    error = refused(read_context, _FILE.replace(b"</export>", b"</export>\n<"))
    assert (error.code, error.line) == ("ContextMalformed", 2)


def test_the_limits_can_be_set(refused: Refused) -> None:
    assert refused(read_context, _FILE, limits=Limits(max_bytes=len(_FILE) - 1)).code == "ContextMalformed"
    assert read_context(_FILE, limits=Limits(max_bytes=len(_FILE))) == _CONTEXT


def test_the_last_step_comes_back_as_it_was_applied(container: Container, seller: vendor.Vendor) -> None:
    signed = seller.reset(vendor.context_of(container), _LISTING)
    context = read_context(container.import_update(seller.file(signed)).receipt)
    assert context.last_step is not None
    assert (context.last_step.data, context.last_step.step) == (signed, seller.steps[-1])


_PIECES = [_FILE[start : start + 40] for start in range(0, len(_FILE), 40)]


@given(data=st.one_of(st.binary(), st.lists(st.sampled_from(_PIECES)).map(b"".join)))
@settings(derandomize=True, deadline=None)
def test_any_bytes_whatever_are_a_context_or_an_error(data: bytes) -> None:
    try:
        read_context(data)
    except ContainerError as error:
        assert error.code.startswith(("Context", "Signature"))  # noqa: PT017  both outcomes are right


@given(
    cut=st.integers(0, len(_FILE)),
    length=st.integers(0, 60),
    put=st.one_of(st.binary(max_size=20), st.sampled_from(_PIECES)),
)
@settings(derandomize=True, deadline=None, max_examples=400)
def test_a_file_changed_in_any_way_says_the_same_or_is_refused(cut: int, length: int, put: bytes) -> None:
    try:
        context = read_context(_FILE[:cut] + put + _FILE[cut + length :])
    except ContainerError:
        return
    assert context == _CONTEXT
