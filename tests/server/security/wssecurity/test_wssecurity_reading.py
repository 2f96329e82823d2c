"""The form of a header block at its very bounds: the most that may be there, and one more."""

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree
from signed_messages import NOW, Keys, Message, ds, moment, proven, refusal, signer, wsse, wsu

from server.security.wssecurity.checking import Kind
from server.security.wssecurity.elements import algorithm, children, leaf, octets, only_attributes, sequence
from server.security.wssecurity.keys import LEAST_RSA_BITS, MOST_RSA_BITS
from server.security.wssecurity.limits import (
    LEAST_NONCE_BYTES,
    MOST_CERTIFICATE_BYTES,
    MOST_ID_CHARACTERS,
    MOST_IDS,
    MOST_NAME_CHARACTERS,
    MOST_NAMESPACES,
    MOST_NONCE_BYTES,
    MOST_REFERENCES,
    MOST_SIGNATURE_BYTES,
)
from server.security.wssecurity.messages import LARGE_BYTES
from server.security.wssecurity.names import BASE64, ECDSA_SHA256, ID, RSA_SHA256, X509
from server.security.wssecurity.reading import Signature
from server.security.wssecurity.references import KeyName, NameKind, certificate_name, read_reference, token_bytes
from server.security.wssecurity.refusals import (
    SecurityInvalid,
    SecurityReplayed,
    SecurityUnencrypted,
    SecurityUnsupported,
)
from server.security.wssecurity.verifying import canonical, signature_identity
from soap.names import WSSE, WSU

Change = Callable[[Message], object]


async def said(message: Message) -> str:
    return await refusal(message.bytes(), Keys.of(signer()))


def named(name: str) -> Message:
    """An honest signed message whose Body has an id of its own."""
    message = Message.of()
    message.body.set(ID, name)
    return message.timestamp().sign(signer())


def test_the_limits_are_those_that_are_written_down() -> None:
    """docs/reference/ws-security.md, and RSA keys of 8,192 bits for the signature."""
    assert (MOST_REFERENCES, MOST_IDS, MOST_ID_CHARACTERS, MOST_NAME_CHARACTERS) == (5, 64, 128, 256)
    assert (LEAST_NONCE_BYTES, MOST_NONCE_BYTES, MOST_NAMESPACES) == (8, 64, 64)
    assert (MOST_SIGNATURE_BYTES, MOST_CERTIFICATE_BYTES) == (8192 // 8, 8192)
    assert (LEAST_RSA_BITS, MOST_RSA_BITS, LARGE_BYTES) == (2048, 8192, 65_536)


@pytest.mark.parametrize(("length", "expected"), [(128, "taken"), (129, "SecurityUnsupported")])
async def test_an_id_has_so_many_characters(length: int, expected: str) -> None:
    assert await said(named("b" * length)) == expected


@pytest.mark.parametrize(("length", "expected"), [(128, "taken"), (129, "SecurityInvalid")])
async def test_the_id_of_a_token_has_so_many_characters(length: int, expected: str) -> None:
    message = named("body")
    message.security[0].set(ID, "t" * length)
    reference = message.signature[2][0][0]
    reference.set("URI", "#" + "t" * length)
    assert await said(message) == expected


@pytest.mark.parametrize(("extra", "expected"), [(3, "taken"), (4, "SecurityInvalid")])
async def test_a_signature_has_so_many_references(extra: int, expected: str) -> None:
    blocks = "".join(f'<x:b xmlns:x="urn:x" wsu:Id="b-{number}"/>' for number in range(extra))
    message = Message.of(header=blocks).timestamp()
    over = [message.body, message.security[0], *(block for block in message.header if block is not message.security)]
    assert await said(message.sign(signer(), over=over)) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [(7, "SecurityInvalid"), (8, "taken"), (64, "taken"), (65, "SecurityInvalid")]
)
async def test_a_nonce_has_so_many_bytes(length: int, expected: str) -> None:
    assert await said(Message.of().username(nonce=b"n" * length)) == expected


