"""Keys and renewed rows on both databases: one key of a kind makes, and a value is renewed only where it still is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from storage.commands import FindIdentity, LoadServer
from storage.keys import (
    RENEWABLE,
    ActivateKey,
    AddKeys,
    FinishKey,
    KeyHolder,
    KeyKind,
    KeyRow,
    KeyState,
    LoadKeys,
    Renew,
    Renewed,
    ReportKeys,
    RetireKey,
    WalkRenewable,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SEALING, PEPPER = KeyKind.SEALING_KEY, KeyKind.PEPPER


def key(key_id, state, *, kind=SEALING, first=False, days=0):
    return KeyRow(key_id=key_id, kind=kind, state=state, is_first=first, made_at=NOW + timedelta(days=days))


def states(view):
    return {row.key_id: row.state for row in view.keys}


async def two(storage, make):
    keys = (key("a", KeyState.ACTIVE, first=True), key("b", KeyState.ADDED, days=1))
    assert await storage.execute(AddKeys(keys=keys, audit=make.audit()))


async def test_a_key_is_added_used_finished_and_retired_and_each_change_is_seen(stocked, make, dump):
    before = (await stocked.query(LoadServer())).data_version
    await two(stocked, make)
    await two_again(stocked, make)
    activate = ActivateKey(key_id="b", kind=SEALING, at=NOW, audit=make.audit())
    assert await stocked.execute(activate)
    assert not await stocked.execute(activate)
    assert states(await stocked.query(LoadKeys())) == {"a": KeyState.OPENS, "b": KeyState.ACTIVE}
    finish = FinishKey(key_id="b", at=NOW, audit=make.audit())
    assert await stocked.execute(finish)
    assert not await stocked.execute(finish)
    retire = RetireKey(key_id="a", at=NOW, fingerprint=b"of the rest", kept=b"kept", audit=make.audit())
    assert await stocked.execute(retire)
    assert not await stocked.execute(retire)
    view = await stocked.query(LoadKeys())
    assert [(row.key_id, row.state, row.kept) for row in view.keys] == [
        ("a", KeyState.RETIRED, b"kept"),
        ("b", KeyState.ACTIVE, None),
    ]
    server = await stocked.query(LoadServer())
    assert server.key_fingerprint == b"of the rest"
    assert server.data_version == before + 4
    back = RetireKey(key_id="a", at=NOW, fingerprint=b"fingerprint", back=True, audit=make.audit())
    assert await stocked.execute(back)
    assert states(await stocked.query(LoadKeys()))["a"] is KeyState.OPENS


async def two_again(storage, make):
    keys = (key("a", KeyState.ACTIVE, first=True), key("b", KeyState.ADDED, days=1))
    assert not await storage.execute(AddKeys(keys=keys, audit=make.audit()))


async def test_the_key_in_use_and_one_of_another_kind_cannot_be_retired_or_activated(stocked, make):
    await two(stocked, make)
    assert not await stocked.execute(ActivateKey(key_id="b", kind=PEPPER, at=NOW, audit=make.audit()))
    assert states(await stocked.query(LoadKeys())) == {"a": KeyState.ACTIVE, "b": KeyState.ADDED}
    for name in ("a", "b", "none"):
        assert not await stocked.execute(RetireKey(key_id=name, at=NOW, fingerprint=b"x", audit=make.audit()))
    assert (await stocked.query(LoadServer())).key_fingerprint == b"fingerprint"


async def test_of_two_who_activate_different_keys_one_key_is_in_use(open_node, make):
    nodes = [await open_node() for _ in range(2)]
    await nodes[0].execute(make.initialise())
    await two(nodes[0], make)
    await nodes[0].execute(AddKeys(keys=(key("c", KeyState.ADDED, days=2),), audit=make.audit()))
    commands = [ActivateKey(key_id=name, kind=SEALING, at=NOW, audit=make.audit()) for name in ("b", "c")]
    await asyncio.gather(*(node.execute(command) for node, command in zip(nodes, commands, strict=True)))
    found = list(states(await nodes[0].query(LoadKeys())).values())
    assert found.count(KeyState.ACTIVE) == 1


async def test_processes_say_what_they_hold_and_are_forgotten_when_they_are_silent(stocked):
    def holder(process, seen_at, holds=("a",)):
        return KeyHolder(
            process=process, node="n", holds=holds, sealing_key="a", pepper="p", box_key="a", seen_at=seen_at
        )

    one, newer = holder("1", NOW), holder("1", NOW + timedelta(seconds=5), ("a", "b"))
    for said in (one, holder("2", NOW), newer):
        await stocked.execute(ReportKeys(holder=said, forget_before=NOW - timedelta(hours=1)))
    assert (await stocked.query(LoadKeys())).holders == (newer, holder("2", NOW))
    last = holder("3", NOW + timedelta(hours=2))
    await stocked.execute(ReportKeys(holder=last, forget_before=NOW + timedelta(hours=1)))
    assert (await stocked.query(LoadKeys())).holders == (last,)


async def walked(storage, what, head, *, limit=2):
    found, after = [], None
    while page := await storage.query(WalkRenewable(what=what, head=head, after=after, limit=limit)):
        found += page
        after = page[-1].key
    return found


async def test_every_column_is_walked_page_by_page_and_renewed_where_the_old_value_still_is(stocked, make):
    epoch = make.epoch
    for number in range(3):
        await stocked.execute(make.order(number=f"N-{number}"))
    steps = (make.step((epoch, 1), (0, 0), kind="Reset"),)
    transfer = make.transfer(b"key", (0, 0), (epoch, 1))
    await stocked.execute(make.apply(make.container(end=(epoch, 1)), steps=steps, transfer=transfer))
    for what, old in (("tickets", b"sealed"), ("customers", b"customer"), ("users", b"user")):
        rows = await walked(stocked, what, b"\x02new!")
        assert [row.value for row in rows] == [old] * len(rows), what
        assert len(rows) == len({row.key for row in rows}) == (1 if what == "users" else 3)
        new = tuple(Renewed(key=row.key, old=row.value, new=b"\x02new!" + row.value) for row in rows)
        assert await stocked.execute(Renew(what=what, rows=new)) == len(rows)
        assert await stocked.execute(Renew(what=what, rows=new)) == 0, "the old values are gone"
        assert await walked(stocked, what, b"\x02new!") == []
        assert [row.value for row in await walked(stocked, what, b"")] == [row.new for row in new]


@pytest.mark.parametrize("what", sorted(RENEWABLE))
async def test_everything_that_is_renewable_has_its_statements(stocked, what):
    if what != "administrators":
        assert isinstance(await walked(stocked, what, b"none."), list)
    key_values = tuple(RENEWABLE[what].key.values())
    old = "{}" if what in {"items", "licenses", "previous"} else b""
    assert await stocked.execute(Renew(what=what, rows=(Renewed(key=key_values, old=old, new=old),))) == 0


async def test_a_renewed_hash_finds_the_shop_and_never_takes_the_place_of_another(stocked, make):
    found = await stocked.query(FindIdentity(lookup=b"key of acme"))
    version = (await stocked.query(LoadServer())).data_version
    taken = Renewed(key=(found.credential.credential_id,), old=b"key of acme", new=b"key of bolt")
    assert await stocked.execute(Renew(what="credentials", rows=(taken,))) == 0
    renewed = Renewed(key=(found.credential.credential_id,), old=b"key of acme", new=b"new hash of acme")
    assert await stocked.execute(Renew(what="credentials", rows=(renewed,))) == 1
    assert (await stocked.query(FindIdentity(lookup=b"new hash of acme"))).shop == found.shop
    assert await stocked.query(FindIdentity(lookup=b"key of acme")) is None
    assert (await stocked.query(LoadServer())).data_version == version + 1, "or others would remember the old one"
