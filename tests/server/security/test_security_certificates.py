"""Which shop a certificate is of, whether it holds, and in which forms proxies tell it."""

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from made_certificates import Made, certificate
from signed_messages import NOW

from server.security import certificates
from server.security.certificates import (
    LONGEST_HEADER,
    MOST_REMEMBERED,
    CertificateStore,
    CertificateUnreadable,
    Registered,
    fingerprint,
    read_der,
    read_forwarded,
    read_pem,
    store_of,
)
from server.security.proofs import ProofKind
from storage.records import Credential, Shop

SECOND = timedelta(seconds=1)
ACME = Shop(shop_id="s-1", name="acme", active=True, created_at=NOW)
ROOT = certificate("root", authority=True)
PINNED = certificate("pinned")


def registered(made: Made, *, kind: str = "certificate", shop: Shop = ACME, **changes: Any) -> Registered:
    credential = Credential(
        credential_id=f"c-{kind}", shop_id=shop.shop_id, kind=kind, lookup=b"x", created_at=NOW, **changes
    )
    return Registered(certificate=made.certificate, credential=credential, shop=shop)


def proves(store: CertificateStore, made: Made, now: datetime = NOW) -> str | None:
    """The credential that a certificate proves."""
    found = store.prove(made.der, now=now)
    return None if found is None else found.credential_id


def test_a_pinned_certificate_proves_its_shop() -> None:
    found = CertificateStore([registered(PINNED)]).prove(PINNED.der, now=NOW)
    assert found is not None
    assert (found.kind, found.shop, found.credential_id) == (ProofKind.CERTIFICATE, ACME, "c-certificate")


def test_nothing_is_proven_by_what_nobody_registered() -> None:
    for store in (CertificateStore(), CertificateStore([registered(PINNED)])):
        assert proves(store, certificate("pinned")) is None
        assert store.prove(b"garbage", now=NOW) is None


def test_a_certificate_holds_in_its_own_time_and_in_that_of_its_registration() -> None:
    made = certificate("timed", begins=NOW, ends=NOW + 10 * SECOND)
    store = CertificateStore([registered(made)])
    at = {seconds: proves(store, made, NOW + seconds * SECOND) is not None for seconds in (-1, 0, 10, 11)}
    assert at == {-1: False, 0: True, 10: True, 11: False}
    for changes in ({"revoked_at": NOW}, {"valid_until": NOW}, {"valid_from": NOW + SECOND}):
        store = CertificateStore([registered(PINNED, **changes)])
        assert proves(store, PINNED) is None
        assert store.find(PINNED.der) is not None, "it is known, and does not hold"


def test_an_authority_certifies_clients_of_its_shop() -> None:
    store = CertificateStore([registered(PINNED), registered(ROOT, kind="authority")])
    issued = certificate("issued", by=ROOT, authority=False, uses=[ExtendedKeyUsageOID.CLIENT_AUTH])
    assert proves(store, issued) == "c-authority"
    assert proves(store, PINNED) == "c-certificate"
    assert proves(store, certificate("short", by=ROOT, ends=NOW - SECOND)) is None
    found = store.find(issued.der)
    assert found is not None
    assert found.certificate == issued.certificate
    assert store.find(issued.der) is found, "it is remembered"


