"""Hostile files: whatever arrives ends as values or as a ContainerError, and never says what it held."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import vendor
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from containers import (
    Container,
    ContainerError,
    Context,
    Options,
    Seen,
    SoftwareBox,
    load_trust,
    parse_state,
    parse_step,
    read_context,
    read_signed_step,
    read_update,
    render_context,
    render_state,
    render_step,
    software_serial,
    state_digest,
    verify_step,
)
from containers.signatures import public_key_der, sign_raw

Refused = Callable[..., ContainerError]

_BOX = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(31))
_TRUST = load_trust(_BOX.root_certificate_pem)
_KEY = ec.derive_private_key(1913, ec.SECP256R1())
_PUBLIC = public_key_der(_KEY.public_key())
_NONCE = bytes(range(100, 116))

# Each of these can be told from everything that a message says of its own accord.
_ENTRY = replace(
    vendor.entry(
        "zqxLICENCE",
        quantity=1987654321,
        options=Options(text="zqxTEXT", customer_information="zqxCUSTOMER", expiration_time=vendor.NOW),
    ),
    item_number="zqxARTICLE",
    product_code=3987654321,
)
_LISTING = (_ENTRY,)
_SELLER = vendor.Vendor(box=_BOX, serial=software_serial(_PUBLIC))


def _context(export: int = 1) -> Context:
    return Context(
        serial=_SELLER.serial,
        firm_code=vendor.FIRM,
        public_key=_PUBLIC,
        export=export,
        nonce=_NONCE,
        counter=_SELLER.end,
        listing=_SELLER.state,
        digest=state_digest(_SELLER.state),
        last_step=read_signed_step(_SIGNED[-1]) if _SIGNED else None,
        time=vendor.NOW,
    )


_SIGNED: list[bytes] = []
_SIGNED.append(_SELLER.reset(_context(), _LISTING))
_SIGNED.append(_SELLER.delta(_context(), (replace(_ENTRY, license_id="zqxOTHER"),)))


def _verified(data: bytes) -> object:
    signed = read_signed_step(data)
    verify_step(signed, trust=_TRUST)
    return signed


def _update(data: bytes) -> object:
    update = read_update(data)
    for signed in update.steps:
        verify_step(signed, trust=_TRUST)
    return update


_READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "context": (read_context, render_context(_context(7), sign=lambda info: sign_raw(_KEY, info))),
    "update": (_update, _SELLER.file(*_SIGNED)),
    "signed step": (_verified, _SIGNED[1]),
    "step": (parse_step, render_step(_SELLER.steps[1])),
    "state": (parse_state, render_state(_LISTING)),
}
_UNSIGNED: dict[str, Callable[..., bytes]] = {"step": render_step, "state": render_state}
_SECRETS = (
    "zqx",
    "1987654321",
    "3987654321",
    _SELLER.serial.removeprefix("130-"),
    str(vendor.FIRM),
    "2026-11-24",
    b64encode(_NONCE).decode()[:20],
    b64encode(state_digest(_LISTING)).decode()[:20],
    b64encode(_PUBLIC).decode()[-20:],
)


def _assert_read_as_itself(name: str, found: object, whole: object, *, same: bool) -> None:
    """What has a signature says what was signed or is refused; what has none may say something else, in one form."""
    if name in _UNSIGNED:
        assert _READERS[name][0](_UNSIGNED[name](found)) == found
        assert same or found != whole
    else:
        assert same
        assert found == whole


def _assert_tells_nothing(error: ContainerError) -> None:
    assert [secret for secret in _SECRETS if secret.lower() in str(error).lower()] == []
    assert re.fullmatch("[A-Z][A-Za-z]+", error.code)
    assert 20 < len(str(error)) < 250


@pytest.mark.parametrize("name", _READERS)
def test_the_whole_files_are_read(name: str) -> None:
    read, data = _READERS[name]
    assert read(data)


_TOKENS = st.sampled_from(
    [
        b"<",
        b">",
        b"&",
        b"&#0;",
        b"&#13;",
        b"&zqx;",
        b"<!-- zqx -->",
        b"]]>",
        b"0",
        b"-",
        b"zqx" * 50,
        b"\xff",
        b" ",
        b"\n",
        b"=",
        b'"',
        b" xmlns:zqx='zqx'",
        b"<zqx/>",
        b"\x00",
        b"9" * 30,
        b"<ds:Signature/>",
    ]
)


def _mutated(data: bytes) -> st.SearchStrategy[bytes]:
    place = st.integers(0, len(data))
    change = st.tuples(place, st.integers(0, 60), st.one_of(st.just(b""), _TOKENS, st.binary(max_size=4), place))

    def apply(changes: list[tuple[int, int, bytes | int]]) -> bytes:
        changed = data
        for begin, length, put in changes:
            words = data[put : put + length] if isinstance(put, int) else put
            changed = changed[:begin] + words + changed[begin + length :]
        return changed

    return st.lists(change, min_size=1, max_size=3).map(apply)


@pytest.mark.parametrize("name", _READERS)
def test_a_mutated_file_says_the_same_or_is_refused_without_telling(name: str) -> None:
    read, data = _READERS[name]
    whole = read(data)

    @given(mutant=_mutated(data))
    @settings(derandomize=True, deadline=None, max_examples=150)
    def check(mutant: bytes) -> None:
        try:
            found = read(mutant)
        except ContainerError as error:
            _assert_tells_nothing(error)
        else:
            _assert_read_as_itself(name, found, whole, same=True)

    check()


def _texts(data: bytes) -> list[tuple[int, int]]:
    """Where the content of each element without children begins and ends."""
    return [match.span(1) for match in re.finditer(rb">([^<>]+)</", data)]


@pytest.mark.parametrize("name", _READERS)
@pytest.mark.parametrize("space", [b" ", b"\n", b"\t", b"&#13;", b"&#9;&#10;"])
def test_white_space_around_any_value_is_refused_or_is_part_of_a_text(name: str, space: bytes) -> None:
    read, data = _READERS[name]
    whole = read(data)
    assert len(_texts(data)) >= 8
    for begin, end in _texts(data):
        for place in (begin, end):
            try:
                found = read(data[:place] + space + data[place:])
            except ContainerError as error:
                _assert_tells_nothing(error)
            else:
                assert b"zqx" in data[begin:end]
                _assert_read_as_itself(name, found, whole, same=False)


@pytest.mark.parametrize("name", _READERS)
@pytest.mark.parametrize("word", [b"zqx", b"", b"-1", b"1e3", b"0x10", b"\xd9\xa3", b"NaN", b"99999999999999999999999"])
def test_another_word_in_place_of_any_value_is_refused_or_read_as_itself(name: str, word: bytes) -> None:
    read, data = _READERS[name]
    whole = read(data)
    for begin, end in _texts(data):
        try:
            found = read(data[:begin] + word + data[end:])
        except ContainerError as error:
            _assert_tells_nothing(error)
        else:
            _assert_read_as_itself(name, found, whole, same=False)


@pytest.mark.parametrize("name", _READERS)
def test_any_element_left_out_or_doubled_is_refused_or_read_as_itself(name: str) -> None:
    read, data = _READERS[name]
    whole = read(data)
    total = sum(1 for _ in etree.fromstring(data).iter())
    for number in range(1, total):
        for twice in (False, True):
            root = etree.fromstring(data)
            element = list(root.iter())[number]
            parent = element.getparent()
            assert parent is not None
            place = parent.index(element)
            if twice:
                parent.insert(place, etree.fromstring(etree.tostring(element, with_tail=False)))
            else:
                parent.remove(element)
            try:
                found = read(etree.tostring(root))
            except ContainerError as error:
                _assert_tells_nothing(error)
            else:
                # An update of fewer steps is an update.
                if not element.tag.endswith("}signedStep"):
                    _assert_read_as_itself(name, found, whole, same=False)


@given(data=st.one_of(st.binary(max_size=200), _mutated(_SIGNED[1])))
@settings(derandomize=True, deadline=None)
def test_a_stored_step_of_any_bytes_verifies_only_as_what_was_signed(data: bytes) -> None:
    signed = read_signed_step(_SIGNED[1])
    if data != signed.data:
        with pytest.raises(ContainerError) as caught:
            verify_step(replace(signed, data=data), trust=_TRUST)
        assert caught.value.code == "SignatureWrong"


@pytest.mark.parametrize("value", [b"A", b"\xff\xc3", b"", b"=" * 7])
def test_a_stored_step_with_a_value_that_is_no_base64_does_not_verify(refused: Refused, value: bytes) -> None:
    signed = read_signed_step(_SIGNED[1])
    data = re.sub(rb"(<ds:SignatureValue>)[^<]*", lambda match: match[1] + value, signed.data)
    assert refused(verify_step, replace(signed, data=data), trust=_TRUST).code == "SignatureWrong"


def test_messages_of_the_container_tell_no_values(refused: Refused, container: Container, box: SoftwareBox) -> None:
    seller = vendor.Vendor(box=box, serial=container.serial)
    secrets = ("zqx", container.serial.removeprefix("130-"), str(vendor.FIRM))
    context = vendor.context_of(container)
    container.import_update(seller.file(seller.reset(context, _LISTING)))
    twin = replace(seller.steps[0], issued=vendor.NOW + timedelta(seconds=1))
    end, state = seller.end, seller.state
    stranger = vendor.Vendor(box=_BOX, serial=container.serial, end=end, state=state)
    other = vendor.Vendor(box=box, serial=_SELLER.serial, end=end, state=state)
    files = {
        "StepConflict": seller.file(seller.sign(twin)),
        "CertificateWrong": stranger.file(stranger.delta(context, ())),
        "SerialWrong": other.file(other.delta(context, ())),
        "RestoredCopy": seller.file(seller.delta(context, (), seen=Seen(export=1, nonce=_NONCE))),
    }
    files["StepMissing"] = seller.file(seller.delta(context, _LISTING))
    seller.end, seller.state = end, state
    files["DigestWrong"] = seller.file(seller.delta(context, (), digest_after=bytes(32)))
    seller.end, seller.state = end, state
    crowd = tuple(replace(_ENTRY, license_id=f"zqx{number:04d}") for number in range(301))
    files["ContainerFull"] = seller.file(seller.delta(context, crowd))
    for code, file in files.items():
        error = refused(container.import_update, file)
        assert error.code == code
        assert [secret for secret in secrets if secret in str(error)] == []


# --- who is trusted --------------------------------------------------------------------------------------------------


def _root(subject: x509.Name) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_KEY.public_key())
        .serial_number(1)
        .not_valid_before(vendor.NOW)
        .not_valid_after(vendor.NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(_KEY, hashes.SHA256())
    )


def test_a_root_whose_subject_cannot_be_read_is_not_trusted(refused: Refused) -> None:
    good = _root(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zqx", _type=_ASN1Type.UTF8String)]))
    der = good.public_bytes(Encoding.DER)
    # No UTF-8 holds such a byte. The parser looks only when the name is asked for.
    bad = x509.load_der_x509_certificate(der.replace(b"zqx", b"z\xffx"))
    assert load_trust(good.public_bytes(Encoding.PEM)) == (good,)
    assert refused(load_trust, bad.public_bytes(Encoding.PEM)).code == "TrustWrong"


_ROOT = _TRUST[0].public_bytes(Encoding.DER)


@given(der=_mutated(_ROOT))
@settings(derandomize=True, deadline=None, max_examples=200)
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_mutated_root_is_refused_or_can_be_shown(der: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + b64encode(der) + b"\n-----END CERTIFICATE-----\n"
    try:
        roots = load_trust(pem)
    except ContainerError as error:
        assert error.code == "TrustWrong"  # noqa: PT017  both outcomes are judged
        return
    assert all(root.subject.rfc4514_string() and root.not_valid_after_utc for root in roots)
