"""Protected, hidden and secret data: blocks, their encryption to one container, and their way into it."""

import hmac

import pytest
import vendor
from cryptography.hazmat.primitives.asymmetric import ec
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import Container, ContainerError, Entry, Options, parse_step, read_context, render_step
from containers.blocks import (
    HIDDEN,
    LARGEST_BLOCK,
    PROTECTED,
    SECRET,
    block_digest,
    decrypt_block,
    encrypt_block,
    pack_fields,
    unpack_fields,
)
from containers.signatures import public_key_der

FIELDS = st.dictionaries(st.integers(0, 127), st.binary(min_size=1, max_size=256), max_size=128)
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = public_key_der(KEY.public_key())


@settings(max_examples=examples(100))
@given(FIELDS)
def test_fields_come_back_as_they_were_packed(fields: dict[int, bytes]) -> None:
    assert unpack_fields(pack_fields(fields)) == fields


@settings(max_examples=examples(200))
@given(st.binary(max_size=600))
def test_what_was_not_packed_is_refused_and_never_an_exception_of_another_kind(data: bytes) -> None:
    try:
        fields = unpack_fields(data)
    except ContainerError as refused:
        assert refused.code == "DataUnreadable"  # noqa: PT017  most are refused
    else:
        assert pack_fields(fields) == data


@pytest.mark.parametrize("fields", [{128: b"x"}, {-1: b"x"}, {0: b""}, {0: b"x" * 257}])
def test_a_field_that_cannot_be_is_not_packed(fields: dict[int, bytes]) -> None:
    with pytest.raises(ContainerError, match="0 to 127"):
        pack_fields(fields)


def test_the_largest_block_fits_and_only_its_container_reads_it() -> None:
    plain = pack_fields({number: bytes([number]) * 256 for number in range(128)})
    block = encrypt_block(plain, kind=HIDDEN, public_key=PUBLIC, secret=b"s" * 32)
    assert len(block) <= LARGEST_BLOCK
    assert block == encrypt_block(plain, kind=HIDDEN, public_key=PUBLIC, secret=b"s" * 32), "no step without need"
    assert plain[:64] not in block
    assert decrypt_block(block, kind=HIDDEN, key=KEY) == plain
    damaged = bytes([*block[:-1], block[-1] ^ 1])
    other = ec.generate_private_key(ec.SECP256R1())
    for wrong, kind, key in ((block, SECRET, KEY), (block, HIDDEN, other), (damaged, HIDDEN, KEY), (b"", HIDDEN, KEY)):
        with pytest.raises(ContainerError) as refused:
            decrypt_block(wrong, kind=kind, key=key)
        assert refused.value.code == "DataUnreadable"


def with_data(container: Container, fields: dict[int, bytes]) -> tuple[Entry, tuple[bytes, ...]]:
    plain = pack_fields(fields)
    hidden, secret = (
        encrypt_block(plain, kind=kind, public_key=container.public_key, secret=kind.encode().ljust(32))
        for kind in (HIDDEN, SECRET)
    )
    blocks = tuple(sorted((plain, hidden, secret), key=block_digest))
    options = Options(
        protected_data=block_digest(plain), hidden_data=block_digest(hidden), secret_data=block_digest(secret)
    )
    return vendor.entry("L1", options=options), blocks


def test_a_container_reads_protected_and_hidden_data_and_answers_by_secret_data(
    container: Container, seller: vendor.Vendor
) -> None:
    entry, blocks = with_data(container, {3: b"key", 5: b"\x00\xff"})
    container.import_update(seller.file(seller.reset(vendor.context_of(container), (entry,), blocks=blocks)))
    firm = vendor.FIRM
    assert container.fields(firm, "L1", kind=PROTECTED) == {3: b"key", 5: b"\x00\xff"}
    assert container.fields(firm, "L1", kind=HIDDEN) == {3: b"key", 5: b"\x00\xff"}
    assert container.answer(firm, "L1", number=3, challenge=b"c") == hmac.digest(b"key", b"c", "sha256")
    for call, code in (
        (lambda: container.fields(firm, "L1", kind=SECRET), "DataSecret"),
        (lambda: container.answer(firm, "L1", number=4, challenge=b"c"), "DataMissing"),
        (lambda: container.answer(firm, "L2", number=3, challenge=b"c"), "DataMissing"),
    ):
        with pytest.raises(ContainerError) as refused:
            call()
        assert refused.value.code == code
    assert container.fields(firm, "L2", kind=HIDDEN) == {}
    context = read_context(container.context(firm))
    assert context.listing == (entry,)
    assert context.last_step is not None
    assert parse_step(render_step(context.last_step.step)) == context.last_step.step


def test_data_stays_while_other_options_change_and_goes_with_its_licence(
    container: Container, seller: vendor.Vendor
) -> None:
    entry, blocks = with_data(container, {0: b"x"})
    container.import_update(seller.file(seller.reset(vendor.context_of(container), (entry,), blocks=blocks)))
    more = vendor.entry("L1", quantity=2, options=entry.options)
    container.import_update(seller.file(seller.delta(vendor.context_of(container), (more,))))
    assert container.fields(vendor.FIRM, "L1", kind=HIDDEN) == {0: b"x"}
    container.import_update(seller.file(seller.delta(vendor.context_of(container), ())))
    assert container.fields(vendor.FIRM, "L1", kind=HIDDEN) == {}
    with pytest.raises(ContainerError) as refused:
        container.import_update(seller.file(seller.delta(vendor.context_of(container), (entry,))))
    assert refused.value.code == "DataMissing"
    assert container.listing(vendor.FIRM) == ()


def test_a_step_brings_only_blocks_that_its_licences_name(container: Container, seller: vendor.Vendor) -> None:
    entry, blocks = with_data(container, {0: b"x"})
    context = vendor.context_of(container)
    for wrong in ((*blocks, b"four"), blocks[::-1], (blocks[0], blocks[0])):
        with pytest.raises(ContainerError, match="block"):
            seller.reset(context, (entry,), blocks=wrong)