@pytest.mark.parametrize(("length", "expected"), [(256, "SecurityFailed"), (257, "SecurityInvalid")])
async def test_a_username_has_so_many_characters(length: int, expected: str) -> None:
    assert await said(Message.of().username(name="u" * length)) == expected


@pytest.mark.parametrize(("length", "expected"), [(1024, "SecurityFailed"), (1025, "SecurityInvalid")])
async def test_a_signature_has_so_many_bytes(length: int, expected: str) -> None:
    message = named("body")
    message.signature[1].text = b64encode(bytes(length)).decode()
    assert await said(message) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [(19, "SecurityInvalid"), (20, "SecurityFailed"), (21, "SecurityInvalid")]
)
async def test_a_password_digest_is_one_of_sha1(length: int, expected: str) -> None:
    message = Message.of().username()
    message.security[0][1].text = b64encode(bytes(length)).decode()
    assert await said(message) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [(31, "SecurityInvalid"), (32, "SecurityFailed"), (33, "SecurityInvalid")]
)
async def test_a_digest_is_one_of_sha256(length: int, expected: str) -> None:
    message = named("body")
    message.references[0][2].text = b64encode(bytes(length)).decode()
    assert await said(message.resign(signer())) == expected


def twice(find: Callable[[Message], Any]) -> Change:
    """Let an element stand twice."""

    def change(message: Message) -> None:
        element = find(message)
        element.addnext(etree.fromstring(etree.tostring(element)))

    return change


def attribute(find: Callable[[Message], Any], name: str = "Other") -> Change:
    return lambda message: find(message).set(name, "x")


def told(find: Callable[[Message], Any], where: str) -> Change:
    return lambda message: setattr(find(message), where, "text")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (twice(lambda m: m.security[0][0]), "SecurityInvalid"),
        (twice(lambda m: m.security[0][1]), "SecurityInvalid"),
        (twice(lambda m: m.security[0][2]), "SecurityInvalid"),
        (twice(lambda m: m.security[0][3]), "SecurityInvalid"),
        (told(lambda m: m.security[0], "text"), "SecurityInvalid"),
        (told(lambda m: m.security[0][0], "tail"), "SecurityInvalid"),
        (told(lambda m: m.security[0][3], "tail"), "SecurityInvalid"),
        (lambda m: m.security[0][2].set("EncodingType", "urn:other"), "SecurityUnsupported"),
        (lambda m: m.security[0][1].set("Type", "urn:other"), "SecurityUnsupported"),
        (lambda m: m.security[0].remove(m.security[0][0]), "SecurityInvalid"),
        (lambda m: m.security[0].remove(m.security[0][1]), "SecurityInvalid"),
        (lambda m: m.security[0].remove(m.security[0][2]), "SecurityInvalid"),
        (lambda m: m.security[0].remove(m.security[0][3]), "SecurityInvalid"),
        (lambda m: m.security[0][0].append(wsse("Username", "acme")), "SecurityInvalid"),
        (lambda m: setattr(m.security[0][0], "text", "  "), "SecurityInvalid"),
        (lambda _: None, "taken"),
        (lambda m: setattr(m.security[0][0], "tail", " \n\t"), "taken"),
        (lambda m: setattr(m.security[0][0], "text", " acme\n"), "taken"),
        (lambda m: m.security[0][2].attrib.pop("EncodingType"), "taken"),
        (lambda m: setattr(m.security[0][2], "text", "MDEy\nMzQ1 Njc4OWFiY2RlZg=="), "taken"),
    ],
)
async def test_a_username_token_has_its_one_form(change: Change, expected: str) -> None:
    message = Message.of().username()
    change(message)
    assert await said(message) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (twice(lambda m: m.security[1][0]), "SecurityInvalid"),
        (twice(lambda m: m.security[1][1]), "SecurityInvalid"),
        (lambda m: m.security[1].remove(m.security[1][0]), "SecurityInvalid"),
        (lambda m: m.security[1].remove(m.security[1][1]), "SecurityFailed"),
        (attribute(lambda m: m.signature), "SecurityInvalid"),
        (attribute(lambda m: m.info), "SecurityInvalid"),
        (attribute(lambda m: m.signature[1]), "SecurityInvalid"),
        (attribute(lambda m: m.references[0]), "SecurityInvalid"),
        (attribute(lambda m: m.references[1], "Type"), "SecurityInvalid"),
        (attribute(lambda m: m.references[0][0]), "SecurityInvalid"),
        (attribute(lambda m: m.references[0][1]), "SecurityUnsupported"),
        (attribute(lambda m: m.info[0]), "SecurityUnsupported"),
        (attribute(lambda m: m.signature, "Id"), "taken"),
        (attribute(lambda m: m.signature[1], "Id"), "taken"),
        (attribute(lambda m: m.info, "Id"), "SecurityFailed"),
        (attribute(lambda m: m.references[0], "Id"), "SecurityFailed"),
        (told(lambda m: m.signature, "text"), "SecurityInvalid"),
        (told(lambda m: m.signature[0], "tail"), "SecurityInvalid"),
        (told(lambda m: m.info[2], "tail"), "SecurityInvalid"),
        (told(lambda m: m.references[0][0][0], "text"), "SecurityUnsupported"),
        (lambda m: m.security[0].set("EncodingType", "urn:other"), "SecurityUnsupported"),
        (lambda m: m.security[0].set("ValueType", "urn:other"), "SecurityUnsupported"),
        (lambda m: m.signature[2][0][0].set("ValueType", "urn:other"), "SecurityUnsupported"),
        (lambda m: m.signature[2][0][0].set("URI", "#other"), "SecurityInvalid"),
        (lambda m: m.signature[2][0][0].append(ds("Transforms")), "SecurityInvalid"),
        (twice(lambda m: m.signature[2][0]), "SecurityInvalid"),
        (twice(lambda m: m.signature[2][0][0]), "SecurityInvalid"),
        (lambda m: m.security[0].attrib.pop("EncodingType"), "taken"),
        (lambda m: m.signature[2][0][0].attrib.pop("ValueType"), "taken"),
        (lambda _: None, "taken"),
    ],
)
async def test_a_signed_header_block_has_its_one_form(change: Change, expected: str) -> None:
    message = Message.of().timestamp(NOW, NOW + timedelta(seconds=100)).sign(signer())
    change(message)
    assert await said(message) == expected


