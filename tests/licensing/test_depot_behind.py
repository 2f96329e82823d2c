"""The server was restored from a backup, and containers know more than it does (transfer protocol, section 5)."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rules import FIRM, World, held

from containers import read_context, read_update
from licensing.errors import NothingFree
from storage import open_storage

SUMS = "SELECT sum(wanted), sum(occupied), sum(confirmed) FROM placements"


def saved(world: World, name: str = "backup.db") -> Path:
    with (
        closing(sqlite3.connect(world.folder / "depot.db")) as now,
        closing(sqlite3.connect(world.folder / name)) as backup,
    ):
        now.backup(backup)
    return world.folder / name


async def put_back(world: World, backup: Path) -> None:
    """Stop the server, put a backup in place of its database, and start it again: nobody tells it."""
    await world.storage.close()
    for path in world.folder.glob("depot.db*"):
        path.unlink()
    with closing(sqlite3.connect(backup)) as old, closing(sqlite3.connect(world.folder / "depot.db")) as new:
        old.backup(new)
    world.storage = await open_storage(world.folder / "depot.db")


def heard(world: World) -> list[str]:
    names: list[str] = []
    world.alarms.listen(lambda name, _fields: names.append(name))
    return names


async def test_trace_8_what_was_loaded_after_the_backup_stays_and_no_counter_is_used_twice(world: World) -> None:
    order, container = await world.order(3), world.container()
    await world.collected(order, container, (0, 1))
    backup = saved(world)
    lost = (await world.ask(order, container.context(FIRM), (0, 2))).update or b""
    container.import_update(lost)
    await put_back(world, backup)
    alarms = heard(world)
    answer = await world.ask(order, container.context(FIRM), (0, 3))
    assert (answer.state, alarms) == ("ExportAgain", ["new_epoch", "server_behind"])
    assert world.sql("SELECT wanted, occupied, confirmed FROM placements") == [(2, 2, 2)]
    steps = {step.step.to_counter for step in read_update(answer.update or b"").steps}
    assert steps.isdisjoint(step.step.to_counter for step in read_update(lost).steps)
    container.import_update(answer.update or b"")
    await world.collected(order, container, (0, 3))
    assert held(container) == 3
    assert world.sql("SELECT mark FROM containers") == [("ok",)]


async def test_a_receipt_is_enough_to_be_behind(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.collected(order, container, (0, 1))
    backup = saved(world)
    receipt = container.import_update((await world.ask(order, container.context(FIRM))).update or b"").receipt
    await put_back(world, backup)
    assert await world.confirm(receipt) == "ExportAgain"
    assert world.sql(SUMS) == [(2, 2, 2)]
    answer = await world.ask(order, container.context(FIRM))
    container.import_update(answer.update or b"")
    assert (held(container), await world.confirm(container.context(FIRM))) == (2, "Confirmed")


async def test_trace_17_a_container_that_the_backup_does_not_know_and_two_restores_in_a_row(world: World) -> None:
    order = await world.order(2)
    backup = saved(world)
    container = world.container()
    await world.collected(order, container, (0, 1))
    for _ in range(2):
        await put_back(world, backup)
        answer = await world.ask(order, container.context(FIRM), (0, 2))
        assert answer.state == "ExportAgain"
        container.import_update(answer.update or b"")
        assert (held(container), await world.confirm(container.context(FIRM))) == (1, "Confirmed")
        assert world.sql(SUMS) == [(1, 1, 1)]
    await world.collected(order, container)
    assert held(container) == 2


async def test_trace_17_a_delayed_request_for_a_lost_container(world: World) -> None:
    order, container = await world.order(1), world.container()
    delayed = container.context(FIRM)
    await world.collected(order, container)
    await world.losses().declare_lost(container.serial, FIRM, reason="r", actor="cli")
    assert (await world.ask(order, delayed)).state == "Lost"
    second = world.container("c2")
    await world.collected(order, second)
    answer = await world.ask(order, container.context(FIRM))
    container.import_update(answer.update or b"")
    assert (held(container), await world.confirm(container.context(FIRM))) == (0, "Confirmed")
    assert world.sql(SUMS) == [(1, 1, 1)]


async def test_a_delayed_context_of_a_forgotten_step_does_not_turn_the_server_back(world: World) -> None:
    order, container = await world.order(3), world.container()
    backup = saved(world)
    await world.collected(order, container, (0, 1))
    delayed = container.context(FIRM)
    await world.collected(order, container, (0, 2))
    await put_back(world, backup)
    answer = await world.ask(order, container.context(FIRM))
    container.import_update(answer.update or b"")
    assert (await world.ask(order, delayed)).state == "ExportAgain"
    assert world.sql(SUMS) == [(2, 2, 2)]
    assert (await world.ask(order, container.context(FIRM))).state == "Done"


async def test_a_removal_that_the_backup_knows_stays_due(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.collected(order, container, (0, 2))
    returned = (await world.return_to_depot(order, container.context(FIRM))).update or b""
    backup = saved(world)
    other = await world.order(1)
    answer = await world.ask(other, container.context(FIRM))
    await put_back(world, backup)
    assert read_update(answer.update or b"").steps
    container.import_update(answer.update or b"")
    assert held(container) == 1, "two given back, one that only the container knows"
    answer = await world.ask(order, container.context(FIRM), (0, 1))
    container.import_update(answer.update or b"")
    assert held(container) == 1, "an entry that no record is about is kept"
    assert await world.confirm(container.context(FIRM)) == "Confirmed"
    await world.collected(order, container)
    assert held(container) == 3
    container.import_update(returned)


async def test_pieces_beyond_the_quantity_give_out_nothing(world: World) -> None:
    order, first, second = await world.order(1), world.container("c1"), world.container("c2")
    backup = saved(world)
    await world.collected(order, first)
    await put_back(world, backup)
    await world.collected(order, second)
    answer = await world.ask(order, first.context(FIRM))
    assert answer.state == "ExportAgain"
    first.import_update(answer.update or b"")
    assert world.sql(SUMS)[0][0] == 2, "both hold it: that is a fact"
    with pytest.raises(NothingFree):
        await world.ask(order, world.container("c3").context(FIRM))
    assert (await world.ask(order, first.context(FIRM), (0, 1))).state == "NothingNew"
    returned = await world.return_to_depot(order, first.context(FIRM))
    await world.confirm(first.import_update(returned.update or b"").receipt)
    with pytest.raises(NothingFree):
        await world.ask(order, world.container("c4").context(FIRM))
    assert world.sql(SUMS) == [(1, 1, 1)]


async def test_a_later_date_in_the_container_wins(world: World) -> None:
    await world.catalogue().add_item(
        item_number="D", firm_code=FIRM, product_code=1, options=("expirationTime=2027-01-01",)
    )
    order, container = await world.order(1, item="D"), world.container()
    await world.collected(order, container)
    backup = saved(world)
    world.sql(
        "UPDATE licenses SET options = replace(options, '2027', '2028'), version = version + 1 WHERE item_number = 'D'"
    )
    container.import_update((await world.ask(order, container.context(FIRM))).update or b"")
    await put_back(world, backup)
    for _ in range(2):
        answer = await world.ask(order, container.context(FIRM), (0, 1))
        if answer.update:
            container.import_update(answer.update)
    (entry,) = container.listing(FIRM)
    assert str(entry.options.expiration_time).startswith("2028-01-01")


async def test_a_step_of_another_vendor_or_of_none_is_no_reason_to_be_behind(world: World) -> None:
    order, container = await world.order(1), world.container()
    backup = saved(world)
    await world.collected(order, container)
    await put_back(world, backup)
    stranger = replace(world.carrier(), trust=())
    depot = type(world.depot())(carrier=stranger, vault=world.vault)
    confirmation = await depot.confirm_license_update(receipt=container.context(FIRM))
    assert confirmation.state == "Marked"
    assert read_context(container.context(FIRM)).last_step is not None


async def test_a_container_that_was_found_and_went_on_after_the_backup_is_believed(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.collected(order, container)
    await world.losses().declare_lost(container.serial, FIRM, reason="stolen", actor="support")
    removal = await world.ask(order, container.context(FIRM))
    backup = saved(world)
    assert await world.confirm(container.import_update(removal.update or b"").receipt) == "Confirmed"
    await world.collected(order, container, (0, 1))
    await put_back(world, backup)
    alarms = heard(world)
    answer = await world.ask(order, container.context(FIRM))
    assert (answer.state, alarms) == ("ExportAgain", ["new_epoch", "server_behind"])
    assert world.sql("SELECT mark FROM containers") == [("ok",)]
    assert world.sql(SUMS) == [(1, 1, 1)]
    container.import_update(answer.update or b"")
    await world.collected(order, container)
    assert held(container) == 2


async def test_a_lost_container_is_not_believed_before_it_has_loaded_its_removal(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.collected(order, container, (0, 1))
    backup = saved(world)
    container.import_update((await world.ask(order, container.context(FIRM))).update or b"")
    await put_back(world, backup)
    await world.losses().declare_lost(container.serial, FIRM, reason="stolen", actor="support")
    for _ in range(2):
        answer = await world.ask(order, container.context(FIRM))
        assert (answer.state, world.sql(SUMS)) == ("Lost", [(0, 0, 0)])
    assert await world.confirm(container.import_update(answer.update or b"").receipt) == "Confirmed"
    assert held(container) == 0
