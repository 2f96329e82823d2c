"""Several changes as one, on both databases: all of them are written, or none."""

import asyncio
from datetime import UTC, datetime

from storage.commands import (
    AddCredential,
    FindIdentity,
    LoadServer,
    RevokeCredential,
    SetRights,
    SetShopActive,
    ShowShop,
)
from storage.marks import Mark, MarksKept, MarksUsed, UseMarks
from storage.records import Credential
from storage.together import AllDone, AllOrNone, NoneDone

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def rights(make, name, text):
    return SetRights(name=name, rights=text, audit=make.audit(name))


async def test_all_are_written_and_each_has_its_audit_row(stocked, make, behind):
    before = behind("SELECT count(*) FROM audit")[0][0]
    commands = (rights(make, "acme", "order"), SetShopActive(name="acme", active=False, audit=make.audit("acme")))
    assert await stocked.execute(AllOrNone(commands=commands)) == AllDone()
    shop = (await stocked.query(ShowShop(name="acme"))).shop
    assert (shop.rights, shop.active) == ("order", False)
    assert behind("SELECT count(*) FROM audit")[0][0] == before + 2


async def test_none_is_written_where_one_cannot_be(stocked, make, dump):
    before = dump()
    found = await stocked.query(FindIdentity(lookup=b"key of acme"))
    taken = Credential(credential_id="new", shop_id="shop-acme", kind="api-key", lookup=b"key of bolt", created_at=NOW)
    revoke = RevokeCredential(
        shop_id="shop-acme", credential_id=found.credential.credential_id, at=NOW, audit=make.audit()
    )
    for commands, place in (
        ((rights(make, "acme", "order"), rights(make, "nobody", "order")), 1),
        ((revoke, AddCredential(credential=taken, audit=make.audit())), 1),
        ((rights(make, "nobody", "x"), revoke), 0),
    ):
        assert await stocked.execute(AllOrNone(commands=commands)) == NoneDone(place=place)
    assert dump() == before
    assert (await stocked.query(FindIdentity(lookup=b"key of acme"))) == found


async def test_with_a_message_s_mark_they_are_written_once(stocked, make):
    mark = Mark(mark=bytes(32), until=NOW)
    refused = AllOrNone(commands=(rights(make, "acme", "read"), rights(make, "nobody", "read")))
    assert await stocked.execute(UseMarks(marks=(mark,), command=refused)) == MarksKept(answer=NoneDone(place=1))
    done = AllOrNone(commands=(rights(make, "acme", "read"),))
    assert await stocked.execute(UseMarks(marks=(mark,), command=done)) == MarksUsed(answer=AllDone())


async def test_two_at_once_leave_what_one_of_them_says(open_node, make):
    nodes = [await open_node() for _ in range(2)]
    await nodes[0].execute(make.initialise())
    await nodes[0].execute(make.shop("acme"))
    version = (await nodes[0].query(LoadServer())).data_version

    def change(text, *, active):
        commands = (rights(make, "acme", text), SetShopActive(name="acme", active=active, audit=make.audit("acme")))
        return AllOrNone(commands=commands)

    rounds = 5
    for _ in range(rounds):
        await asyncio.gather(
            nodes[0].execute(change("order", active=True)), nodes[1].execute(change("read", active=False))
        )
        shop = (await nodes[0].query(ShowShop(name="acme"))).shop
        assert (shop.rights, shop.active) in {("order", True), ("read", False)}
    assert (await nodes[0].query(LoadServer())).data_version == version + 4 * rounds
