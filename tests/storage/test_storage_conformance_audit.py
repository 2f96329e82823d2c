"""The audit chain on every storage: each row once, whoever seals and whatever commits when; what is changed shows."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from licensing.audit import Sealer, SealingKey, read_head, render_head, verify_audit
from licensing.audit.verifying import Kind
from licensing.errors import AuditHeadInvalid
from storage.audit import ListAudit, LoadAuditHead, LoadUnsealed, WalkAudit
from storage.commands import Applied, Moved

KEY = SealingKey(bytes(range(32)))


class Clock:
    """A clock that a test sets."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock(make):
    return Clock(make.now)


@pytest.fixture
def sealer(clock):
    """Make sealers of a storage."""
    rng = random.Random(1)

    def made(storage, owner="one", key=KEY):
        return Sealer(storage=storage, key=key, clock=clock, random=rng.randbytes, owner=owner)

    return made


async def chain(storage):
    return await storage.query(WalkAudit(after=0, limit=100_000))


async def check(storage, **kept):
    return await verify_audit(storage, public_key=KEY.public_key, **kept)


async def test_what_was_written_is_sealed_once_and_the_chain_is_whole(stocked, make, sealer):
    first = await sealer(stocked).seal()
    assert (first.sealed, first.unsealed, first.took_over, first.more) == (4, 4, False, False)
    assert (await sealer(stocked).seal()).sealed == 0
    await stocked.execute(make.order())
    assert (await check(stocked)).unsealed == 1
    again = await sealer(stocked).seal()
    assert (again.sealed, again.took_over) == (1, False)
    found = await check(stocked)
    assert (found.whole, found.sealed, found.unsealed, found.erased) == (True, 5, 0, 0)
    assert [link.position for link, _ in await chain(stocked)] == [1, 2, 3, 4, 5]


async def test_a_database_without_rows_has_a_whole_chain(storage, sealer):
    assert (await sealer(storage).seal()).oldest_at is None
    assert (await check(storage)).whole


async def test_a_backlog_is_sealed_in_batches(stocked, make, sealer):
    await asyncio.gather(*(stocked.execute(make.order()) for _ in range(66)))
    turns = []
    while not turns or turns[-1].more:
        turns.append(await sealer(stocked).seal(most=20))
    assert [turn.sealed for turn in turns] == [20, 20, 20, 10]
    assert (await check(stocked)).whole


async def test_another_sealer_waits_for_the_lease_and_takes_over_when_it_expired(stocked, make, sealer, clock):
    await sealer(stocked, "one").seal()
    await stocked.execute(make.order())
    assert (await sealer(stocked, "two").seal()).sealed == 0
    clock.now += timedelta(seconds=11)
    taken = await sealer(stocked, "two").seal()
    assert (taken.sealed, taken.took_over) == (1, True)
    await stocked.execute(make.order())
    assert (await sealer(stocked, "one").seal()).sealed == 0
    assert (await check(stocked)).whole


async def test_of_sealers_that_all_believe_to_hold_the_lease_one_writes(stocked, open_node, make):
    found = await stocked.query(LoadUnsealed(limit=100))
    nodes = [stocked, await open_node(), await open_node()]
    late = [make.seal(found, owner=f"owner {n}", now=make.now + timedelta(minutes=n)) for n in range(3)]
    results = await asyncio.gather(*(node.execute(command) for node, command in zip(nodes, late, strict=True)))
    assert sorted(map(type, results), key=str) == [Applied, Moved, Moved]
    assert [link.position for link, _ in await chain(stocked)] == [1, 2, 3, 4]


async def test_a_row_that_was_sealed_meanwhile_is_not_sealed_again(stocked, make, dump):
    command = make.seal(await stocked.query(LoadUnsealed(limit=100)))
    assert await stocked.execute(command) == Applied()
    before = dump()
    again = replace(command, after=4, head=replace(command.head, position=8))
    assert await stocked.execute(again) == Moved()
    assert dump() == before


async def test_rows_are_not_put_at_positions_that_others_have_taken(stocked, make, dump):
    found = await stocked.query(LoadUnsealed(limit=100))
    first, second = (make.seal(replace(found, entries=part)) for part in (found.entries[:2], found.entries[2:]))
    assert await stocked.execute(first) == Applied()
    before = dump()
    assert await stocked.execute(second) == Moved()
    assert dump() == before


