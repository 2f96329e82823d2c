"""The journal: durable lines that several processes append, and what a replay brings back after a restore."""

import hashlib
import json
import multiprocessing
from pathlib import Path

import pytest
from rules import FIRM, World, held
from test_depot_behind import put_back, saved

from licensing.errors import JournalDamaged, JournalUnwritable, NothingFree
from licensing.replaying import Replayed, Replaying
from licensing.transfers.journal import Journal, append_durably, read_journal

SUMS = "SELECT sum(wanted), sum(occupied), sum(confirmed) FROM placements"


@pytest.fixture
def journaled(world: World) -> World:
    world.journal = Journal(world.folder / "journal")
    return world


async def replayed(world: World) -> Replayed:
    return await Replaying(carrier=world.carrier()).replay(read_journal(world.folder / "journal"))


async def test_after_a_replay_nothing_is_doubled_and_nobody_is_ahead(journaled: World) -> None:
    world = journaled
    order, first, second = await world.order(1), world.container("c1"), world.container("c2")
    backup = saved(world)
    await world.collected(order, first)
    await put_back(world, backup)
    assert await replayed(world) == Replayed(applied=1)
    assert await replayed(world) == Replayed(known=1), "once"
    assert world.sql(SUMS) == [(1, 1, 0)]
    heard: list[str] = []
    world.alarms.listen(lambda name, _fields: heard.append(name))
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    assert await world.confirm(first.context(FIRM)) == "Confirmed"
    assert (await world.ask(order, first.context(FIRM))).state == "NothingNew"
    assert (heard, held(first)) == ([], 1)


async def test_a_replay_brings_back_returns_losses_and_rejoinings(journaled: World) -> None:
    world = journaled
    order, first, second = await world.order(2), world.container("c1"), world.container("c2")
    await world.collected(order, first, (0, 1))
    backup = saved(world)
    await world.collected(order, first, (0, 2))
    await put_back(world, backup)
    answer = await world.ask(order, first.context(FIRM))
    assert answer.state == "ExportAgain"
    await world.confirm(first.import_update(answer.update or b"").receipt)
    returned = (await world.return_to_depot(order, first.context(FIRM))).update or b""
    await world.confirm(first.import_update(returned).receipt)
    await world.collected(order, second)
    await world.losses().declare_lost(second.serial, FIRM, reason="r", actor="cli")
    removal = (await world.ask(order, second.context(FIRM))).update or b""
    state = "SELECT serial, mark, end_epoch, end_number, healing_export IS NULL FROM containers ORDER BY serial"
    steps = "SELECT serial, epoch, number, signed FROM steps ORDER BY serial, epoch, number"
    sums = "SELECT license_id, serial, wanted FROM placements WHERE wanted > 0"
    expected = [world.sql(query) for query in (state, steps, sums)]
    await put_back(world, backup)
    done = await replayed(world)
    assert done.contradicted == 0
    found = [world.sql(query) for query in (state, steps, sums)]
    assert set(expected[1]) <= set(found[1]), "and the step that only the container had kept"
    assert found[0] == expected[0]
    assert found[2] == expected[2]
    assert (await replayed(world)).applied == 0
    second.import_update(removal)
    assert await world.confirm(second.context(FIRM)) == "Confirmed"


async def test_what_a_lost_container_was_given_after_it_was_found_is_counted_after_a_replay(journaled: World) -> None:
    world = journaled
    order, first, second = await world.order(2), world.container("c1"), world.container("c2")
    await world.collected(order, first, (0, 1))
    await world.losses().declare_lost(first.serial, FIRM, reason="r", actor="cli")
    backup = saved(world)
    removal = (await world.ask(order, first.context(FIRM))).update or b""
    assert await world.confirm(first.import_update(removal).receipt) == "Confirmed", "found, and not lost any more"
    await world.collected(order, first, (0, 2))
    await put_back(world, backup)
    await replayed(world)
    assert world.sql("SELECT mark FROM containers") == [("ok",)]
    assert world.sql(SUMS) == [(2, 2, 0)]
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    assert await world.confirm(first.context(FIRM)) == "Confirmed"
    assert (await world.ask(order, first.context(FIRM))).state == "NothingNew"
    assert (held(first), world.sql(SUMS)) == (2, [(2, 2, 2)])


