"""The transfer protocol's pure functions: each rule of the judgement in its order, chains, files, placements."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import (
    START,
    Context,
    Counter,
    Entry,
    Options,
    Seen,
    SignedStep,
    Step,
    StepKind,
    render_state,
    software_serial,
    state_digest,
)
from licensing.transfers.chain import Wanted, file_steps, occupied, states_from_confirmed, vendor_state
from licensing.transfers.judgement import Case, Verdict, judge, newest, unknown_container
from licensing.transfers.planning import Plan, Target, Wish, plan_receipt, plan_update
from storage.commands import TransferView
from storage.records import ContainerRow, ContextRow, License, LicenseUse, Placement, StepRow, Ticket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"public key"
SERIAL, FIRM, EPOCH = software_serial(KEY), 10, 1000


def entry(name: str, quantity: int) -> Entry:
    return Entry(license_id=name, generation=1, item_number="A", product_code=1, quantity=quantity, options=Options())


def at(number: int) -> Counter:
    return Counter(EPOCH, number) if number else START


STATES = ((), (), (entry("l", 1),), (entry("l", 2),), (entry("l", 1),))
"""What the chain holds at its points: the empty beginning, the reset, one piece, two, one."""


def step(number: int) -> StepRow:
    return StepRow(
        serial=SERIAL,
        firm_code=FIRM,
        counter=at(number),
        from_counter=at(number - 1),
        kind="Reset" if number == 1 else "Delta",
        digest_before=state_digest(STATES[number - 1]),
        digest_after=state_digest(STATES[number]),
        state_after=render_state(STATES[number]),
        content=b"",
        signed=b"",
        issued_at=NOW,
    )


def context(number: int, *, export: int = 9, nonce: bytes = b"n" * 16, last_step: SignedStep | None = None) -> Context:
    state = STATES[number] if number < len(STATES) else (entry("l", number),)
    return Context(
        serial=SERIAL,
        firm_code=FIRM,
        public_key=KEY,
        export=export,
        nonce=nonce,
        counter=at(number),
        listing=state,
        digest=state_digest(state),
        last_step=last_step,
        time=NOW,
    )


def row(*, confirmed: int = 2, end: int = 4, base: int = 1) -> ContainerRow:
    return replace(
        unknown_container(context(0)),
        version=1,
        epoch=EPOCH,
        base=at(base),
        confirmed=at(confirmed),
        confirmed_state=render_state(STATES[confirmed]),
        end=at(end),
        end_state=render_state(STATES[end]),
        newest_export=8,
        newest_nonce=b"8",
    )


def received(seen: Context) -> ContextRow:
    return ContextRow(
        serial=SERIAL,
        firm_code=FIRM,
        export=seen.export,
        nonce=seen.nonce,
        counter=seen.counter,
        digest=seen.digest,
        received_at=NOW,
    )


def view(
    now: Context, container: ContainerRow, *before: Context, licenses: tuple[LicenseUse, ...] = ()
) -> TransferView:
    """What storage answers: of the contexts before, at counters from base on, the nearest three."""
    rows = sorted((received(x) for x in before if x.counter >= container.base), key=lambda x: x.export)
    same = [x for x in rows if x.export == now.export]
    below = [x for x in rows if x.export < now.export]
    above = [x for x in rows if x.export > now.export]
    kept = [step(number) for number in range(1, 5)]
    return TransferView(
        container=container,
        current_epoch=EPOCH,
        same_export=same[0] if same else None,
        export_below=below[-1] if below else None,
        export_above=above[0] if above else None,
        steps=tuple(x for x in kept if x.counter > container.confirmed),
        at_context=next((x for x in kept if x.counter == now.counter), None),
        transfer=None,
        ticket=Ticket(ticket_id="t", lookup=b"", sealed=b"", created_at=NOW),
        licenses=licenses,
        placements=(),
    )


def verdict(now: Context, container: ContainerRow, *before: Context, ours: bool = False) -> Verdict:
    return judge(Case(view=view(now, container, *before), container=container, context=now, ours=lambda _step: ours))


def last_step(number: int, **other: object) -> SignedStep:
    made = Step(
        serial=SERIAL,
        firm_code=FIRM,
        kind=StepKind.DELTA,
        from_counter=at(number - 1),
        to_counter=at(number),
        digest_before=bytes(32),
        digest_after=context(number).digest,
        seen=Seen(export=1, nonce=bytes(16)),
        issued=NOW,
        put=(),
        remove=(),
    )
    return SignedStep(step=replace(made, **other), data=b"", certificate=b"")  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [2, 3, 4])
def test_at_or_behind_the_confirmed_point_of_the_chain_it_is_a_receipt(number: int) -> None:
    assert verdict(context(number), row()) is Verdict.RECEIPT


@pytest.mark.parametrize("number", [0, 1])
def test_before_the_confirmed_point_where_a_kept_step_fits_it_is_late(number: int) -> None:
    assert verdict(context(number), row()) is Verdict.LATE


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
def test_with_another_state_than_the_chain_s_at_its_counter_it_is_unknown(number: int) -> None:
    other = (entry("x", 7),)
    wrong = replace(context(number), listing=other, digest=state_digest(other))
    assert verdict(wrong, row()) is Verdict.UNKNOWN


def test_a_new_container_says_that_it_is_empty() -> None:
    new = unknown_container(context(0))
    assert verdict(context(0), new) is Verdict.RECEIPT
    wrong = replace(context(3), counter=START)
    assert verdict(wrong, new) is Verdict.UNKNOWN


def test_a_step_of_ours_that_the_chain_does_not_have_shows_that_the_server_is_behind() -> None:
    ahead = context(5, last_step=last_step(5))
    assert verdict(ahead, row(), ours=True) is Verdict.SERVER_BEHIND
    assert verdict(ahead, row(), ours=False) is Verdict.UNKNOWN
    assert verdict(context(5), row(), ours=True) is Verdict.UNKNOWN, "without a step it shows nothing"
    for unfit in (
        {"serial": "130-1"},
        {"firm_code": FIRM + 1},
        {"to_counter": at(6)},
        {"digest_after": bytes(32)},
    ):
        assert verdict(context(5, last_step=last_step(5, **unfit)), row(), ours=True) is Verdict.UNKNOWN


def test_where_the_chain_has_the_context_it_is_not_asked_whose_its_last_step_is() -> None:
    for number, expected in ((1, Verdict.LATE), (3, Verdict.RECEIPT)):
        assert verdict(context(number, last_step=last_step(number)), row(), ours=True) is expected


def test_the_same_export_with_other_content_or_against_the_order_of_counters_shows_two_copies() -> None:
    now = context(3, export=9, nonce=b"n" * 16)
    for before in (
        context(3, export=9, nonce=b"m"),
        context(2, export=9, nonce=b"n" * 16),
        replace(now, digest=bytes(32)),
        context(4, export=8),
        context(2, export=10),
    ):
        assert verdict(now, row(), before) is Verdict.TWO_COPIES
    for before in (now, context(3, export=8), context(2, export=8), context(3, export=10), context(4, export=10)):
        assert verdict(now, row(), before) is Verdict.RECEIPT


def test_two_copies_are_told_first_even_where_the_server_is_behind() -> None:
    ahead = context(5, export=9, last_step=last_step(5))
    assert verdict(ahead, row(), context(4, export=9, nonce=b"m"), ours=True) is Verdict.TWO_COPIES


def test_what_stands_below_the_last_reset_is_not_compared() -> None:
    assert verdict(context(2, export=12), row(confirmed=3, base=3), context(3, export=11)) is Verdict.LATE
    assert verdict(context(3, export=11), row(confirmed=3, base=3), context(2, export=11)) is Verdict.RECEIPT


@settings(derandomize=True, max_examples=300)
@given(rises=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1)), min_size=1, max_size=8), order=st.randoms())
def test_an_honest_container_is_never_taken_for_two_in_whatever_order_its_contexts_come(
    rises: list[tuple[int, int]], order: object
) -> None:
    export, number, sent = 0, 1, []
    for more_exports, more_steps in rises:
        export, number = export + more_exports, min(number + more_steps, 4)
        sent.append(context(number, export=export, nonce=str(export).encode()))
    order.shuffle(sent)  # type: ignore[attr-defined]
    for place, now in enumerate(sent):
        assert verdict(now, row(confirmed=1), *sent[:place]) is not Verdict.TWO_COPIES


def test_the_newest_context_has_the_highest_export_and_stands_at_base_or_above() -> None:
    container = row()
    assert newest(container, context(3, export=9)) == (9, b"n" * 16)
    assert newest(container, context(3, export=8)) == (8, b"8")
    assert newest(container, context(3, export=7)) == (8, b"8")
    assert newest(container, context(0, export=99)) == (8, b"8"), "it may be a copy's"


def test_a_file_begins_behind_the_context_or_at_the_last_reset_behind_it() -> None:
    steps = [step(number) for number in range(1, 5)]

    def file(after: int, to: int) -> list[int]:
        return [x.counter[1] for x in file_steps(steps, after=at(after), to=at(to))]

    assert file(0, 4) == [1, 2, 3, 4]
    assert file(1, 3) == [2, 3]
    assert file(4, 4) == []
    steps[2] = replace(steps[2], kind="Reset")
    assert file(0, 4) == [3, 4]
    assert file(2, 4) == [3, 4]
    assert file(3, 4) == [4]
    assert file(0, 2) == [1, 2]


def test_occupied_is_the_most_that_any_state_from_the_confirmed_point_on_grants() -> None:
    steps = [step(number) for number in range(1, 5)]
    assert states_from_confirmed(row(confirmed=2), steps) == [STATES[2], STATES[3], STATES[4]]
    assert occupied(STATES) == {"l": 2}
    assert occupied(states_from_confirmed(row(confirmed=4), steps)) == {"l": 1}
    assert occupied([()]) == {}


def use(name: str, *, quantity: int = 5, wanted: int = 0, occupied: int = 0, firm_code: int = FIRM) -> LicenseUse:
    license_ = License(
        license_id=name,
        order_id="o",
        line_number=1,
        ticket_id="t",
        item_number="A",
        firm_code=firm_code,
        product_code=1,
        quantity=quantity,
        generation=1,
        options="{}",
        extends_license_id=None,
        withdrawn=False,
        version=1,
        created_at=NOW,
    )
    return LicenseUse(license=license_, wanted=wanted, occupied=occupied, confirmed=0)


def placement(name: str, wanted: int, occupied: int, confirmed: int) -> Placement:
    return Placement(license_id=name, serial=SERIAL, wanted=wanted, occupied=occupied, confirmed=confirmed)


def test_the_vendor_state_is_what_is_wanted_sorted_by_licence() -> None:
    uses = (use("b"), use("a"), use("c"))
    assert vendor_state({"b": 2, "a": 1, "c": 0}, uses, {}) == (entry("a", 1), entry("b", 2))


def test_placements_are_written_where_they_change_and_never_for_what_was_never_here() -> None:
    known = [use("l"), use("gone"), use("elsewhere"), use("same")]
    before = [placement("l", 1, 1, 0), placement("gone", 0, 1, 1), placement("same", 0, 0, 0)]
    wanted = Wanted(quantities={"l": 1})
    assert wanted.placements(serial=SERIAL, states=[STATES[2], STATES[3]], before=before, known=known) == (
        placement("gone", 0, 0, 0),
        placement("l", 1, 2, 1),
    )


def test_a_receipt_moves_the_confirmed_point_and_frees_what_lies_before_it() -> None:
    now, container = context(4), row()
    seen = replace(view(now, container, licenses=(use("l", occupied=2),)), placements=(placement("l", 1, 2, 1),))
    plan = plan_receipt(container, now, seen)
    assert (plan.container.confirmed, plan.container.newest_export) == (at(4), 9)
    assert plan.placements == (placement("l", 1, 1, 1),)
    assert plan.steps == ()


def planned(here: Placement | None, license_: LicenseUse, quantity: int | None, *, number: int = 4) -> Plan:
    now, container = context(number), row(confirmed=number)
    seen = replace(view(now, container, licenses=(license_,)), placements=() if here is None else (here,))
    return plan_update(
        container, now, seen, Wish(ticket_id="t", targets=(Target(license_id="l", quantity=quantity),)), now=NOW
    )


@pytest.mark.parametrize(
    ("elsewhere_wanted", "elsewhere_occupied", "quantity", "expected"),
    [
        (0, 0, None, 5),
        (2, 2, None, 3),
        (0, 3, None, 2),
        (3, 0, None, 2),
        (4, 4, None, 1),
        (9, 9, None, 1),
        (2, 2, 3, 3),
        (2, 2, 4, None),
        (0, 3, 3, None),
        (3, 0, 3, None),
        (9, 9, 1, 1),
    ],
)
def test_a_raise_needs_room_in_both_sums_and_what_is_there_stays(
    elsewhere_wanted: int, elsewhere_occupied: int, quantity: int | None, expected: int | None
) -> None:
    license_ = use("l", wanted=1 + elsewhere_wanted, occupied=1 + elsewhere_occupied)
    plan = planned(placement("l", 1, 1, 1), license_, quantity)
    assert (plan.refusal is not None) == (expected is None)
    wanted = {x.license_id: x.wanted for x in plan.placements}
    assert wanted.get("l", 1) == (expected or 1)
    assert len(plan.steps) == (expected not in {None, 1})


def test_a_step_names_the_newest_context_and_the_point_that_it_starts_from() -> None:
    plan = planned(placement("l", 1, 1, 1), use("l", wanted=1, occupied=1), 3)
    (made,) = plan.steps
    assert (made.from_counter, made.counter, made.kind) == (at(4), at(5), "Delta")
    assert b"<export>9</export>" in made.content
    assert (plan.container.end, plan.container.end_state) == (at(5), render_state((entry("l", 3),)))
    assert plan.placements == (placement("l", 3, 3, 1),)
