from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import vendor
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import (
    START,
    ContainerError,
    Context,
    Counter,
    Options,
    Seen,
    SoftwareBox,
    Step,
    StepKind,
    parse_state,
    parse_step,
    read_context,
    read_signed_step,
    render_context,
    render_state,
    render_step,
    render_update,
    sign_step,
    state_digest,
)
from containers.canonical import whole_second
from containers.signatures import SignatureParts, public_key_der, sign_raw, signature_element, signed_info

Refused = Callable[..., ContainerError]

_KEY = ec.derive_private_key(4711, ec.SECP256R1())
_BOX = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(3))


@given(state=vendor.states)
@settings(derandomize=True, deadline=None)
def test_a_listing_is_canonical_and_comes_back(state: tuple) -> None:
    data = render_state(state)
    assert data == vendor.canonical(data)
    assert parse_state(data) == state


@given(step=vendor.steps())
@settings(derandomize=True, deadline=None)
def test_a_step_is_canonical_and_comes_back(step: Step) -> None:
    data = render_step(step)
    assert data == vendor.canonical(data)
    assert parse_step(data) == step


@given(step=vendor.steps())
@settings(derandomize=True, deadline=None)
def test_a_signed_step_holds_its_step_and_comes_back(step: Step) -> None:
    content = render_step(step)
    data = sign_step(content, firm_code=step.firm_code, box=_BOX)
    assert data.count(content) == 1
    assert vendor.canonical(data, "c:step") == content
    signed = read_signed_step(data)
    assert (signed.step, signed.data, signed.certificate) == (step, data, _BOX.certificate(step.firm_code))


@given(
    firm_code=st.integers(1, 2**32 - 1),
    seen=vendor.seens,
    counter=vendor.counters,
    listing=vendor.states,
    last=st.one_of(st.none(), vendor.steps()),
    time=vendor.times,
)
@settings(derandomize=True, deadline=None)
def test_the_body_of_a_context_is_canonical_and_comes_back(
    *, firm_code: int, seen: Seen, counter: Counter, listing: tuple, last: Step | None, time: datetime
) -> None:
    signed = None
    if last is not None:
        signed = read_signed_step(sign_step(render_step(last), firm_code=last.firm_code, box=_BOX))
    context = Context(
        serial="3-4019155",
        firm_code=firm_code,
        public_key=public_key_der(_KEY.public_key()),
        export=seen.export,
        nonce=seen.nonce,
        counter=counter,
        listing=listing,
        digest=state_digest(listing),
        last_step=signed,
        time=time,
    )
    hashed: list[bytes] = []

    def sign(info: bytes) -> bytes:
        hashed.append(info)
        return sign_raw(_KEY, info)

    data = render_context(context, sign=sign)
    assert vendor.canonical(data, "ds:Signature/ds:SignedInfo") == hashed[0]
    assert read_context(data) == context


@given(digest=vendor.digests, value=st.binary(min_size=64, max_size=64), certificate=st.binary(min_size=1))
@settings(derandomize=True)
def test_a_signature_is_canonical_around_what_is_signed(digest: bytes, value: bytes, certificate: bytes) -> None:
    for held in (certificate, None):
        data = signature_element("step-1-2", SignatureParts(digest=digest, value=value, certificate=held))
        assert data == vendor.canonical(data)
        assert vendor.canonical(data, "ds:SignedInfo") == signed_info("step-1-2", digest)


