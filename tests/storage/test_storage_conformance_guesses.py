"""Guesses on both databases: a bucket that fills and empties, one alarm, and counts that are exact between many."""

import asyncio
from datetime import UTC, datetime, timedelta

from storage.guesses import CountGuess, ForgetGuesses, GuessBucket, LoadGuesses

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUIET = timedelta(hours=1)


def bucket(name: bytes = b"somebody", capacity: int = 10) -> GuessBucket:
    return GuessBucket(subject=name, capacity=capacity, period=10 * MINUTE)


def count(*buckets: GuessBucket, at=NOW) -> CountGuess:
    return CountGuess(buckets=buckets or (bucket(),), at=at, quiet=QUIET)


async def test_each_guess_fills_and_time_empties(storage):
    first = await storage.execute(count())
    assert first.empty_at == {b"somebody": NOW + MINUTE}
    assert (await storage.execute(count())).empty_at == {b"somebody": NOW + 2 * MINUTE}
    later = NOW + timedelta(hours=1)
    assert (await storage.execute(count(at=later))).empty_at == {b"somebody": later + MINUTE}
    # A node whose clock is behind takes nothing away.
    assert (await storage.execute(count(at=NOW))).empty_at[b"somebody"] >= later + MINUTE


async def test_one_alarm_until_it_was_quiet(storage):
    alarms = [bool((await storage.execute(count())).alarmed) for _ in range(30)]
    assert alarms.index(True) == 10
    assert sum(alarms) == 1
    later = NOW + QUIET + MINUTE
    again = [bool((await storage.execute(count(at=later))).alarmed) for _ in range(15)]
    assert sum(again) == 1


async def test_a_bucket_holds_twice_its_measure_and_no_more(storage):
    for _ in range(100):
        found = await storage.execute(count())
    assert found.empty_at[b"somebody"] <= NOW + timedelta(minutes=22)


async def test_guesses_at_once_are_all_counted_and_alarm_once(storage):
    wide = bucket(capacity=600)
    names = [b"a", b"b"]
    answers = await asyncio.gather(
        *(
            storage.execute(count(wide, *(bucket(name, 600) for name in (names if odd else names[::-1]))))
            for odd in [True, False] * 30
        )
    )
    assert max(answer.empty_at[b"somebody"] for answer in answers) == NOW + timedelta(seconds=60)
    assert not any(answer.alarmed for answer in answers)


async def test_what_others_count_is_read_and_old_counts_go(storage):
    await storage.execute(count(bucket(b"a"), bucket(b"b", 1)))
    assert await storage.query(LoadGuesses(since=NOW, now=NOW)) == {
        b"a": NOW + MINUTE,
        b"b": NOW + 10 * MINUTE,
    }
    assert list(await storage.query(LoadGuesses(since=NOW, now=NOW + 2 * MINUTE))) == [b"b"]
    assert await storage.query(LoadGuesses(since=NOW + MINUTE, now=NOW)) == {}
    assert await storage.execute(ForgetGuesses(before=NOW + MINUTE)) == 0
    assert await storage.execute(ForgetGuesses(before=NOW + 2 * MINUTE)) == 1
    assert list(await storage.query(LoadGuesses(since=NOW, now=NOW))) == [b"b"]