async def test_a_row_that_was_erased_between_reading_and_sealing_is_read_again(stocked, make, behind, sealer):
    command = make.seal(await stocked.query(LoadUnsealed(limit=100)))
    behind("UPDATE audit SET details = '{}', erased = (1 = 1) WHERE subject = 'acme'")
    assert await stocked.execute(command) == Moved()
    assert (await sealer(stocked).seal()).sealed == 4
    assert (await check(stocked)).whole


async def test_a_row_with_a_lower_id_that_is_committed_late_is_sealed_next(stocked, make, behind, sealer):
    """PostgreSQL shows such rows by the order of its commits; a row put in by hand shows the same on both."""
    await sealer(stocked).seal()
    low = behind("SELECT min(audit_id) FROM audit")[0][0]
    low = low - 1 if isinstance(low, int) else "0" + low[1:-1]
    behind(
        f"INSERT INTO audit (audit_id, at, actor, action, subject, details) VALUES ({low!r}, 1, 'a', 'A', 's', '{{}}')"
    )
    assert (await sealer(stocked).seal()).sealed == 1
    *_, (link, entry) = await chain(stocked)
    assert (link.position, link.audit_id, entry.row.subject) == (5, low, "s")
    assert (await check(stocked)).whole


async def test_writers_and_sealers_on_several_nodes_leave_no_row_out_and_take_none_twice(
    stocked, open_node, make, clock, behind
):
    nodes = [stocked, await open_node(), await open_node()]
    writing = asyncio.Event()
    rng = random.Random(7)

    async def write(node):
        for _ in range(40):
            await node.execute(make.order())

    async def seal(node, number):
        # Each has a clock of its own, so far ahead that no lease ever holds it back: only the head decides.
        ahead = Clock(clock.now + timedelta(hours=number))
        sealing = Sealer(storage=node, key=KEY, clock=ahead, random=rng.randbytes, owner=f"owner {number}")
        while not writing.is_set() or (await sealing.seal()).unsealed:
            ahead.now += timedelta(minutes=1)
            await sealing.seal(most=rng.randint(1, 30))

    sealers = [asyncio.create_task(seal(node, number)) for number, node in enumerate(nodes)]
    await asyncio.gather(*(write(node) for node in nodes for _ in range(2)))
    writing.set()
    await asyncio.gather(*sealers)
    links = await chain(stocked)
    times = Counter(link.audit_id for link, _ in links)
    assert set(times.values()) == {1}
    assert len(links) == behind("SELECT count(*) FROM audit")[0][0] == 244
    assert [link.position for link, _ in links] == list(range(1, 245))
    found = await check(stocked)
    assert (found.whole, found.unsealed) == (True, 0)


LAST = "(SELECT max(position) FROM audit_chain)"
THIRD = "(SELECT audit_id FROM audit_chain WHERE position = 3)"
TAMPERED = {
    "details": (f"UPDATE audit SET details = '{{\"n\":2}}' WHERE audit_id = {THIRD}", Kind.CHANGED, 3),
    "actor": (f"UPDATE audit SET actor = 'somebody' WHERE audit_id = {THIRD}", Kind.CHANGED, 3),
    "time": (f"UPDATE audit SET at = at + 1 WHERE audit_id = {THIRD}", Kind.CHANGED, 3),
    "row deleted": (f"DELETE FROM audit WHERE audit_id = {THIRD}", Kind.MISSING, 3),
    "link deleted": ("DELETE FROM audit_chain WHERE position = 3", Kind.MISSING, 4),
    "tail deleted": ("DELETE FROM audit_chain WHERE position > 3", Kind.MISSING, None),
    "digest": ("UPDATE audit_chain SET digest = details_digest WHERE position = 3", Kind.CHANGED, 3),
    "seal": (f"UPDATE audit SET seal = salt WHERE audit_id = {THIRD}", Kind.CHAIN, 3),
    "details taken away": (f"UPDATE audit SET details = '{{}}', salt = NULL WHERE audit_id = {THIRD}", Kind.ERASED, 3),
    "other details": (f"UPDATE audit SET details = '[]', salt = NULL WHERE audit_id = {THIRD}", Kind.CHANGED, 3),
    "head link": ("UPDATE audit_head SET link = public_key", Kind.HEAD, None),
    "head signature": ("UPDATE audit_head SET signature = link", Kind.HEAD, None),
    "head moved back": ("UPDATE audit_head SET position = 3", Kind.HEAD, None),
    "row added": (
        "INSERT INTO audit (at, actor, action, subject, details, seal) VALUES (1, '', '', '', '{}', 'x')".replace(
            "'x'", "(SELECT seal FROM audit LIMIT 1)"
        ),
        Kind.ADDED,
        None,
    ),
}


