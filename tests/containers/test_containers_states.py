import hashlib
from collections.abc import Callable

import pytest
import vendor
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import (
    START,
    ContainerError,
    Counter,
    Options,
    Seen,
    State,
    Step,
    StepKind,
    apply_step,
    diff_states,
    parse_state,
    render_state,
    render_step,
    state_digest,
)

Refused = Callable[..., ContainerError]

# Few licence ids, so that two states share some.
_ids = st.sampled_from(["A", "B", "C", "D", "E"])
_entries = st.builds(vendor.entry, _ids, quantity=st.integers(1, 2), generation=st.integers(1, 2))
_states = st.lists(_entries, unique_by=lambda each: each.license_id).map(
    lambda found: tuple(sorted(found, key=lambda each: each.license_id))
)


def _step(kind: StepKind, put: State, remove: tuple[str, ...] = ()) -> Step:
    return Step(
        serial="130-1",
        firm_code=1,
        kind=kind,
        from_counter=START,
        to_counter=Counter(0, 1),
        digest_before=bytes(32),
        digest_after=bytes(32),
        seen=Seen(export=1, nonce=bytes(16)),
        issued=vendor.NOW,
        put=put,
        remove=remove,
    )


@given(before=_states, after=_states)
@settings(derandomize=True)
def test_a_delta_of_the_difference_leads_from_one_state_to_the_other(before: State, after: State) -> None:
    put, remove = diff_states(before, after)
    assert apply_step(before, _step(StepKind.DELTA, put, remove)) == after
    assert {entry.license_id for entry in put}.isdisjoint(remove)
    assert not set(put) & set(before)
    assert sorted(remove) == list(remove)


@given(before=_states, after=_states)
@settings(derandomize=True)
def test_a_reset_leads_from_every_state_to_its_own(before: State, after: State) -> None:
    assert apply_step(before, _step(StepKind.RESET, after)) == after


@given(first=_states, second=_states)
@settings(derandomize=True)
def test_two_states_have_one_digest_only_when_they_are_equal(first: State, second: State) -> None:
    assert (state_digest(first) == state_digest(second)) == (first == second)


def test_no_difference_is_no_change() -> None:
    state = (vendor.entry("A"), vendor.entry("B"))
    assert diff_states(state, state) == ((), ())


def test_removing_what_is_not_there_changes_nothing() -> None:
    state = (vendor.entry("A"),)
    assert apply_step(state, _step(StepKind.DELTA, (), ("B",))) == state


def test_the_listing_of_a_full_licence_is_exactly_this() -> None:
    options = Options(
        activation_time=vendor.NOW,
        expiration_time=vendor.NOW,
        usage_days=30,
        maintenance_start=vendor.NOW,
        maintenance_end=vendor.NOW,
        feature_map=5,
        unit_counter=7,
        text="a & b\r",
        customer_information="",
    )
    data = render_state((vendor.entry(options=options),))
    time = b"2026-11-24T12:00:00Z"
    assert data == (
        b'<listing xmlns="urn:opendepot:container:1"><license><licenseId>L1</licenseId><generation>1</generation>'
        b"<itemNumber>CAD-PRO</itemNumber><productCode>13</productCode><quantity>1</quantity><options>"
        b"<activationTime>%b</activationTime><expirationTime>%b</expirationTime><usageDays>30</usageDays>"
        b"<maintenanceStart>%b</maintenanceStart><maintenanceEnd>%b</maintenanceEnd><featureMap>5</featureMap>"
        b"<unitCounter>7</unitCounter><text>a &amp; b&#xD;</text><customerInformation></customerInformation>"
        b"</options></license></listing>"
    ) % (time, time, time, time)
    assert state_digest((vendor.entry(options=options),)) == hashlib.sha256(data).digest()


def test_the_empty_listing_is_exactly_this() -> None:
    assert render_state(()) == b'<listing xmlns="urn:opendepot:container:1"></listing>'


_LISTING = render_state((vendor.entry("A", options=Options(text="secret")), vendor.entry("B")))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"</listing>", b"", "StateMalformed"),
        (b"<listing ", b"<!DOCTYPE listing><listing ", "StateMalformed"),
        (b"urn:opendepot:container:1", b"urn:opendepot:container:2", "StateInvalid"),
        (b"<generation>1</generation>", b"", "StateInvalid"),
        (b"<quantity>1<", b"<quantity>0<", "StateInvalid"),
        (b"<quantity>1<", b"<quantity>+1<", "StateInvalid"),
        (b"<quantity>1<", b"<quantity> 1<", "StateInvalid"),
        (b"<quantity>1<", b"<quantity>01<", "StateInvalid"),
        (b"<quantity>", b"<quantity >", None),
        (b"<text>secret<", b"<text>&#115;ecret<", None),
        (b"<text>secret<", b"<text><![CDATA[secret]]><", None),
        (b"<text>secret<", b"<text>se<!-- -->cret<", None),
        (b"<text>secret<", b"<text>" + "é".encode() * 129 + b"<", "StateInvalid"),
        (b"<licenseId>A<", b"<licenseId>B<", "StateInvalid"),
        (b"<licenseId>A<", b"<licenseId>C<", "StateInvalid"),
        (b"</license>", b"</license>\n", "StateInvalid"),
        (b"<options>", b'<options xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="false">', "StateInvalid"),
    ],
)
def test_a_listing_is_read_only_in_its_one_form(refused: Refused, old: bytes, new: bytes, code: str | None) -> None:
    data = _LISTING.replace(old, new, 1)
    assert data != _LISTING
    if code is None:
        assert render_state(parse_state(data)) == _LISTING
    else:
        error = refused(parse_state, data)
        assert error.code == code
        assert "secret" not in str(error)


def test_another_root_is_not_a_listing(refused: Refused) -> None:
    assert refused(parse_state, render_step(_step(StepKind.RESET, ()))).code == "StateInvalid"