@pytest.mark.parametrize(
    ("key", "change", "expected"),
    [
        ("ski", lambda r: r[0].set("EncodingType", "urn:other"), "SecurityUnsupported"),
        ("ski", lambda r: r[0].set("EncodingType", BASE64), "taken"),
        ("ski", lambda r: r[0].set("ValueType", "urn:other"), "SecurityUnsupported"),
        ("ski", lambda r: setattr(r[0], "text", b64encode(bytes(64)).decode()), "SecurityFailed"),
        ("ski", lambda r: setattr(r[0], "text", b64encode(bytes(65)).decode()), "SecurityInvalid"),
        ("thumbprint", lambda r: setattr(r[0], "text", b64encode(bytes(20)).decode()), "SecurityFailed"),
        ("thumbprint", lambda r: setattr(r[0], "text", b64encode(bytes(19)).decode()), "SecurityInvalid"),
        ("thumbprint", lambda r: setattr(r[0], "text", b64encode(bytes(21)).decode()), "SecurityInvalid"),
        ("serial", lambda r: setattr(r[0][0][1], "text", "1" * 50), "SecurityFailed"),
        ("serial", lambda r: setattr(r[0][0][1], "text", "1" * 51), "SecurityInvalid"),
        ("serial", lambda r: setattr(r[0][0][1], "text", "-1"), "SecurityInvalid"),
        ("serial", lambda r: setattr(r[0][0][1], "text", "٣"), "SecurityInvalid"),
        ("serial", lambda r: setattr(r[0][0][0], "text", "n" * 1024), "taken"),
        ("serial", lambda r: setattr(r[0][0][0], "text", "n" * 1025), "SecurityInvalid"),
        ("serial", lambda r: r[0][0].remove(r[0][0][1]), "SecurityInvalid"),
        ("serial", lambda r: r[0][0].remove(r[0][0][0]), "SecurityInvalid"),
        ("serial", lambda r: r[0].remove(r[0][0]), "SecurityInvalid"),
        ("serial", lambda r: r[0].append(etree.fromstring(etree.tostring(r[0][0]))), "SecurityInvalid"),
        ("serial-and-certificate", lambda r: r[0].append(etree.fromstring(etree.tostring(r[0][1]))), "SecurityInvalid"),
        ("serial", lambda r: r.remove(r[0]), "SecurityInvalid"),
        ("ski", lambda r: r.append(etree.fromstring(etree.tostring(r[0]))), "SecurityInvalid"),
        ("serial", lambda r: r.append(etree.fromstring(etree.tostring(r[0]))), "SecurityInvalid"),
        ("embedded", lambda r: r.append(wsse("Reference", URI="#token")), "SecurityInvalid"),
        ("serial-and-certificate", lambda _: None, "taken"),
    ],
)
async def test_a_key_is_named_in_one_of_the_forms(key: str, change: Callable[[Any], object], expected: str) -> None:
    message = Message.of().timestamp().sign(signer(), key=key)
    change(message.signature[2][0])
    assert await said(message) == expected


