"""Every value that a file cannot hold is ContainerError ValueWrong when it is written, and is not told."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import vendor
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import (
    START,
    ContainerError,
    Context,
    Counter,
    Entry,
    Options,
    Seen,
    State,
    Step,
    StepKind,
    apply_step,
    diff_states,
    parse_step,
    render_context,
    render_state,
    render_step,
    render_update,
    software_serial,
    state_digest,
)

_STEP = Step(
    serial="130-1",
    firm_code=vendor.FIRM,
    kind=StepKind.DELTA,
    from_counter=START,
    to_counter=Counter(0, 1),
    digest_before=bytes(32),
    digest_after=bytes(32),
    seen=Seen(export=1, nonce=bytes(16)),
    issued=vendor.NOW,
    put=(vendor.entry("M"),),
    remove=(),
)
_CONTEXT = Context(
    serial="130-1",
    firm_code=vendor.FIRM,
    public_key=bytes(91),
    export=1,
    nonce=bytes(16),
    counter=START,
    listing=(),
    digest=state_digest(()),
    last_step=None,
    time=vendor.NOW,
)


def _outside(lowest: int, highest: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(max_value=lowest - 1), st.integers(min_value=highest + 1))


def _of_another_length(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=100).filter(lambda data: len(data) != length)


_FORBIDDEN = [chr(code) for code in (*range(9), 11, 12, *range(14, 32), 0xD800, 0xDBFF, 0xDFFF, 0xFFFE, 0xFFFF)]


def _spoiled(text: str, place: int, character: str) -> str:
    return text[:place] + character + text[place:]


_spoilt = st.builds(_spoiled, st.text(vendor.characters, max_size=60), st.integers(0, 60), st.sampled_from(_FORBIDDEN))
_names = st.one_of(st.just(""), st.text("ab", min_size=65, max_size=300), _spoilt)
_small_texts = st.one_of(st.text("ab", min_size=257, max_size=600), st.text("éß", min_size=129, max_size=256), _spoilt)
_times = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC), max_value=datetime(999, 12, 31)),  # noqa: DTZ001  the bound has no zone
    st.integers(1, 999_999).map(lambda micro: vendor.NOW.replace(microsecond=micro)),
    st.integers(1, 839).map(lambda minutes: vendor.NOW.astimezone(timezone(timedelta(minutes=minutes)))),
)
_serials = st.one_of(
    st.text(max_size=70).filter(lambda text: not text.replace("-", "").isdigit()),
    st.from_regex(r"\A[0-9]{4}-[0-9]\Z|\A[0-9]-[0-9]{65}\Z|\A-[0-9]\Z|\A[0-9]-\Z|\A130-1[ \n]\Z|\A130--1\Z"),
)
_counters = st.one_of(
    st.builds(Counter, _outside(0, 2**63 - 1), st.just(1)), st.builds(Counter, st.just(1), _outside(0, 2**63 - 1))
)
_seens = st.one_of(
    st.builds(Seen, export=_outside(1, 2**63 - 1), nonce=st.just(bytes(16))),
    st.builds(Seen, export=st.just(1), nonce=_of_another_length(16)),
)
_unordered = st.lists(st.sampled_from("ABC"), min_size=2, max_size=4).filter(
    lambda found: any(first >= second for first, second in itertools.pairwise(found))
)


def _changes(fields: dict[str, st.SearchStrategy]) -> st.SearchStrategy[dict]:
    return st.sampled_from(sorted(fields)).flatmap(lambda name: st.fixed_dictionaries({name: fields[name]}))


_OPTIONS = {
    "activation_time": _times,
    "expiration_time": _times,
    "usage_days": _outside(0, 2**31 - 1),
    "maintenance_start": _times,
    "maintenance_end": _times,
    "feature_map": _outside(0, 2**32 - 1),
    "unit_counter": _outside(0, 2**63 - 1),
    "text": _small_texts,
    "customer_information": _small_texts,
}
_ENTRY = {
    "license_id": _names,
    "generation": _outside(0, 2**31 - 1),
    "item_number": _names,
    "product_code": _outside(0, 2**32 - 1),
    "quantity": _outside(1, 2**31 - 1),
    "options": _changes(_OPTIONS).map(lambda change: Options(**change)),
}
_entries = _changes(_ENTRY).map(lambda change: replace(vendor.entry("M"), **change))
_steps = {
    "serial": _serials,
    "firm_code": _outside(1, 2**32 - 1),
    "from_counter": st.one_of(_counters, st.builds(Counter, st.integers(0, 9), st.integers(1, 9))),
    "to_counter": st.one_of(_counters, st.just(START)),
    "digest_before": _of_another_length(32),
    "digest_after": _of_another_length(32),
    "seen": _seens,
    "issued": _times,
    "put": st.one_of(
        _entries.map(lambda entry: (entry,)), _unordered.map(lambda names: tuple(map(vendor.entry, names)))
    ),
    "remove": st.one_of(_names.map(lambda name: (name,)), _unordered.map(tuple), st.just(("M",))),
}
_contexts = {
    "serial": _serials,
    "firm_code": _outside(1, 2**32 - 1),
    "export": _outside(1, 2**63 - 1),
    "nonce": _of_another_length(16),
    "counter": _counters,
    "listing": _entries.map(lambda entry: (entry,)),
    "digest": _of_another_length(32),
    "time": _times,
}


def _assert_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ContainerError) as caught:
        call()
    assert (caught.value.code, caught.value.line) == ("ValueWrong", None)
    # In words and numbers of the schema only.
    assert re.fullmatch("[A-Za-z]{2,20} must be [A-Za-z0-9 ,.-]{5,80}", str(caught.value))


@given(entry=_entries)
@pytest.mark.examples
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_no_licence_out_of_range_is_written(entry: Entry) -> None:
    _assert_refused(lambda: render_state((entry,)))


@given(change=_changes(_steps))
@pytest.mark.examples
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_no_step_out_of_range_is_written(change: dict) -> None:
    _assert_refused(lambda: render_step(replace(_STEP, **change)))


@given(change=_changes(_contexts))
@pytest.mark.examples
@settings(derandomize=True, deadline=None, max_examples=examples(100))
def test_no_context_out_of_range_is_written_nor_signed(change: dict) -> None:
    signed: list[bytes] = []

    def sign(info: bytes) -> bytes:
        signed.append(info)
        return bytes(64)

    _assert_refused(lambda: render_context(replace(_CONTEXT, **change), sign=sign))
    assert signed == []
    assert render_context(_CONTEXT, sign=sign).startswith(b"<context ")


@given(serial=_serials, firm_code=_outside(1, 2**32 - 1))
@settings(derandomize=True, deadline=None)
def test_no_update_out_of_range_is_written(serial: str, firm_code: int) -> None:
    _assert_refused(lambda: render_update(serial=serial, firm_code=1, signed_steps=(b"x",)))
    _assert_refused(lambda: render_update(serial="130-1", firm_code=firm_code, signed_steps=(b"x",)))


def test_the_bounds_themselves_are_written_and_read() -> None:
    top = Options(usage_days=2**31 - 1, feature_map=2**32 - 1, unit_counter=2**63 - 1, text="é" * 128)
    high = replace(
        vendor.entry("m" * 64, options=top), generation=2**31 - 1, product_code=2**32 - 1, quantity=2**31 - 1
    )
    zero = Options(usage_days=0, feature_map=0, unit_counter=0, text="", customer_information="")
    low = replace(vendor.entry("a", options=zero), generation=0, product_code=0, quantity=1)
    step = replace(
        _STEP,
        serial="999-" + "9" * 64,
        firm_code=2**32 - 1,
        from_counter=Counter(2**63 - 1, 2**63 - 2),
        to_counter=Counter(2**63 - 1, 2**63 - 1),
        seen=Seen(export=2**63 - 1, nonce=b"\xff" * 16),
        issued=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        put=(low, high),
    )
    for each in (step, replace(step, firm_code=1, issued=datetime(1000, 1, 1, tzinfo=UTC))):
        assert parse_step(render_step(each)) == each


@given(chain=st.lists(vendor.states, min_size=2, max_size=5))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_deltas_from_state_to_state_lead_along_the_chain_and_through_their_bytes(chain: list[State]) -> None:
    state = chain[0]
    for number, after in enumerate(chain[1:], 1):
        put, remove = diff_states(state, after)
        step = replace(
            _STEP, from_counter=Counter(1, number - 1), to_counter=Counter(1, number), put=put, remove=remove
        )
        state = apply_step(state, parse_step(render_step(step)))
        assert state == after
        assert state_digest(state) == state_digest(after)


@given(key=st.binary(min_size=1, max_size=100), place=st.integers(0, 99), bit=st.integers(0, 7))
@settings(derandomize=True)
def test_another_key_has_another_serial(key: bytes, place: int, bit: int) -> None:
    at = place % len(key)
    other = key[:at] + bytes([key[at] ^ 1 << bit]) + key[at + 1 :]
    assert software_serial(other) != software_serial(key)
