from collections.abc import Callable
from dataclasses import replace

import pytest
import vendor
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import Container, ContainerError, SoftwareBox, read_update, render_update
from xmlgate import Limits

Refused = Callable[..., ContainerError]


@pytest.fixture
def signed(container: Container, seller: vendor.Vendor) -> list[bytes]:
    context = vendor.context_of(container)
    return [
        seller.reset(context, (vendor.entry("A"),)),
        seller.delta(context, ()),
        seller.delta(context, (vendor.entry("B"),)),
    ]


def test_an_update_holds_its_steps_byte_for_byte(seller: vendor.Vendor, signed: list[bytes]) -> None:
    data = seller.file(*signed)
    update = read_update(data)
    assert (update.serial, update.firm_code) == (seller.serial, vendor.FIRM)
    assert [step.data for step in update.steps] == signed
    assert [step.step for step in update.steps] == seller.steps
    assert all(data.count(step.data) == 1 for step in update.steps)


def test_the_same_steps_give_the_same_file(seller: vendor.Vendor, signed: list[bytes]) -> None:
    assert seller.file(*signed) == seller.file(*signed)
    assert render_update(
        serial=seller.serial,
        firm_code=vendor.FIRM,
        signed_steps=[step.data for step in read_update(seller.file(*signed)).steps],
    ) == seller.file(*signed)


def test_steps_must_rise(refused: Refused, seller: vendor.Vendor, signed: list[bytes]) -> None:
    for steps in ([signed[1], signed[0]], [signed[0], signed[0]], [signed[0], signed[2], signed[1]]):
        assert refused(read_update, seller.file(*steps)).code == "UpdateInvalid"


def test_steps_must_be_for_the_files_container_and_firm_code(
    refused: Refused, seller: vendor.Vendor, signed: list[bytes]
) -> None:
    error = refused(read_update, render_update(serial="130-1", firm_code=vendor.FIRM, signed_steps=signed))
    assert (error.code, error.line) == ("UpdateInvalid", 1)
    other = render_update(serial=seller.serial, firm_code=vendor.FIRM + 1, signed_steps=signed)
    assert refused(read_update, other).code == "UpdateInvalid"
    mixed = seller.sign(replace(seller.steps[1], firm_code=vendor.FIRM + 1))
    assert refused(read_update, seller.file(signed[0], mixed)).code == "UpdateInvalid"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"</update>", b"", "UpdateMalformed"),
        (b"<update ", b"<!DOCTYPE a><update ", "UpdateMalformed"),
        (b"</update>", b"</update><update/>", "UpdateMalformed"),
        (b"<remove>A<", b"<remove><", "UpdateInvalid"),
        (b"<firmCode>", b"<firmCode>0", "UpdateInvalid"),
        (b"</update>", b"\n</update>", "UpdateInvalid"),
        (b"<kind>Reset</kind>", b"<kind>Delta</kind>", None),
        (b"<remove>A<", b"<remove>B<", None),
        (b"<kind>Delta</kind>", b"<kind>Reset</kind>", "UpdateInvalid"),
        (b"#ecdsa-sha256", b"#rsa-sha256", "UpdateInvalid"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>A", "SignatureWrong"),
    ],
)
def test_an_update_is_read_only_in_its_one_form_and_believed_only_when_verified(
    refused: Refused,
    container: Container,
    seller: vendor.Vendor,
    signed: list[bytes],
    *,
    old: bytes,
    new: bytes,
    code: str | None,
) -> None:
    file = seller.file(*signed)
    data = file.replace(old, new)
    assert data != file
    if code is None:
        assert read_update(data).serial == seller.serial
        assert refused(container.import_update, data).code == "SignatureWrong"
    else:
        assert refused(read_update, data).code == code


def test_the_limits_can_be_set(refused: Refused, seller: vendor.Vendor, signed: list[bytes]) -> None:
    assert refused(read_update, seller.file(*signed), limits=Limits(max_bytes=100)).code == "UpdateMalformed"


def test_a_long_chain_is_read(container: Container, seller: vendor.Vendor) -> None:
    context = vendor.context_of(container)
    steps = [seller.reset(context, ())]
    steps += [seller.delta(context, (vendor.entry("A", quantity=number),)) for number in range(1, 400)]
    result = container.import_update(seller.file(*steps))
    assert (result.applied, container.listing(vendor.FIRM)) == (400, (vendor.entry("A", quantity=399),))


_BOX = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(8))


@given(steps=st.lists(vendor.steps(), min_size=1, max_size=3, unique_by=lambda step: step.to_counter))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_every_update_that_can_be_written_can_be_read(steps: list) -> None:
    ordered = sorted((replace(step, serial="130-1", firm_code=1) for step in steps), key=lambda step: step.to_counter)
    seller = vendor.Vendor(box=_BOX, serial="130-1", firm_code=1)
    update = read_update(seller.file(*(seller.sign(step) for step in ordered)))
    assert [signed.step for signed in update.steps] == ordered


@given(data=st.binary())
@settings(derandomize=True)
def test_any_bytes_whatever_are_an_error(data: bytes) -> None:
    with pytest.raises(ContainerError):
        read_update(data)