@pytest.mark.parametrize("way", TAMPERED)
async def test_what_is_changed_behind_the_servers_back_shows_with_its_place(stocked, make, behind, sealer, way):
    statement, kind, position = TAMPERED[way]
    await stocked.execute(make.order())
    await sealer(stocked).seal()
    assert (await check(stocked)).whole
    behind(statement)
    found = await check(stocked)
    assert not found.whole
    assert (found.problems[0].kind, found.problems[0].position) == (kind, position)


async def test_a_sealed_row_that_is_made_to_look_unsealed_is_reported_and_does_not_stop_the_sealer(
    stocked, behind, sealer
):
    await sealer(stocked).seal()
    behind(f"UPDATE audit SET seal = NULL WHERE audit_id = {THIRD}")
    assert (await sealer(stocked).seal()).sealed == 1
    found = await check(stocked)
    assert (found.problems[0].kind, found.problems[0].position) == (Kind.CHANGED, 3)


async def test_a_chain_that_was_made_anew_with_another_key_shows(stocked, behind, sealer):
    other = SealingKey(bytes(32))
    await sealer(stocked, key=other).seal()
    assert [problem.kind for problem in (await check(stocked)).problems] == [Kind.HEAD]


async def test_a_kept_head_shows_a_database_that_was_put_back_and_written_on(stocked, make, behind, sealer):
    await sealer(stocked).seal()
    await stocked.execute(make.order())
    await sealer(stocked).seal()
    kept = read_head(render_head(await stocked.query(LoadAuditHead())))
    assert (await check(stocked, kept=kept)).whole
    for table in ("audit_chain", "audit", "audit_head"):
        behind(f"DELETE FROM {table}" + (f" WHERE audit_id <> {THIRD}" if table == "audit" else ""))
    behind("UPDATE audit SET salt = NULL, seal = NULL")
    zeroes = (
        "zeroblob(32)" if isinstance(behind("SELECT max(audit_id) FROM audit")[0][0], int) else "'\\x" + "00" * 32 + "'"
    )
    behind(
        "INSERT INTO audit_head (id, position, link, sealed_at, public_key, signature) "
        f"VALUES (1, 0, {zeroes}, 0, '', '')".replace("''", "x''" if "blob" in zeroes else "''")
    )
    await sealer(stocked).seal()
    assert (await check(stocked)).whole
    assert [problem.kind for problem in (await check(stocked, kept=kept)).problems] == [Kind.KEPT_HEAD]
    for _ in range(4):
        await stocked.execute(make.order())
    await sealer(stocked).seal()
    problems = (await check(stocked, kept=kept)).problems
    assert [(problem.kind, problem.position) for problem in problems] == [(Kind.KEPT_HEAD, 5)]


async def test_a_head_file_that_was_changed_or_is_something_else_is_refused(stocked, sealer):
    await sealer(stocked).seal()
    text = render_head(await stocked.query(LoadAuditHead()))
    for wrong in ("", "[]", "{}", text.replace('"position": 4', '"position": 5'), text.replace("head-1", "head-2")):
        with pytest.raises(AuditHeadInvalid):
            read_head(wrong)


async def test_rows_are_listed_newest_first_by_subject_and_action(stocked, make):
    await stocked.execute(make.order())
    everything = await stocked.query(ListAudit(limit=10))
    assert [entry.row.subject for entry in everything][-1] == "acme"
    assert [entry.audit_id for entry in everything] == sorted((e.audit_id for e in everything), reverse=True)
    assert [e.row.subject for e in await stocked.query(ListAudit(limit=10, subject="bolt"))] == ["bolt"]
    assert await stocked.query(ListAudit(limit=10, action="Other")) == ()
    assert len(await stocked.query(ListAudit(limit=2, action="Act"))) == 2
