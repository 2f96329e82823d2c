"""Rings of keys and what they seal and hash: all of them open, the one in use makes, and none of it shows a key."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import VaultError
from licensing.keyring import KeyRing, KeyRingInvalid, make_key, parse_ring, render_ring
from licensing.vault import HASH_BYTES, ROTATED, Vault, head_of, pepper_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MATERIALS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4, unique=True)


def ring(materials: list[bytes], *, first: bool = True) -> KeyRing:
    return KeyRing(
        keys=tuple(
            make_key(material, made_at=NOW + timedelta(days=number), first=first and number == 0)
            for number, material in enumerate(materials)
        )
    )


def vault(peppers: KeyRing, sealing_keys: KeyRing, *, pepper: int = -1, sealing_key: int = -1) -> Vault:
    made = Vault(pepper=peppers, sealing_key=sealing_keys, random=lambda count: bytes(range(count)))
    made.use(pepper=peppers.keys[pepper].key_id, sealing_key=sealing_keys.keys[sealing_key].key_id)
    return made


@given(MATERIALS, st.booleans())
def test_what_a_ring_writes_it_reads(materials: list[bytes], first: bool) -> None:
    whole = ring(materials, first=first)
    assert parse_ring(render_ring(whole)) == whole


@given(st.binary(min_size=32, max_size=32))
def test_thirty_two_bytes_are_a_ring_of_the_first_key(material: bytes) -> None:
    (key,) = parse_ring(material).keys
    assert (key.material, key.first) == (material, True)


@given(MATERIALS, st.data())
def test_a_file_that_was_changed_is_refused_or_the_same_and_never_shown(
    materials: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(render_ring(ring(materials)))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_ring(bytes(content))
    except KeyRingInvalid as error:
        text = str(error)
        assert not any(line.split()[-1] in text for line in render_ring(ring(materials)).decode().splitlines()[1:])
    else:
        # A place that says when a key was made, or which is the first, may be changed without harm to the keys.
        assert [key.material for key in found] == materials


@given(MATERIALS)
def test_keys_never_show_themselves(materials: list[bytes]) -> None:
    text = repr(ring(materials))
    assert not any(material.hex() in text or repr(material) in text for material in materials)


@given(MATERIALS, st.binary(max_size=40), st.data())
def test_every_key_of_the_ring_opens_what_any_of_them_sealed(
    materials: list[bytes], plain: bytes, data: st.DataObject
) -> None:
    keys, peppers = ring(materials), ring([bytes(32)])
    sealed_by = data.draw(st.integers(0, len(materials) - 1))
    sealed = vault(peppers, keys, sealing_key=sealed_by).seal("ticket", plain)
    reader = vault(peppers, keys, sealing_key=data.draw(st.integers(0, len(materials) - 1)))
    assert reader.open("ticket", sealed) == plain
    assert head_of(sealed) == (b"\x01" if sealed_by == 0 else b"\x02" + keys.keys[sealed_by].key_id)
    with pytest.raises(VaultError):
        reader.open("answer", sealed)


@given(st.binary(max_size=40), st.integers(0, 1), st.data())
def test_a_sealed_value_that_was_changed_anywhere_never_opens(plain: bytes, key: int, data: st.DataObject) -> None:
    keys = ring([bytes(32), bytes([1]) * 32])
    opener = vault(ring([bytes(32)]), keys, sealing_key=key)
    sealed = bytearray(opener.seal("ticket", plain))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VaultError):
        opener.open("ticket", bytes(sealed))


@given(st.binary(max_size=80))
def test_any_bytes_open_or_are_refused(content: bytes) -> None:
    keys = ring([bytes(32), bytes([1]) * 32])
    with pytest.raises(VaultError):
        vault(ring([bytes(32)]), keys).open("ticket", content)


def test_without_its_key_a_value_says_which_key_is_missing() -> None:
    keys, peppers = ring([bytes(32), bytes([1]) * 32]), ring([bytes(32)])
    sealed = vault(peppers, keys).seal("ticket", b"x")
    with pytest.raises(VaultError, match=keys.keys[1].name):
        vault(peppers, ring([bytes(32)])).open("ticket", sealed)
    unnamed = vault(peppers, keys, sealing_key=0).seal("ticket", b"x")
    with pytest.raises(VaultError, match="the first one"):
        vault(peppers, keys.without(keys.keys[0].key_id)).open("ticket", unnamed)


def test_the_first_keys_make_what_was_made_before_there_were_rings() -> None:
    one = Vault(pepper=bytes(range(32)), sealing_key=bytes(range(1, 33)), random=lambda count: bytes(range(count)))
    assert one.index("api-key", "x") == hmac.digest(bytes(range(32)), b"api-key\0x", hashlib.sha256)
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"opendepot ticket").derive(bytes(range(1, 33)))
    nonce = bytes(range(12))
    assert one.seal("ticket", b"x") == b"\x01" + nonce + AESGCM(derived).encrypt(nonce, b"x", b"\x01")
    two = vault(ring([bytes(range(32)), bytes(32)]), ring([bytes(range(1, 33)), bytes(32)]), pepper=0, sealing_key=0)
    assert two.index("api-key", "x") == one.index("api-key", "x")
    assert two.seal("ticket", b"x") == one.seal("ticket", b"x")
    assert two.fingerprint() == one.fingerprint()
    assert two.seed("audit") == one.seed("audit")


@given(MATERIALS, st.sampled_from([*sorted(ROTATED), "ticket", "request"]), st.text(max_size=20), st.data())
def test_a_hash_made_with_any_pepper_is_among_the_candidates(
    materials: list[bytes], purpose: str, text: str, data: st.DataObject
) -> None:
    peppers, keys = ring(materials), ring([bytes(32)])
    made_by, used = (data.draw(st.integers(0, len(materials) - 1)) for _ in range(2))
    found = vault(peppers, keys, pepper=made_by).index(purpose, text)
    reader = vault(peppers, keys, pepper=used)
    assert found in reader.candidates(purpose, text)
    assert len(found) == (HASH_BYTES if not pepper_of(found) else HASH_BYTES + 4)
    assert reader.is_older(found) is (purpose in ROTATED and made_by < used) or purpose not in ROTATED


def test_hashes_that_let_things_happen_once_never_change() -> None:
    peppers, keys = ring([bytes(32), bytes([1]) * 32]), ring([bytes(32)])
    for purpose in ("ticket", "transfer", "request", "extension", "customer"):
        assert vault(peppers, keys).index(purpose, "x") == vault(peppers, keys, pepper=0).index(purpose, "x")


def test_what_stands_in_the_audit_chain_opens_without_the_key_that_sealed_it() -> None:
    peppers, keys = ring([bytes(32)]), ring([bytes(32), bytes([1]) * 32])
    old = vault(peppers, keys, sealing_key=0)
    reason, ticket, seed = old.seal("reason", b"why"), old.seal("ticket", b"t"), old.seed("audit")
    new = vault(peppers, keys.without(keys.keys[0].key_id))
    new.keep(keys.keys[0].key_id, old.derived_to_keep(keys.keys[0].key_id), first=True)
    assert new.open("reason", reason) == b"why"
    assert seed in new.seeds("audit")
    with pytest.raises(VaultError):
        new.open("ticket", ticket)


@pytest.mark.parametrize(
    "content",
    [b"", bytes(31), bytes(33), b"opendepot-keys-1", b"opendepot-keys-1\n", b"opendepot-keys-2\nx", b"\xff" * 40],
)
def test_what_is_no_ring_is_refused(content: bytes) -> None:
    with pytest.raises(KeyRingInvalid):
        parse_ring(content)


def test_a_key_twice_or_two_first_ones_are_refused() -> None:
    key = make_key(bytes(32), made_at=NOW, first=True)
    with pytest.raises(KeyRingInvalid, match="twice"):
        KeyRing(keys=(key, key))
    with pytest.raises(KeyRingInvalid, match="the first"):
        KeyRing(keys=(key, make_key(bytes([1]) * 32, made_at=NOW, first=True)))