async def test_a_replay_stores_the_bytes_that_were_sent_for_a_step_that_the_backup_has_unsigned(
    journaled: World,
) -> None:
    world = journaled
    order, container = await world.order(1), world.container()
    update = (await world.ask(order, container.context(FIRM))).update
    signed = world.sql("SELECT signed FROM steps ORDER BY number")
    await world.storage.close()
    world.sql("DROP TRIGGER steps_are_signed_once")
    world.sql("UPDATE steps SET signed = NULL")
    await put_back(world, saved(world))
    assert await replayed(world) == Replayed(applied=1)
    assert world.sql("SELECT signed FROM steps ORDER BY number") == signed
    container.import_update(update or b"")


async def test_a_server_that_went_on_before_the_replay_is_told_of_it(journaled: World) -> None:
    world = journaled
    order, container = await world.order(3), world.container()
    await world.collected(order, container, (0, 1))
    backup = saved(world)
    context = container.context(FIRM)
    await world.ask(order, context, (0, 2))
    await put_back(world, backup)
    world.journal = None
    await world.ask(order, context, (0, 3))
    assert (await replayed(world)).contradicted == 1


async def test_without_a_journal_nothing_leaves(world: World) -> None:
    order, container = await world.order(1), world.container()
    world.journal = Journal(world.folder / "missing" / "journal")
    context = container.context(FIRM)
    with pytest.raises(JournalUnwritable):
        await world.ask(order, context)
    world.journal = Journal(world.folder / "journal")
    answer = await world.ask(order, context)
    assert held(container) == 0
    container.import_update(answer.update or b"")
    steps = world.sql("SELECT count(*) FROM steps")[0][0]
    assert len(list(read_journal(world.folder / "journal"))) == steps, "what is sent is in the journal"


def test_a_line_that_a_crash_cut_off_is_left_out_and_then_written_over(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    line = json.dumps({"kind": "Lost", "serial": "130-1", "firmCode": 1, "publicKey": ""}).encode()
    whole = _line(line)
    append_durably(path, whole)
    with path.open("ab") as file:
        file.write(whole[:-9])
    assert len(list(read_journal(path))) == 1
    append_durably(path, whole)
    assert len(list(read_journal(path))) == 2
    path.write_bytes(path.read_bytes().replace(b"130-1", b"130-2", 1))
    with pytest.raises(JournalDamaged, match="line 1"):
        list(read_journal(path))


def _line(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode() + b" " + text + b"\n"


def _append(path: str, count: int) -> None:
    line = _line(json.dumps({"kind": "Lost", "serial": "130-1", "firmCode": 1, "publicKey": ""}).encode())
    for _ in range(count):
        append_durably(Path(path), line)


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    processes = [multiprocessing.get_context("spawn").Process(target=_append, args=(str(path), 20)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(list(read_journal(path))) == 60


async def test_a_context_delayed_since_before_a_replayed_rejoining_marks_nobody(journaled: World) -> None:
    world = journaled
    order, container = await world.order(2), world.container()
    backup = saved(world)
    await world.collected(order, container, (0, 1))
    delayed = container.context(FIRM)
    await put_back(world, backup)
    answer = await world.ask(order, container.context(FIRM))
    assert answer.state == "ExportAgain"
    container.import_update(answer.update or b"")
    await put_back(world, backup)
    (world.folder / "journal").write_bytes(b"")  # that disk was lost too
    world.journal = Journal(world.folder / "journal")
    assert await world.confirm(container.context(FIRM)) == "ExportAgain"
    await put_back(world, backup)
    assert (await replayed(world)).contradicted == 0
    assert await world.confirm(delayed) == "ExportAgain"
    assert world.sql("SELECT mark FROM containers") == [("ok",)]
    assert await world.confirm(container.context(FIRM)) == "Confirmed"
