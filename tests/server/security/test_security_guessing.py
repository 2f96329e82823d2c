"""Guessing: who is slowed down, who is not, what is told; a hundred thousand guesses."""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filtered import GET_TICKET, ask, outcome
from wire import Server, Start, envelope, order

from ipfilters import Client, Endpoint
from licensing.errors import TicketUnknown
from licensing.tickets import new_ticket
from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.errors import AddressDenied, NotIdentified, TooManyGuesses
from server.security.callers import Calling
from server.security.guessing import MOST_SLOWED, GuessKeeper, GuessLimits, Subject, is_guess, targets_of
from server.security.wssecurity.refusals import SecurityFailed
from storage import Storage, open_storage
from storage.errors import StorageUnavailable
from storage.guesses import LoadGuesses

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DEPOT = "urn:opendepot:depot:1"


class Bench:
    """A keeper of guesses, as a worker has one, with a clock and a sleep of its own."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.now = NOW
        self.slept: list[float] = []
        self.log = io.StringIO()
        self.metrics = Metrics(version="test")
        self.keeper = self.another()

    def another(self) -> GuessKeeper:
        return GuessKeeper(
            self.storage,
            Vault(pepper=bytes(32), sealing_key=bytes(32), random=bytes),
            limits=GuessLimits(),
            clock=lambda: self.now,
            events=EventLog(self.log, format=LogFormat.JSON, clock=lambda: self.now),
            metrics=self.metrics,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def slowed(self, address: str, keeper: GuessKeeper | None = None) -> bool:
        before = len(self.slept)
        async with (keeper or self.keeper).slowed_down(address):
            return len(self.slept) > before

    def events(self, name: str) -> list[dict[str, object]]:
        return [event for event in map(json.loads, self.log.getvalue().splitlines()) if event["event"] == name]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    storage = await open_storage(tmp_path / "depot.sqlite3")
    yield Bench(storage)
    await storage.close()


async def test_an_address_is_slowed_down_after_its_measure_and_time_heals(bench: Bench) -> None:
    assert bench.keeper.idle
    for number in range(10):
        assert not await bench.slowed("192.0.2.1"), number
        await bench.keeper.failed("192.0.2.1")
    assert await bench.slowed("192.0.2.1")
    assert not await bench.slowed("192.0.2.2")
    assert bench.events("guessing") == []
    await bench.keeper.failed("192.0.2.1")
    await bench.keeper.failed("192.0.2.1")
    (event,) = bench.events("guessing")
    assert (event["of"], event["address"]) == ("address", "192.0.2.1")
    assert b'opendepot_alarms_total{name="guessing"} 1.0' in bench.metrics.exposition()
    bench.now += timedelta(minutes=12)
    assert not await bench.slowed("192.0.2.1")
    await bench.keeper.look()
    assert bench.keeper.idle


async def test_one_request_at_a_time_of_such_an_address_is_heard(bench: Bench) -> None:
    for _ in range(10):
        await bench.keeper.failed("192.0.2.1")
    async with bench.keeper.slowed_down("192.0.2.1"):
        with pytest.raises(TooManyGuesses):
            await bench.slowed("192.0.2.1")
    assert await bench.slowed("192.0.2.1")


async def test_other_workers_hear_of_it(bench: Bench) -> None:
    for _ in range(10):
        await bench.keeper.failed("192.0.2.1")
    other = bench.another()
    assert not await bench.slowed("192.0.2.1", other)
    await other.look()
    assert await bench.slowed("192.0.2.1", other)
    await other.look()
    assert await bench.slowed("192.0.2.1", other)


async def test_ipv6_counts_by_its_64_and_at_a_larger_measure_by_its_48(bench: Bench) -> None:
    for number in range(10):
        await bench.keeper.failed(f"2001:db8:0:1::{number:x}")
    assert await bench.slowed("2001:db8:0:1:ffff::1")
    assert not await bench.slowed("2001:db8:0:2::1")
    for number in range(70):
        await bench.keeper.failed(f"2001:db8:0:{number + 16:x}::1")
    assert await bench.slowed("2001:db8:0:ffff::1")
    assert not await bench.slowed("2001:db8:1::1")
    await bench.keeper.failed("garbage")


async def test_who_is_guessed_at_is_never_slowed_down_but_wrong_answers_are(bench: Bench) -> None:
    shop = Subject(kind="shop", text="acme")
    for number in range(80):
        await bench.keeper.failed(f"198.51.100.{number}", [shop])
    assert len(bench.slept) == 1
    await bench.keeper.failed("192.0.2.9", [shop])
    assert len(bench.slept) == 2
    assert not await bench.slowed("192.0.2.77")
    assert [event["of"] for event in bench.events("guessing")] == ["shop"]
    secret = Subject(kind="ticket", text="a ticket")
    for number in range(81):
        await bench.keeper.failed(f"203.0.113.{number}", [secret])
    assert "a ticket" not in bench.log.getvalue()


async def test_a_database_that_is_away_is_told_and_nobody_fails_of_it(bench: Bench) -> None:
    class Away:
        async def execute(self, command: object) -> object:
            raise StorageUnavailable("away")

    bench.keeper._storage = Away()  # type: ignore[assignment]
    await bench.keeper.failed("192.0.2.1")
    assert len(bench.events("guess_not_counted")) == 1


async def test_each_guess_is_counted_in_the_metrics(bench: Bench) -> None:
    await bench.keeper.failed("192.0.2.1")
    await bench.keeper.failed("garbage")
    assert b"opendepot_guesses_total 2.0" in bench.metrics.exposition()
    assert not bench.keeper.idle


async def test_what_is_not_said_is_ten_guesses_in_ten_minutes_and_two_seconds_of_delay(bench: Bench) -> None:
    assert GuessLimits() == GuessLimits(guesses=10, period=timedelta(minutes=10), delay_seconds=2.0)
    for _ in range(10):
        await bench.keeper.failed("192.0.2.1")
    assert await bench.slowed("192.0.2.1")
    assert bench.slept == [2.0]
    # One of ten is forgotten after a minute, and one more may be made.
    bench.now += timedelta(seconds=61)
    assert not await bench.slowed("192.0.2.1")


async def test_an_alarm_comes_once_an_hour(bench: Bench) -> None:
    async def many() -> int:
        for _ in range(20):
            await bench.keeper.failed("192.0.2.1")
        return len(bench.events("guessing"))

    assert await many() == 1
    bench.now += timedelta(minutes=59)
    assert await many() == 1
    bench.now += timedelta(minutes=2)
    assert await many() == 2


async def test_so_many_wrong_answers_are_held_back_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_SLOWED == 256
    monkeypatch.setattr("server.security.guessing.MOST_SLOWED", 3)
    shop, released = Subject(kind="shop", text="acme"), asyncio.Event()
    for number in range(80):
        await bench.keeper.failed(f"198.51.100.{number}", [shop])
    bench.slept.clear()

    async def held(seconds: float) -> None:
        bench.slept.append(seconds)
        await released.wait()

    bench.keeper._sleep = held
    waiting = [asyncio.create_task(bench.keeper.failed(f"192.0.2.{number}", [shop])) for number in range(5)]
    for _, first in zip(range(2), asyncio.as_completed(waiting), strict=False):
        await first
    assert len(bench.slept) == 3, "beyond the third they are answered at once"
    released.set()
    await asyncio.gather(*waiting)
    await bench.keeper.failed("192.0.2.9", [shop])
    assert len(bench.slept) == 4, "and there is room again"


async def test_a_request_that_fails_while_it_is_slowed_down_leaves_room_for_the_next(bench: Bench) -> None:
    for _ in range(10):
        await bench.keeper.failed("192.0.2.1")
    for _ in range(2):
        with pytest.raises(LookupError):
            async with bench.keeper.slowed_down("192.0.2.1"):
                raise LookupError
    assert len(bench.slept) == 2


async def test_the_zone_of_an_address_is_not_part_of_it(bench: Bench) -> None:
    for number in range(10):
        await bench.keeper.failed(f"fe80::1%eth{number}")
    assert await bench.slowed("fe80::1")


async def test_a_target_may_see_eight_times_the_guesses_of_one_address(bench: Bench) -> None:
    shop = Subject(kind="shop", text="acme")
    for number in range(79):
        await bench.keeper.failed(f"198.51.100.{number}", [shop])
    assert bench.slept == []
    await bench.keeper.failed("198.51.100.79", [shop])
    assert len(bench.slept) == 1


async def test_what_another_worker_counted_a_moment_ago_is_not_missed(bench: Bench) -> None:
    """Clocks of nodes differ a little, and a row may become visible after a look that came later."""
    other = bench.another()
    await other.look()
    bench.now -= timedelta(seconds=1.5)
    for _ in range(10):
        await bench.keeper.failed("192.0.2.1")
    bench.now += timedelta(seconds=1.5)
    await other.look()
    assert await bench.slowed("192.0.2.1", other)


async def test_a_worker_that_starts_hears_of_all_that_still_counts(bench: Bench) -> None:
    for _ in range(20):
        await bench.keeper.failed("192.0.2.1")
    bench.now += timedelta(minutes=9)
    other = bench.another()
    await other.look()
    assert await bench.slowed("192.0.2.1", other)


async def test_counts_are_kept_for_a_day(bench: Bench) -> None:
    async def kept() -> int:
        found = await bench.storage.query(LoadGuesses(since=NOW - timedelta(days=9), now=NOW - timedelta(days=9)))
        return len(found)

    await bench.keeper.failed("192.0.2.1")
    bench.now = NOW + timedelta(days=1)
    await bench.keeper.forget()
    assert await kept() == 1
    bench.now = NOW + timedelta(days=1, minutes=2)
    await bench.keeper.forget()
    assert await kept() == 0


def calling(authorization: str | None, named: str | None = None) -> Calling:
    client = Client(peer="192.0.2.1", address="192.0.2.1")
    return Calling(endpoint=Endpoint.SALES, client=client, named=named, authorization=authorization)


def test_what_is_a_guess_and_at_whom() -> None:
    assert is_guess(NotIdentified("x"), calling("Bearer x"))
    assert not is_guess(NotIdentified("x"), calling(None))
    assert not is_guess(NotIdentified("x", denial={}), calling("Bearer x"))
    assert is_guess(TicketUnknown("x"), calling(None))
    assert is_guess(SecurityFailed("x"), calling(None))
    assert not is_guess(AddressDenied("x"), calling("Bearer x"))
    assert targets_of(calling("Bearer x"), None, None) == ()
    assert targets_of(calling("Basic YWNtZTp4"), None, None) == (Subject(kind="shop", text="acme"),)
    assert targets_of(calling("Basic !"), None, None) == ()
    assert targets_of(calling("Basic YWNtZTp4", named="other"), None, None) == (Subject(kind="shop", text="other"),)

    class Message:
        ticket = "T"

    assert targets_of(calling(None, named="acme"), Message(), "erika") == (
        Subject(kind="shop", text="acme"),
        Subject(kind="account", text="erika"),
        Subject(kind="ticket", text="T"),
    )


# Over the wire


async def test_the_server_slows_an_address_down_and_lets_its_good_requests_in(start: Start) -> None:
    server = await start(guess_limit=3, guess_delay_seconds=0.02)
    for _ in range(3):
        assert outcome(await ask(server, key="od_wrong")) == "NotIdentified"
    assert outcome(await ask(server)) == "ok"
    said = [outcome(answer) for answer in await asyncio.gather(*(ask(server) for _ in range(8)))]
    assert "ok" in said
    assert set(said) <= {"ok", "TooManyGuesses"}
    refused = await asyncio.gather(*(server.post("depot", GET_TICKET) for _ in range(8)))
    late = next(answer for answer in refused if outcome(answer) == "TooManyGuesses")
    assert (late.status, late.fault()["retry"]) == (429, "Later")


def guess(dice: random.Random) -> bytes:
    ticket = new_ticket(dice.randbytes)
    return envelope(f'<GetTicket xmlns="{DEPOT}"><ticket>{ticket}</ticket></GetTicket>')


async def guessed(server: Server, count: int, seed: int) -> None:
    dice, said = random.Random(seed), dict[str, int]()
    receipt = await server.post("sales", envelope(order("real")))
    assert outcome(receipt) == "ok"

    async def attacker() -> None:
        while sum(said.values()) < count:
            found = outcome(await server.post("depot", guess(dice)))
            said[found] = said.get(found, 0) + 1

    await asyncio.gather(*(attacker() for _ in range(16)))
    print(f"seed {seed}: {said}")
    assert set(said) <= {"TicketUnknown", "TooManyGuesses"}
    alarms = [event for event in server.events() if event["event"] == "guessing" and event["of"] == "address"]
    assert len(alarms) == 1
    # Who is honest at the same address gets in, with patience.
    for _ in range(20):
        if (late := outcome(await ask(server))) == "ok":
            break
        print(f"an honest request: {late}")
        await asyncio.sleep(0.5)
    assert late == "ok"


async def test_two_thousand_guesses_hit_nothing_and_raise_one_alarm(
    start: Start, request: pytest.FixtureRequest
) -> None:
    await guessed(await start(guess_limit=10, guess_delay_seconds=0.001), 2_000, request.config.getoption("--seed"))


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_hundred_thousand_guesses_hit_nothing_and_raise_one_alarm(
    start: Start, request: pytest.FixtureRequest
) -> None:
    count = request.config.getoption("--guesses")
    await guessed(await start(guess_limit=10, guess_delay_seconds=0.001), count, request.config.getoption("--seed"))