async def test_what_both_issuer_and_certificate_say_is_looked_up_by_the_certificate() -> None:
    key_info = ds(
        "KeyInfo", None, Message.of().timestamp().sign(signer(), key="serial-and-certificate").signature[2][0]
    )
    assert read_reference(key_info, None) == certificate_name(signer().der)
    key_info = ds("KeyInfo", None, Message.of().timestamp().sign(signer(), key="serial").signature[2][0])
    found = read_reference(key_info, None)
    assert (found.kind, found.value) == (NameKind.SERIAL, str(signer().certificate.serial_number))


@pytest.mark.parametrize(("length", "good"), [(MOST_CERTIFICATE_BYTES, True), (MOST_CERTIFICATE_BYTES + 1, False)])
def test_a_certificate_has_so_many_bytes(length: int, good: bool) -> None:
    token = wsse("BinarySecurityToken", b64encode(bytes(length)).decode(), ValueType=X509)
    if good:
        assert token_bytes(token) == bytes(length)
    else:
        with pytest.raises(SecurityInvalid, match=f"1 to {MOST_CERTIFICATE_BYTES} bytes"):
            token_bytes(token)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
async def test_each_part_of_a_header_block_stands_once(place: int) -> None:
    message = Message.of().timestamp().username().sign(signer())
    part = message.security[place]
    again = etree.fromstring(etree.tostring(part))
    again.attrib.pop(ID, None)
    part.addnext(again)
    assert await said(message) == "SecurityInvalid"


async def test_a_password_in_plain_text_is_one_whether_it_says_when_or_not() -> None:
    message = Message.of().text_username()
    message.security[0].append(wsu("Created", moment(NOW)))
    found, _ = await proven(message.bytes(), Keys.of(signer()), encrypted=True)
    assert [(proof.kind, proof.once) for proof in found.proofs] == [(Kind.PASSWORD, None)]


async def test_the_time_of_a_username_token_beside_a_timestamp_counts_twice() -> None:
    old = moment(NOW - timedelta(seconds=400))
    assert await said(Message.of().timestamp().username(created=old)) == "SecurityExpired"
    message = Message.of().timestamp(NOW - timedelta(seconds=400)).username()
    assert await said(message) == "SecurityExpired"


# The reading of elements


def test_children_are_counted_and_what_is_said_names_the_number() -> None:
    element = wsu("Timestamp", None, *(wsu("Created", "x") for _ in range(2)))
    assert len(children(element, {f"{{{WSU}}}Created": 2})[f"{{{WSU}}}Created"]) == 2
    with pytest.raises(SecurityInvalid, match="Timestamp may hold Created 1 times at most"):
        children(element, {f"{{{WSU}}}Created": 1})
    with pytest.raises(SecurityUnsupported, match="Timestamp may hold only Expires, in their own namespaces"):
        children(element, {f"{{{WSU}}}Expires": 1})


