"""A checkpoint moves with contact, only with contact, and not with every contact."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules import FIRM, World

from containers import Container, Entry, Options
from licensing.transfers.checkpoints import with_checkpoints

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(days: int | None, time: datetime | None = None, license_id: str = "l") -> Entry:
    return Entry(
        license_id=license_id,
        generation=1,
        item_number="A",
        product_code=1,
        quantity=1,
        options=Options(checkpoint_days=days, checkpoint_time=time),
    )


def checkpoint(container: Container) -> datetime:
    (found,) = container.listing(FIRM)
    assert found.options.checkpoint_time is not None
    return found.options.checkpoint_time


async def test_a_contact_moves_the_checkpoint_when_half_of_the_time_is_over(world: World) -> None:
    await world.catalogue().add_item(item_number="C", firm_code=FIRM, product_code=1, options=("checkpoint=30d",))
    order, container = await world.order(1, item="C"), world.container()
    container.import_update((await world.ask(order, container.context(FIRM))).update or b"")
    first = checkpoint(container)
    assert first - world.now < 30 * DAY < first - world.now + DAY
    world.now += 10 * DAY
    assert (await world.ask(order, container.context(FIRM))).state == "NothingNew"
    world.now += 6 * DAY
    answer = await world.ask(order, container.context(FIRM))
    container.import_update(answer.update or b"")
    assert checkpoint(container) - first > 15 * DAY
    assert await world.confirm(container.context(FIRM)) == "Confirmed"
    assert (await world.ask(order, container.context(FIRM))).state == "NothingNew"


@pytest.mark.parametrize(
    ("held", "days_left"),
    [(None, 30), (-5, 30), (14, 30), (16, 16), (30, 30), (31, 30)],
)
def test_where_a_checkpoint_goes(held: int | None, days_left: int) -> None:
    before = () if held is None else (entry(30, NOW + held * DAY),)
    (found,) = with_checkpoints((entry(30),), held=before, now=NOW)
    assert found.options.checkpoint_time == NOW + days_left * DAY


@given(st.none() | st.integers(1, 100), st.integers(-10, 200), st.integers(0, 30))
def test_asked_again_at_once_nothing_moves_and_it_is_never_further_than_its_days(
    days: int | None, held: int, later: int
) -> None:
    once = with_checkpoints((entry(days),), held=(entry(days, NOW + held * DAY),), now=NOW)
    assert with_checkpoints((entry(days),), held=once, now=NOW) == once
    for state, at in (
        (once, NOW),
        (with_checkpoints((entry(days),), held=once, now=NOW + later * DAY), NOW + later * DAY),
    ):
        time = state[0].options.checkpoint_time
        assert (time is None) == (days is None)
        if time is not None and days is not None:
            assert days * DAY / 2 < time - at <= days * DAY