@pytest.mark.parametrize(
    ("made", "good"),
    [
        (certificate("no constraints", by=ROOT), True),
        (certificate("for servers", by=ROOT, authority=False, uses=[ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (
            certificate("both", by=ROOT, uses=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            True,
        ),
        (certificate("below", by=ROOT, authority=True), False),
        (certificate("below for clients", by=ROOT, authority=True, uses=[ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (certificate("broken", by=ROOT, broken=True), False),
        (certificate("by another", by=certificate("root", authority=True)), False),
        (certificate("by somebody", by=certificate("somebody", authority=True)), False),
        (certificate("of itself"), False),
        (ROOT, False),
    ],
    ids=lambda value: value.certificate.subject.rfc4514_string() if isinstance(value, Made) else "",
)
def test_an_authority_s_word_counts_for_clients_alone(made: Made, good: bool) -> None:
    store = CertificateStore([registered(ROOT, kind="authority")])
    assert (proves(store, made) is not None) is good
    assert (proves(store, made) is not None) is good, "the same when it is asked again"


def test_the_second_of_two_authorities_is_asked_too() -> None:
    other = certificate("other root", authority=True)
    their = Shop(shop_id="s-2", name="other", active=True, created_at=NOW)
    store = CertificateStore([registered(ROOT, kind="authority"), registered(other, kind="authority", shop=their)])
    found = store.prove(certificate("client", by=other).der, now=NOW)
    assert found is not None
    assert found.shop is their


def test_what_is_no_certificate_is_nobody_s() -> None:
    store = CertificateStore([registered(ROOT, kind="authority")])
    assert store.find(b"garbage") is None
    assert store.find(b"") is None


def test_what_is_remembered_of_issued_ones_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_REMEMBERED == 10_000
    monkeypatch.setattr(certificates, "MOST_REMEMBERED", 2)
    store = CertificateStore([registered(ROOT, kind="authority")])
    one, two, three = (certificate(name, by=ROOT) for name in ("one", "two", "three"))
    first = store.find(one.der)
    store.find(two.der)
    assert store.find(one.der) is first
    store.find(three.der)
    assert store.find(one.der) is not first
    assert store.find(one.der) == first


def test_a_listener_is_told_all_that_it_has_to_let_in() -> None:
    store = CertificateStore([registered(PINNED), registered(ROOT, kind="authority")])
    assert set(store.anchors()) == {PINNED.der, ROOT.der}
    assert CertificateStore().anchors() == ()


def test_the_store_is_made_of_active_shops_and_of_what_has_a_certificate() -> None:
    closed = Shop(shop_id="s-2", name="closed", active=False, created_at=NOW)
    one, theirs = certificate("one"), certificate("theirs")
    credentials = [
        registered(one, material=one.der).credential,
        registered(theirs, shop=closed, material=theirs.der).credential,
        registered(one, kind="api-key").credential,
        registered(ROOT, kind="authority", material=ROOT.der).credential,
    ]
    store = store_of(credentials, [ACME, closed])
    assert set(store.pinned) == {fingerprint(one.der)}
    assert [each.certificate for each in store.authorities] == [ROOT.certificate]
    assert store.pinned[fingerprint(one.der)].shop is ACME
    assert store_of(credentials, []).anchors() == ()


# The forms that proxies write


@pytest.mark.parametrize(
    "header",
    [
        f":{b64encode(PINNED.der).decode()}:",
        b64encode(PINNED.der).decode(),
        f"  {b64encode(PINNED.der).decode()} ",
        quote(PINNED.pem.decode()),
        PINNED.pem.decode(),
    ],
    ids=["rfc9440", "haproxy", "blanks", "nginx", "pem"],
)
def test_a_certificate_is_read_in_each_form(header: str) -> None:
    assert read_forwarded(header) == PINNED.der


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "no X.509 certificate in DER"),
        (":", "neither Base64 nor PEM"),
        ("::", "no X.509 certificate in DER"),
        (f":{b64encode(PINNED.der).decode()}", "neither Base64 nor PEM"),
        (f"{b64encode(PINNED.der).decode()}:", "neither Base64 nor PEM"),
        (f'"{b64encode(PINNED.der).decode()}"', "neither Base64 nor PEM"),
        (b64encode(b"garbage").decode(), "no X.509 certificate in DER"),
        ("-----BEGIN CERTIFICATE-----\nxxxx\n-----END CERTIFICATE-----", "begins with -----BEGIN"),
        ("A" * (LONGEST_HEADER + 1), "too long for one certificate"),
        ("A" * LONGEST_HEADER, "no X.509 certificate in DER"),
    ],
)
def test_anything_else_is_unreadable_and_says_what_was_expected(header: str, said: str) -> None:
    with pytest.raises(CertificateUnreadable, match=said):
        read_forwarded(header)


def test_a_file_of_a_certificate_is_pem() -> None:
    assert LONGEST_HEADER == 16_384
    assert read_pem(PINNED.pem) == PINNED.certificate == read_der(PINNED.der)
    with pytest.raises(CertificateUnreadable, match="-----BEGIN"):
        read_pem(PINNED.der)
    with pytest.raises(CertificateUnreadable, match="in DER"):
        read_der(PINNED.pem)
