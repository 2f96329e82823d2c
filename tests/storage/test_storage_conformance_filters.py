"""What every storage must do: documents of filter rules, access policies, administrators."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from storage.commands import (
    AddAdministrator,
    AddHits,
    Applied,
    FiltersAt,
    FindAdministrator,
    FindFilters,
    FindShop,
    ListFilters,
    LoadFilters,
    LoadHits,
    LoadServer,
    Moved,
    RuleHits,
    SetAccessPolicy,
    StoreFilters,
)
from storage.errors import ConstraintRefused
from storage.records import AccessPolicy, Administrator, FilterDocument


@pytest.fixture
def store(make):
    def command(version: int, rules: str = "format = 1\n") -> StoreFilters:
        document = FilterDocument(
            version=version, rules=rules, author="ops", written_at=make.now, comment="why", diff=f"+{rules}"
        )
        return StoreFilters(document=document, audit=make.audit())

    return command


async def test_documents_of_filters_follow_each_other_and_none_is_changed(storage, store, dump):
    assert (await storage.query(LoadFilters())).document is None
    documents = [store(version, f"rules {version}") for version in (1, 2, 3)]
    assert [await storage.execute(command) for command in documents] == [Applied()] * 3
    assert (await storage.query(LoadFilters())).document == documents[-1].document
    before = dump()
    for version in (0, 1, 3, 5):
        assert await storage.execute(store(version, "other")) == Moved()
    assert dump() == before


async def test_a_document_is_found_by_version_and_the_history_comes_in_pages(storage, store):
    documents = [store(version) for version in range(1, 6)]
    for command in documents:
        await storage.execute(command)
    assert await storage.query(FindFilters(version=2)) == documents[1].document
    assert await storage.query(FindFilters(version=6)) is None
    page = await storage.query(ListFilters(before=2**62, limit=2))
    rest = await storage.query(ListFilters(before=page[-1].version, limit=10))
    assert [document.version for document in (*page, *rest)] == [5, 4, 3, 2, 1]


async def test_of_edits_at_once_one_is_written(storage, store):
    answers = await asyncio.gather(*(storage.execute(store(1, f"rules {number}")) for number in range(20)))
    assert sorted(type(answer).__name__ for answer in answers) == ["Applied"] + ["Moved"] * 19
    (document,) = await storage.query(ListFilters(before=2**62, limit=9))
    winner = answers.index(Applied())
    assert document.rules == f"rules {winner}"


async def test_the_data_version_rises_with_filters_and_policies_only_when_something_changed(storage, store, make):
    start = (await storage.execute(make.initialise())).data_version
    await storage.execute(make.shop())
    policy = SetAccessPolicy(name="acme", policy=AccessPolicy.IP, audit=make.audit())
    versions = []
    for command in (store(1), store(1), policy, replace(policy, name="nobody")):
        await storage.execute(command)
        versions.append((await storage.query(LoadServer())).data_version - start - 1)
    assert versions == [1, 1, 2, 2]
    assert (await storage.query(LoadFilters())).data_version == start + 3


@pytest.mark.parametrize("policy", list(AccessPolicy))
async def test_a_shop_starts_with_the_credential_and_keeps_the_policy_that_it_is_given(storage, make, policy):
    await storage.execute(make.shop())
    assert (await storage.query(FindShop(lookup=b"key of acme"))).access_policy is AccessPolicy.CREDENTIAL
    assert await storage.execute(SetAccessPolicy(name="acme", policy=policy, audit=make.audit())) is True
    found = await storage.query(FindShop(lookup=b"key of acme"))
    assert found.access_policy is policy
    assert (await storage.query(LoadFilters())).shops == (found,)


async def test_a_policy_for_nobody_is_answered_false_and_leaves_nothing(storage, make, dump):
    before = dump()
    command = SetAccessPolicy(name="nobody", policy=AccessPolicy.IP, audit=make.audit())
    assert await storage.execute(command) is False
    assert dump() == before


async def test_all_shops_are_loaded_by_name_with_inactive_ones(storage, make):
    for name in ("b", "a", "c"):
        await storage.execute(make.shop(name, active=name != "c"))
    assert [(shop.name, shop.active) for shop in (await storage.query(LoadFilters())).shops] == [
        ("a", True),
        ("b", True),
        ("c", False),
    ]


async def test_an_administrator_exists_once_and_is_found_by_the_credential(storage, make):
    administrator = Administrator(name="ops", lookup=b"key", created_at=make.now)
    command = AddAdministrator(administrator=administrator, audit=make.audit())
    assert await storage.execute(command) is True
    assert await storage.execute(command) is False
    assert await storage.query(FindAdministrator(lookup=b"key")) == administrator
    assert await storage.query(FindAdministrator(lookup=b"other")) is None
    twin = replace(command, administrator=replace(administrator, name="twin"))
    with pytest.raises(ConstraintRefused):
        await storage.execute(twin)


async def test_rules_and_the_policy_of_a_shop_are_written_together_or_not_at_all(storage, store, make, dump):
    await storage.execute(make.shop())
    policy = SetAccessPolicy(name="acme", policy=AccessPolicy.IP, audit=make.audit())
    assert await storage.execute(replace(store(1), policy=policy)) == Applied()
    view = await storage.query(LoadFilters())
    assert view.document is not None
    assert (view.document.version, view.shops[0].access_policy) == (1, AccessPolicy.IP)
    before = dump()
    for command in (
        replace(store(2), policy=replace(policy, name="nobody")),
        replace(store(1), policy=replace(policy, policy=AccessPolicy.CREDENTIAL)),
    ):
        assert await storage.execute(command) == Moved()
        assert dump() == before


def hits(make, count: int, *, first: int, last: int) -> RuleHits:
    """Hits between so many minutes after the time of the test."""
    return RuleHits(
        hits=count, first_at=make.now + timedelta(minutes=first), last_at=make.now + timedelta(minutes=last)
    )


async def test_hits_of_rules_add_up_and_keep_the_first_and_the_last_time(storage, make):
    assert await storage.query(LoadHits()) == {}
    assert await storage.execute(AddHits(hits={})) == 0
    one, other = "global: deny 192.0.2.0/24", "shop \u00e9: allow 2001:db8::/32 #2"
    await storage.execute(AddHits(hits={other: hits(make, 3, first=5, last=6)}))
    # What another node has counted may come late.
    await storage.execute(AddHits(hits={other: hits(make, 1, first=1, last=2)}))
    await storage.execute(
        AddHits(hits={other: hits(make, 4, first=7, last=8), one: hits(make, 2**40, first=7, last=8)})
    )
    await storage.execute(AddHits(hits={other: hits(make, 2, first=3, last=4)}))
    assert await storage.query(LoadHits()) == {
        one: hits(make, 2**40, first=7, last=8),
        other: hits(make, 10, first=1, last=8),
    }


async def test_hits_that_many_add_at_once_are_all_counted(storage, make):
    names = [f"rule {number}" for number in range(50)]
    counted = hits(make, 1, first=0, last=0)
    await asyncio.gather(
        *(storage.execute(AddHits(hits=dict.fromkeys(names[::step], counted))) for step in [1, -1] * 10)
    )
    assert await storage.query(LoadHits()) == dict.fromkeys(names, hits(make, 20, first=0, last=0))


async def test_hits_are_no_change_of_the_data(storage, make, store):
    await storage.execute(make.initialise())
    await storage.execute(store(1))
    before = await storage.query(LoadFilters())
    await storage.execute(AddHits(hits={"a": hits(make, 1, first=0, last=0)}))
    assert await storage.query(LoadFilters()) == before


async def test_the_document_of_a_time_is_the_last_one_before_it(storage, make, store):
    for version in (1, 2, 3):
        command = store(version)
        written_at = make.now + timedelta(days=version)
        await storage.execute(replace(command, document=replace(command.document, written_at=written_at)))
    versions = []
    for days in (0, 1, 2.5, 3, 9):
        document = await storage.query(FiltersAt(at=make.now + timedelta(days=days)))
        versions.append(document and document.version)
    assert versions == [None, 1, 2, 3, 3]
