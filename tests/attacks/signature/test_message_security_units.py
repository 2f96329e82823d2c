"""What the attacks do not reach: names of certificates, marks, oracles, and values at their very bounds."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from signed_messages import NOW, Keys, Message, Signer, moment, proven, refusal, signer
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier

from server.security.certificates import CertificateStore, Registered
from server.security.wssecurity.checking import Kind
from server.security.wssecurity.freshness import Window, read_moment
from server.security.wssecurity.keys import usable_key
from server.security.wssecurity.messages import MOST_REMEMBERED, CertificateNames
from server.security.wssecurity.once import MarkingStorage, carried_out_once
from server.security.wssecurity.reading import read_claims
from server.security.wssecurity.references import names_of
from server.security.wssecurity.refusals import SecurityExpired, SecurityInvalid, SecurityReplayed
from server.security.wssecurity.verifying import canonical
from soap.names import WSSE, WSU
from storage import Storage, open_storage
from storage.commands import InitialiseServer, LoadServer, RaiseEpoch
from storage.errors import StorageUnavailable
from storage.marks import Mark, UseMarks
from storage.records import AuditRow, Credential, Shop


@pytest.mark.parametrize("kind", ["p256", "rsa"])
async def test_signxml_takes_what_is_taken_here_and_gives_the_same_signed_bytes(kind: str) -> None:
    by = signer("oracle", kind)
    message = Message.of().timestamp().sign(by)
    found, _ = await proven(message.bytes(), Keys.of(by))
    config = SignatureConfiguration(
        location=f".//{{{WSSE}}}Security/",
        expect_references=2,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
    )
    certificate = by.certificate.public_bytes(Encoding.PEM).decode()

    def judged(data: bytes) -> Any:
        return XMLVerifier().verify(
            data, x509_cert=certificate, expect_config=config, id_attribute="Id", validate_schema=False
        )

    results = judged(message.bytes())
    assert found.signed is not None
    assert {canonical(one.signed_xml) for one in results} == {canonical(one) for one in found.signed.elements}
    with pytest.raises(Exception):  # noqa: B017, PT011  any refusal
        judged(message.bytes().replace(b"EDITOR", b"EDITOS"))


async def test_a_text_password_is_taken_over_tls_and_marks_nothing() -> None:
    found, _ = await proven(Message.of().text_username().bytes(), Keys.of(signer()), encrypted=True)
    assert [(proof.kind, proof.once) for proof in found.proofs] == [(Kind.PASSWORD, None)]


async def test_the_digest_and_the_signature_of_one_message_are_two_proofs_of_one_owner() -> None:
    data = Message.of().timestamp().username().sign(signer()).bytes()
    found, _ = await proven(data, Keys.of(signer()))
    assert [proof.kind for proof in found.proofs] == [Kind.SIGNATURE, Kind.DIGEST]
    marks = {proof.once.mark for proof in found.proofs if proof.once is not None}
    assert len(marks) == 2


async def test_a_digest_is_the_one_of_its_credential() -> None:
    """Two credentials with one secret, nonce and time are two marks."""
    keys, others = Keys.of(signer()), Keys.of(signer())
    others.secrets["acme"] = replace(others.secrets["acme"], credential_id="u-2")
    marks = []
    for each in (keys, keys, others):
        found, _ = await proven(Message.of().username().bytes(), each)
        assert found.proofs[0].once is not None
        marks.append(found.proofs[0].once.mark)
    assert marks[0] == marks[1] != marks[2]
    assert len(marks[0]) == 32


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-360, "taken"), (-360.001, "SecurityExpired"), (60, "taken"), (60.001, "SecurityExpired")],
)
async def test_the_window_ends_where_it_says(seconds: float, expected: str) -> None:
    created = (NOW + timedelta(seconds=seconds)).isoformat()
    assert await refusal(Message.of().username(created=created).bytes(), Keys.of(signer())) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(-60, "taken"), (-60.001, "SecurityExpired")])
async def test_expires_is_forgiven_as_much_as_the_clocks_may_differ(seconds: float, expected: str) -> None:
    message = Message.of()
    message.timestamp(NOW - timedelta(seconds=200), NOW + timedelta(seconds=seconds))
    message.security[0][1].text = (NOW + timedelta(seconds=seconds)).isoformat()
    assert await refusal(message.sign(signer()).bytes(), Keys.of(signer())) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, "SecurityInvalid"), (0.001, "taken")])
async def test_expires_is_later_than_created(seconds: float, expected: str) -> None:
    message = Message.of().timestamp(NOW, NOW + timedelta(seconds=seconds))
    assert await refusal(message.sign(signer()).bytes(), Keys.of(signer())) == expected


def test_a_mark_is_kept_until_its_message_would_be_refused_for_its_age() -> None:
    window = Window(lifetime_seconds=10, skew_seconds=2)
    assert window.admit(NOW, None, now=NOW) == NOW + timedelta(seconds=12)
    assert window.admit(NOW, NOW + timedelta(seconds=5), now=NOW) == NOW + timedelta(seconds=7)
    assert window.admit(NOW, NOW + timedelta(days=5), now=NOW) == NOW + timedelta(seconds=12)


def test_what_is_told_of_clocks_is_what_is_so() -> None:
    with pytest.raises(SecurityExpired, match=r"100 s ahead of .* 300 s old, and clocks may differ by 60 s"):
        Window().admit(NOW + timedelta(seconds=100), None, now=NOW)
    with pytest.raises(
        SecurityExpired, match=r"created 2026-05-06T06:08:09.* expires 2026-05-06T06:10:09.* 3600 s behind"
    ):
        Window().admit(NOW - timedelta(hours=1), NOW - timedelta(minutes=58), now=NOW)


@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001  the zone is drawn
    st.integers(-840, 840),
)
def test_any_time_is_read_as_it_was_written(moment_: datetime, minutes: int) -> None:
    zoned = moment_.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_moment(zoned.isoformat(), name="Created") == zoned
    assert read_moment(moment_.isoformat() + "Z", name="Created") == moment_.replace(tzinfo=UTC)


def test_a_finer_time_than_a_microsecond_is_cut() -> None:
    assert read_moment("2026-05-06T07:08:09.1234567Z", name="Created").microsecond == 123456
    assert read_moment("2026-05-06T07:08:09.1Z", name="Created").microsecond == 100000


@pytest.mark.parametrize(
    ("key", "good"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), True),
        (rsa.generate_private_key(public_exponent=65537, key_size=1024), False),
        (ec.generate_private_key(ec.SECP256R1()), True),
        (ec.generate_private_key(ec.SECP384R1()), False),
        (ec.generate_private_key(ec.SECP256K1()), False),
    ],
)
def test_weak_keys_are_not_used(key: Any, good: bool) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(3)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert len(names_of(certificate)) == 2, "a certificate without a key identifier has no such name"
    if good:
        assert usable_key(certificate) == key.public_key()
    else:
        with pytest.raises(ValueError, match="2048"):
            usable_key(certificate)
    names = CertificateNames(CertificateStore([entry(Signer(key=key, certificate=certificate))]))
    (found,) = names.find(names_of(certificate)[0])
    assert (names.ready(found) is not None) is good
    assert names.ready(found) is names.ready(found)


def entry(by: Signer) -> Registered:
    shop = Shop(shop_id="s", name="acme", active=True, created_at=NOW)
    credential = Credential(credential_id="c", shop_id="s", kind="certificate", lookup=b"x", created_at=NOW)
    return Registered(certificate=by.certificate, credential=credential, shop=shop)


def test_what_is_ready_is_forgotten_when_there_is_too_much_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_REMEMBERED == 10_000
    monkeypatch.setattr("server.security.wssecurity.messages.MOST_REMEMBERED", 1)
    names = CertificateNames(CertificateStore())
    one, two = entry(signer("one")), entry(signer("two"))
    first = names.ready(one)
    assert names.ready(one) is first
    names.ready(two)
    assert names.ready(one) is not first
    assert names.find(names_of(one.certificate)[0]) == []


def test_so_many_namespaces_and_elements_may_be_in_the_header_block_and_no_more() -> None:
    def message(namespaces: int, elements: int) -> Any:
        declared = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(namespaces))
        children = "<a/>" * elements
        return etree.fromstring(
            f'<h xmlns:w="{WSSE}"><w:Security {declared}>{children}</w:Security><b xmlns:u="{WSU}" u:Id="b"/></h>'
        )

    for root, said in (
        (message(64, 1), "namespaces"),
        (message(63, 1), "may hold only"),
        (message(0, 200), "200 elements"),
        (message(0, 199), "may hold only"),
    ):
        with pytest.raises(Exception, match=said):
            read_claims(root[0], root[1])


def test_ids_up_to_their_number() -> None:
    def message(count: int) -> Any:
        made = Message.of().username()
        for number in range(count):
            etree.SubElement(made.header, "{urn:x}b").set("Id", f"i-{number}")
        return made

    read_claims((good := message(63)).security, good.body)
    with pytest.raises(SecurityInvalid, match="64 ids"):
        read_claims((bad := message(64)).security, bad.body)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    opened = await open_storage(str(tmp_path / "marks.sqlite3"))
    await opened.execute(InitialiseServer(epoch=1, key_fingerprint=b"x", at=NOW))
    try:
        yield opened
    finally:
        await opened.close()


def mark(number: int) -> tuple[Mark, ...]:
    return (Mark(mark=bytes([number]) * 32, until=NOW),)


def raising(epoch: int) -> RaiseEpoch:
    audit = AuditRow(at=NOW, actor="test", action="RaiseEpoch", subject="", details="{}")
    return RaiseEpoch(epoch=epoch, audit=audit)


async def test_the_first_thing_written_takes_the_marks_and_a_repetition_writes_nothing(storage: Storage) -> None:
    marking: Any = MarkingStorage(storage)

    async def work(*epochs: int) -> list[int]:
        done = await asyncio.gather(*(marking.execute(raising(epoch)) for epoch in epochs))
        return [one.current_epoch for one in done]

    assert max(await carried_out_once(mark(1), storage, lambda: work(5, 6, 7))) == 7
    with pytest.raises(SecurityReplayed):
        await carried_out_once(mark(1), storage, lambda: work(9))
    server = await storage.query(LoadServer())
    assert server is not None
    assert server.current_epoch == 7
    assert (await marking.query(LoadServer())).current_epoch == 7
    assert (await marking.execute(raising(8))).current_epoch == 8, "outside of a message nothing is marked"
    await marking.ready()
    await marking.forget(thorough=False)
    await marking.close()


async def test_what_writes_nothing_and_what_fails_takes_the_marks_before_its_answer(storage: Storage) -> None:
    async def reads() -> str:
        return "read"

    async def fails() -> str:
        raise LookupError

    async def unavailable() -> str:
        raise StorageUnavailable("away")

    assert await carried_out_once(mark(1), storage, reads) == "read"
    with pytest.raises(SecurityReplayed):
        await carried_out_once(mark(1), storage, reads)
    with pytest.raises(LookupError):
        await carried_out_once(mark(2), storage, fails)
    with pytest.raises(SecurityReplayed):
        await carried_out_once(mark(2), storage, fails)
    with pytest.raises(StorageUnavailable):
        await carried_out_once(mark(3), storage, unavailable)
    assert await carried_out_once(mark(3), storage, reads) == "read", "nothing was done, so it may come again"


async def test_nothing_is_answered_when_the_marks_cannot_be_written(storage: Storage) -> None:
    class Away:
        async def execute(self, command: object) -> object:
            raise StorageUnavailable("away")

    async def reads() -> str:
        return "read"

    away: Any = Away()
    with pytest.raises(StorageUnavailable):
        await carried_out_once(mark(1), away, reads)


async def test_a_command_that_is_taken_back_leaves_the_marks_to_the_next_one(storage: Storage) -> None:
    from storage.commands import StoreFilters  # noqa: PLC0415
    from storage.records import FilterDocument  # noqa: PLC0415

    marking: Any = MarkingStorage(storage)

    async def work() -> None:
        document = FilterDocument(version=9, rules="", author="", written_at=NOW, comment="", diff="")
        audit = AuditRow(at=NOW, actor="test", action="StoreFilters", subject="", details="{}")
        await marking.execute(StoreFilters(document=document, audit=audit))
        seen: Any = await storage.execute(UseMarks(marks=mark(2)))
        assert type(seen).__name__ == "MarksUsed"

    await carried_out_once(mark(1), storage, work)
    with pytest.raises(SecurityReplayed):
        await carried_out_once(mark(1), storage, work)


def test_a_moment_is_written_as_clients_write_it() -> None:
    assert moment(NOW) == "2026-05-06T07:08:09.000Z"