def test_a_sequence_is_in_order_and_says_what_it_must_be() -> None:
    one, two = f"{{{WSU}}}One", f"{{{WSU}}}Two"
    element = wsu("A", None, wsu("One"), wsu("Two"))
    assert [child.tag for child in sequence(element, (one, two))] == [one, two]
    for tags in ((two, one), (one,), (one, two, two)):
        with pytest.raises((SecurityInvalid, SecurityUnsupported)):
            sequence(element, tags)
    with pytest.raises(SecurityInvalid, match="A must hold Two, One, in this order and each once"):
        sequence(element, (two, one))


def test_a_leaf_holds_text_alone() -> None:
    assert leaf(wsu("A", " x "), most=1) == "x"
    for wrong in (wsu("A", "xy"), wsu("A", " "), wsu("A"), wsu("A", "x", wsu("B"))):
        with pytest.raises(SecurityInvalid):
            leaf(wrong, most=1)


def test_octets_are_base64_of_so_many_bytes() -> None:
    assert octets(wsu("A", "AAAA"), most=3) == bytes(3)
    assert octets(wsu("A", "AA\n AA"), least=3, most=3) == bytes(3)
    for text, options in (
        ("AAAA", {"most": 2}),
        ("AAAA", {"least": 4, "most": 9}),
        ("A", {"most": 9}),
        ("AA-AA", {"most": 9}),
    ):
        with pytest.raises(SecurityInvalid):
            octets(wsu("A", text), **options)
    # Whoever breaks its lines may write half as much again.
    assert octets(wsu("A", "A\n" * 32 + "A" * 32), most=48) == bytes(48)
    with pytest.raises(SecurityInvalid, match="1 to 160 characters"):
        octets(wsu("A", "A" * 161), most=48)


def test_an_algorithm_is_on_the_list_and_has_no_parameters() -> None:
    assert algorithm(ds("M", Algorithm="a"), ("a", "b")) == "a"
    for wrong in (
        ds("M", Algorithm="c"),
        ds("M"),
        ds("M", "text", Algorithm="a"),
        ds("M", None, ds("P"), Algorithm="a"),
        ds("M", Algorithm="a", Other="b"),
    ):
        with pytest.raises(SecurityUnsupported):
            algorithm(wrong, ("a", "b"))


def test_other_attributes_are_refused() -> None:
    only_attributes(ds("A", Id="x"), ("Id",))
    with pytest.raises(SecurityInvalid, match="A may have only these attributes: Id"):
        only_attributes(ds("A", ID="x"), ("Id",))


def test_both_forms_of_an_ecdsa_signature_are_one_and_no_others_are() -> None:
    """Whoever has seen (r, s) can write (r, n - s), with n the order of P-256's group (SEC 2, section 2.4.2)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def identity(r: int, s: int, method: str = ECDSA_SHA256) -> bytes:
        value = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key = KeyName(kind=NameKind.SERIAL, value="1")
        return signature_identity(Signature(info=ds("SignedInfo"), method=method, value=value, covered=(), key=key))

    assert identity(5, 7) == identity(5, order - 7) != identity(5, 8) != identity(6, 7)
    assert identity(5, 7, RSA_SHA256) != identity(5, order - 7, RSA_SHA256)


def test_comments_are_not_in_what_is_signed() -> None:
    assert canonical(etree.fromstring("<a>x<!-- y -->z</a>")) == b"<a>xz</a>"


def test_a_refusal_says_what_to_do() -> None:
    assert "make a new one, with a new time and nonce" in SecurityReplayed().message
    assert "use https, or PasswordDigest" in SecurityUnencrypted().message


async def test_a_small_message_is_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise AssertionError("a thread for a small message")

    monkeypatch.setattr("server.security.wssecurity.checking.asyncio.to_thread", fails)
    found, _ = await proven(Message.of().timestamp().sign(signer()).bytes(), Keys.of(signer()))
    assert len(found.proofs) == 1


def test_names_of_the_profile_are_in_their_namespaces() -> None:
    assert f"{{{WSU}}}Id" == ID
    assert Message.of().security.tag == f"{{{WSSE}}}Security"
