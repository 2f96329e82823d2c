"""Extensions on every storage: begun once, one holder at a time, moved on with what is told of them or not at all."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from storage.errors import StorageError
from storage.extensions import (
    AdvanceExtension,
    BeginExtension,
    ClaimExtensions,
    EraseExtensions,
    ExtensionRow,
    FindExtension,
    ListExtensions,
    LoadExtensions,
    RetryExtensions,
)
from storage.outbox import ListOutbox


def row(make, name="e1", *, key=b"k1", **values):
    given = {
        "extension_id": name,
        "key": key,
        "request_hash": b"h",
        "ticket_lookup": b"t",
        "step": "check",
        "state": "Pending",
        "content_sealed": b"sealed",
        "version": 1,
        "attempts": 0,
        "due_at": make.now,
        "lease_owner": None,
        "lease_until": None,
        "last_failure": None,
        "created_at": make.now,
        "changed_at": make.now,
    }
    return ExtensionRow(**{**given, **values})


def claim(make, *, owner="one", seconds=0, limit=10, name=None):
    now = make.now + timedelta(seconds=seconds)
    return ClaimExtensions(owner=owner, now=now, until=now + timedelta(seconds=60), limit=limit, extension_id=name)


async def test_the_same_key_begins_once_and_gives_the_row_that_stands(storage, make):
    first = await storage.execute(BeginExtension(row=row(make)))
    again = await storage.execute(BeginExtension(row=row(make, "e2", request_hash=b"other")))

    assert first == again == await storage.query(FindExtension(key=b"k1"))
    assert await storage.query(FindExtension(extension_id="e2")) is None


async def test_of_many_that_begin_at_once_one_does(storage, make):
    rows = [row(make, f"e{number}") for number in range(8)]

    begun = await asyncio.gather(*(storage.execute(BeginExtension(row=each)) for each in rows))

    assert len({each.extension_id for each in begun}) == 1


async def test_a_claimed_extension_has_one_holder_until_its_lease_ends(storage, make):
    await storage.execute(BeginExtension(row=row(make)))

    claims = await asyncio.gather(*(storage.execute(claim(make, owner=f"o{number}")) for number in range(6)))
    assert sorted(map(len, claims)) == [0, 0, 0, 0, 0, 1]
    assert await storage.execute(claim(make, owner="late", seconds=59)) == ()
    (taken,) = await storage.execute(claim(make, owner="late", seconds=60))
    assert (taken.lease_owner, taken.attempts, taken.version) == ("late", 2, 3)


async def test_what_is_not_due_or_ended_is_not_claimed(storage, make):
    await storage.execute(BeginExtension(row=row(make, "later", key=b"a", due_at=make.now + timedelta(seconds=5))))
    await storage.execute(BeginExtension(row=row(make, "over", key=b"b", step="done", state="Extended")))
    await storage.execute(BeginExtension(row=row(make, "stuck", key=b"c", step="stuck")))

    assert await storage.execute(claim(make)) == ()
    assert await storage.execute(claim(make, name="over", seconds=9)) == ()
    assert [each.extension_id for each in await storage.execute(claim(make, name="later", seconds=5))] == ["later"]


async def test_who_was_overtaken_changes_nothing_and_tells_nobody(storage, make):
    begun = await storage.execute(BeginExtension(row=row(make)))
    message = make.message("key")
    moved = replace(begun, step="extend", content_sealed=b"decided")

    assert await storage.execute(AdvanceExtension(row=moved, messages=(message,), audit=make.audit()))
    assert not await storage.execute(AdvanceExtension(row=replace(begun, step="done"), messages=(make.message("x"),)))

    found = await storage.query(FindExtension(extension_id="e1"))
    assert (found.step, found.content_sealed, found.version) == ("extend", b"decided", 2)
    assert [each.message for each in await storage.query(ListOutbox(limit=9))] == [message]


async def test_a_message_that_cannot_be_written_leaves_the_step_undone(storage, make):
    begun = await storage.execute(BeginExtension(row=row(make)))
    message = make.message("key")
    try:
        await storage.execute(AdvanceExtension(row=replace(begun, step="done"), messages=(message, message)))
    except StorageError:
        pass
    else:
        raise AssertionError("two messages of one id")

    assert (await storage.query(FindExtension(extension_id="e1"))).step == "check"
    assert await storage.query(ListOutbox(limit=9)) == ()


async def test_retry_takes_up_what_is_stuck_and_hurries_one_that_waits(storage, make):
    far = make.now + timedelta(days=1)
    for name, step in (("a", "stuck"), ("b", "check"), ("c", "done")):
        await storage.execute(BeginExtension(row=row(make, name, key=name.encode(), step=step, due_at=far, attempts=7)))

    assert await storage.execute(RetryExtensions(extension_id=None, now=make.now, audit=make.audit())) == 1
    assert await storage.execute(RetryExtensions(extension_id="b", now=make.now, audit=make.audit())) == 1
    assert await storage.execute(RetryExtensions(extension_id="c", now=make.now, audit=make.audit())) == 0
    assert {each.extension_id: each.step for each in await storage.execute(claim(make))} == {"a": "check", "b": "check"}
    assert await storage.execute(RetryExtensions(extension_id="b", now=make.now, audit=make.audit())) == 0


async def test_lists_and_counts(storage, make):
    await storage.execute(BeginExtension(row=row(make, "a", key=b"a")))
    later = make.now + timedelta(seconds=1)
    await storage.execute(BeginExtension(row=row(make, "b", key=b"b", step="extend", created_at=later)))
    await storage.execute(BeginExtension(row=row(make, "c", key=b"c", step="done", state="Refused")))

    assert [each.extension_id for each in await storage.query(ListExtensions(limit=9))] == ["b", "a", "c"]
    assert [each.extension_id for each in await storage.query(ListExtensions(limit=9, state="Refused"))] == ["c"]
    view = await storage.query(LoadExtensions(now=make.now))
    assert (view.due, view.open, view.oldest_at) == (True, {"check": 1, "extend": 1}, make.now)


async def test_what_ended_long_ago_is_erased_and_keeps_its_key(storage, make):
    await storage.execute(BeginExtension(row=row(make, "old", key=b"a", step="done", state="Extended")))
    await storage.execute(BeginExtension(row=row(make, "open", key=b"b")))
    before = make.now + timedelta(seconds=1)

    assert await storage.execute(EraseExtensions(before=before)) == 1
    assert await storage.execute(EraseExtensions(before=before)) == 0
    erased = await storage.query(FindExtension(key=b"a"))
    assert (erased.content_sealed, erased.request_hash, erased.state) == (b"", b"", "Extended")
    assert (await storage.query(FindExtension(key=b"b"))).content_sealed == b"sealed"
