"""The tables of states are total, every row of them can be reached, and no way leads out of them."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from licensing.lifecycle import ways
from licensing.placements import (
    LICENSE_STATES,
    PLACEMENT_STATES,
    LicenseFacts,
    LicenseState,
    PlacementFacts,
    PlacementState,
    state_of_license,
    state_of_placement,
)
from storage.records import Mark

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_each_state_has_one_row_and_the_last_always_holds() -> None:
    assert Counter(row.state for row in PLACEMENT_STATES) == Counter(PlacementState)
    assert Counter(row.state for row in LICENSE_STATES) == Counter(LicenseState)


def test_every_state_of_a_placement_is_reached_and_only_by_ways_between_states() -> None:
    found = list(ways())
    assert {after for _, _, after in found} == set(PlacementState)
    assert all(before is not after for before, _, after in found)


def test_nothing_pending_is_left_but_by_a_receipt_a_loss_or_the_same_container() -> None:
    pending = {PlacementState.WITHDRAW_PENDING, PlacementState.RETURN_PENDING}
    left = {event for before, event, after in ways() if before in pending and after not in pending}
    assert left == {"receipt", "declared lost", "collected"}
    withdrawn = {event for before, event, _ in ways() if before is PlacementState.WITHDRAW_PENDING}
    assert withdrawn == {"receipt", "declared lost"}


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.booleans(), st.sampled_from(Mark))
def test_any_facts_have_a_state(wanted: int, occupied: int, confirmed: int, withdrawn: bool, mark: Mark) -> None:
    facts = PlacementFacts(wanted=wanted, occupied=occupied, confirmed=confirmed, withdrawn=withdrawn, mark=mark)
    state = state_of_placement(facts)
    assert (state is PlacementState.LOST) == (mark is Mark.LOST)
    if state is PlacementState.RETURNED:
        assert (wanted, occupied) == (0, 0)


def test_the_state_of_a_licence_is_the_first_row_that_holds() -> None:
    everything = LicenseFacts(quantity=1, wanted=1, withdrawn=True, replaced=True, expires=NOW, now=NOW)
    assert state_of_license(everything) == "Withdrawn"
    assert state_of_license(LicenseFacts(quantity=1, wanted=1, replaced=True, expires=NOW, now=NOW)) == "Replaced"
    assert state_of_license(LicenseFacts(quantity=1, wanted=1, expires=NOW, now=NOW)) == "Expired"
    assert state_of_license(LicenseFacts(quantity=2, wanted=1, expires=NOW)) == "PartlyCollected"