_STEP = Step(
    serial="130-1",
    firm_code=1,
    kind=StepKind.DELTA,
    from_counter=START,
    to_counter=Counter(0, 1),
    digest_before=bytes(32),
    digest_after=bytes(32),
    seen=Seen(export=1, nonce=bytes(16)),
    issued=vendor.NOW,
    put=(vendor.entry("A"), vendor.entry("C")),
    remove=("B", "D"),
)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"serial": "130-"}, "serial"),
        ({"serial": "1300-1"}, "serial"),
        ({"serial": "130-٣"}, "serial"),
        ({"serial": "130-1\n"}, "serial"),
        ({"firm_code": 0}, "firmCode"),
        ({"firm_code": 2**32}, "firmCode"),
        ({"from_counter": Counter(-1, 0)}, "epoch"),
        ({"to_counter": Counter(1, 2**63)}, "number"),
        ({"to_counter": START}, "to"),
        ({"from_counter": Counter(1, 0)}, "to"),
        ({"digest_before": bytes(31)}, "digestBefore"),
        ({"digest_after": bytes(33)}, "digestAfter"),
        ({"seen": Seen(export=0, nonce=bytes(16))}, "export"),
        ({"seen": Seen(export=1, nonce=bytes(15))}, "nonce"),
        ({"issued": vendor.NOW.replace(microsecond=1)}, "issued"),
        ({"issued": vendor.NOW.replace(tzinfo=None)}, "issued"),
        ({"issued": vendor.NOW.astimezone(timezone(timedelta(hours=1)))}, "issued"),
        ({"issued": vendor.NOW.replace(year=999)}, "issued"),
        ({"put": (vendor.entry("C"), vendor.entry("A"))}, "put"),
        ({"put": (vendor.entry("A"), vendor.entry("A"))}, "put"),
        ({"remove": ("D", "B")}, "remove"),
        ({"remove": ("A",)}, "remove"),
        ({"remove": ("",)}, "remove"),
        ({"kind": StepKind.RESET}, "remove"),
    ],
)
def test_a_step_that_a_file_cannot_hold_is_not_rendered(refused: Refused, change: dict, name: str) -> None:
    error = refused(render_step, replace(_STEP, **change))
    assert (error.code, error.line) == ("ValueWrong", None)
    assert str(error).startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"license_id": ""}, "licenseId"),
        ({"license_id": "x" * 65}, "licenseId"),
        ({"license_id": "secret\x00"}, "licenseId"),
        ({"item_number": "secret\ud800"}, "itemNumber"),
        ({"item_number": "secret\ufffe"}, "itemNumber"),
        ({"item_number": "secret\x1f"}, "itemNumber"),
        ({"generation": -1}, "generation"),
        ({"generation": 2**31}, "generation"),
        ({"product_code": -1}, "productCode"),
        ({"product_code": 2**32}, "productCode"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 2**31}, "quantity"),
        ({"options": Options(usage_days=-1)}, "usageDays"),
        ({"options": Options(feature_map=2**32)}, "featureMap"),
        ({"options": Options(unit_counter=2**63)}, "unitCounter"),
        ({"options": Options(text="secret" * 43)}, "text"),
        ({"options": Options(customer_information="é" * 129)}, "customerInformation"),
        ({"options": Options(activation_time=datetime(2026, 1, 1))}, "activationTime"),  # noqa: DTZ001  what is refused
        ({"options": Options(maintenance_end=datetime(1, 1, 1, tzinfo=UTC))}, "maintenanceEnd"),
    ],
)
def test_a_licence_that_a_file_cannot_hold_is_not_rendered(refused: Refused, change: dict, name: str) -> None:
    error = refused(render_state, (replace(vendor.entry(), **change),))
    assert error.code == "ValueWrong"
    assert str(error).startswith(f"{name} must be ")
    assert "secret" not in str(error)


def test_a_listing_out_of_order_is_not_rendered(refused: Refused) -> None:
    for state in [(vendor.entry("B"), vendor.entry("A")), (vendor.entry("A"), vendor.entry("A"))]:
        assert refused(render_state, state).code == "ValueWrong"


def test_an_update_without_steps_is_not_rendered(refused: Refused) -> None:
    assert refused(render_update, serial="130-1", firm_code=1, signed_steps=()).code == "ValueWrong"


def test_licences_are_sorted_by_code_point() -> None:
    state = tuple(vendor.entry(license_id) for license_id in ("Z", "a", "é", "\uffee", "\U00010000"))
    assert parse_state(render_state(state)) == state


def test_the_clock_is_written_in_whole_seconds_of_utc() -> None:
    there = datetime(2026, 1, 1, 1, 30, 59, 999999, tzinfo=timezone(timedelta(hours=2)))
    assert whole_second(there) == datetime(2025, 12, 31, 23, 30, 59, tzinfo=UTC)
