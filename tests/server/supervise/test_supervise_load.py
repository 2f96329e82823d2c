"""Under load nothing that reached the server goes without its whole answer, whatever happens but a kill.

Stop, reload and workers that are told to end cost no request. A kill costs what the killed worker held, and that can
be repeated without doubling anything. Counts are printed; the long variants take `--kills` and `--seed`.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from supervised import Depot, Supervised, peers, state_of, until
from supervised_load import Load, repeated, wrong_orders

Start = Callable[..., Supervised]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]


async def stopped_under_load(server: Supervised, end: Callable[[], None]) -> tuple[list[str], str]:
    """Load a server, have it end, and give everything that went wrong, and the counts."""
    async with Load(server.depot, server.url) as load:
        await load.goes_on()
        end()
        code = await server.ended()
        await server.all_gone()
        await load.finished(stop=False)
    wrong = load.failures(wrk=False) + wrong_orders(server.depot, load)
    return wrong + [f"exit code {code}"] * (code != 0), str(load)


async def test_a_stop_under_load_leaves_no_request_without_its_answer(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    wrong, counts = await stopped_under_load(server, lambda: server.tell(signal.SIGTERM))
    print(f"SIGTERM\n{counts}")
    assert wrong == []
    assert not server.events("drain_cut")
    assert not server.events("worker_killed")
    assert [event["code"] for event in server.events("worker_ended")] == [0, 0]
    assert server.events()[-1]["event"] == "stopped"


async def test_the_check_of_a_stop_goes_red_when_a_drain_cuts_at_once(
    depot: Depot, supervised: Start, tmp_path: Path
) -> None:
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(
        "from server.http.keeper import Keeper\n"
        "drain = Keeper.drain\n"
        "async def cutting(self, *, seconds):\n"
        "    for connection in list(self._connections): connection.abort()\n"
        "    return await drain(self, seconds=seconds)\n"
        "Keeper.drain = cutting\n"
    )
    server = await supervised(depot, environment={"PYTHONPATH": str(patch)}).serving()
    wrong, counts = await stopped_under_load(server, lambda: server.tell(signal.SIGTERM))
    print(f"SIGTERM, cutting\n{counts}")
    assert any("no whole answer" in one for one in wrong)


async def reload_under(load: Load, server: Supervised) -> None:
    before, count = set(server.workers().values()), len(server.events("reloaded"))
    server.tell(signal.SIGHUP)
    await server.event("reloaded", count=count + 1)
    await until(lambda: not before & server.members(), "the old workers have ended")
    await load.goes_on()


async def end_a_worker_under(load: Load, server: Supervised, slot: int) -> None:
    """Tell a worker itself to end, and wait until it is replaced."""
    pid = server.workers()[slot]
    os.kill(pid, signal.SIGTERM)
    await until(lambda: server.workers().get(slot, pid) != pid, "it is replaced")
    await until(lambda: pid not in server.members(), "it has ended")
    await load.goes_on()


async def test_two_reloads_under_load_cost_no_request(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    async with Load(depot, server.url) as load:
        await load.goes_on()
        for _ in range(2):
            await reload_under(load, server)
        await load.finished()
    print(f"2 SIGHUP\n{load}")
    assert load.failures() + wrong_orders(depot, load) == []
    assert load.tally.refused == len(load.tally.unreceived) == load.sdk.refused == 0
    assert load.tally.said_close > 0, "connections did move to the new workers"


async def test_ending_the_workers_one_by_one_under_load_costs_no_request(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    async with Load(depot, server.url) as load:
        await load.goes_on()
        for slot in (1, 2):
            await end_a_worker_under(load, server, slot)
        await load.finished()
    print(f"SIGTERM of each worker\n{load}")
    assert load.failures() + wrong_orders(depot, load) == []
    assert load.tally.refused == len(load.tally.unreceived) == load.sdk.refused == 0


async def stuck(load: Load, ports: set[int]) -> None:
    """Wait until exchanges on these ports, at least one, do not go on, so that no answer is on its way either."""
    seen: list[dict[int, str]] = []

    def still() -> bool:
        seen.append({port: name for port, name in load.tally.running.items() if port in ports})
        # Between two looks the event loop takes in what has come; an exchange with all its steps needs less than ten.
        return bool(seen[-1]) and seen[-10:] == [seen[-1]] * 10

    await until(still, "exchanges are stuck")


async def kill_a_worker_under(
    load: Load, server: Supervised, slot: int, *, in_exchange: bool = False
) -> tuple[list[str], int]:
    """Kill a worker; what is wrong about the exchanges that were cut, and how many those are.

    With `in_exchange` it is one that has at least one request to answer.
    """
    pid, before = server.workers()[slot], len(load.tally.cut)
    # Stopped, it can neither take nor leave a connection: what it holds is what may be cut.
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: state_of(pid) == "T", "it is stopped")
    held = peers(pid)
    if in_exchange:
        await stuck(load, held)
    os.kill(pid, signal.SIGKILL)
    await server.event("worker_died", process=pid)
    await load.goes_on()
    await until(lambda: server.workers().get(slot, pid) != pid, "it is replaced")
    await load.goes_on()
    cut = load.tally.cut[before:]
    wrong = [f"not held by the killed worker: {one}" for one in cut if one.port not in held]
    wrong += [f"a cut answer with a whole document: {one}" for one in cut if one.document]
    if len(cut) > len(held):
        wrong.append(f"{len(cut)} cut, {len(held)} held")
    return wrong, len(cut)


async def repeat_what_was_cut(load: Load, server: Supervised) -> list[str]:
    """Repeat each order that got no answer, twice; what is wrong about the answers."""
    wrong = []
    for transaction_id in [one.transaction_id for one in load.tally.cut + load.tally.unreceived] + load.sdk.unsure:
        first = await repeated(server.depot, server.port, transaction_id)
        if await repeated(server.depot, server.port, transaction_id) != first:
            wrong.append(f"{transaction_id} is answered with another order")
        load.tally.acknowledged.append(transaction_id)
    return wrong


async def test_a_killed_worker_costs_what_it_held_and_that_can_be_repeated(depot: Depot, supervised: Start) -> None:
    server = await supervised(depot).serving()
    async with Load(depot, server.url) as load:
        await load.goes_on()
        slot = max((1, 2), key=lambda slot: len(peers(server.workers()[slot])))
        wrong, cut = await kill_a_worker_under(load, server, slot, in_exchange=True)
        await load.finished()
    wrong += await repeat_what_was_cut(load, server)
    print(f"kill -9 of a worker: {cut} cut\n{load}")
    assert wrong + wrong_orders(depot, load) == []
    assert cut > 0, "it held something"
    assert not load.tally.other_statuses
    assert load.tally.refused == 0


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_many_ends_of_workers_and_servers_lose_nothing(
    depot_template: Depot, tmp_path: Path, supervised: Start, pytestconfig: pytest.Config
) -> None:
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    rng = random.Random(seed)
    print(f"kills {kills}, seed {seed}")
    done, cut, acknowledged, rounds = Counter[str](), 0, 0, 0
    while done["kill"] < kills:
        # A new server each time, since one whose workers die early waits longer and longer before it replaces them.
        depot = depot_template.copied(tmp_path / f"depot-{rounds}")
        server = await supervised(depot).serving()
        wrong: list[str] = []
        async with Load(depot, server.url) as load:
            for action in rng.sample(ACTIONS, k=len(ACTIONS)):
                await load.goes_on(orders=rng.randrange(300), calls=0)
                before, slot = len(load.tally.cut), rng.choice((1, 2))
                if action == "kill":
                    found, count = await kill_a_worker_under(load, server, slot)
                    wrong += found
                    cut += count
                else:
                    lost, unreceived = len(load.sdk.lost), len(load.tally.unreceived)
                    await (reload_under(load, server) if action == "reload" else end_a_worker_under(load, server, slot))
                    wrong += [f"{action}: {one}" for one in load.tally.cut[before:]]
                    wrong += [f"{action}: {one}" for one in load.sdk.lost[lost:]]
                    wrong += [f"{action}: {one}" for one in load.tally.unreceived[unreceived:]]
                done[action] += 1
            # The end of a server under load, in every second round; in the others what was cut is repeated first.
            before, lost, stopped = len(load.tally.cut), len(load.sdk.lost), rounds % 2 == 0
            if stopped:
                # A service manager may tell all processes of a service, or the first only.
                if rng.random() < 0.5:
                    os.killpg(server.pid, signal.SIGTERM)
                    done["stop of all processes"] += 1
                else:
                    server.tell(signal.SIGTERM)
                    done["stop"] += 1
                assert await server.ended() == 0
            await load.finished(stop=not stopped)
            wrong += [f"at the end: {one}" for one in load.tally.cut[before:]]
            wrong += [f"at the end: {one}" for one in load.sdk.lost[lost:]]
        if not stopped:
            wrong += await repeat_what_was_cut(load, server)
            server.tell(signal.SIGTERM)
            assert await server.ended() == 0
        wrong += [f"status {status}: {count}" for status, count in load.tally.other_statuses.items()]
        wrong += wrong_orders(depot, load)
        acknowledged += len(load.acknowledged)
        rounds += 1
        print(f"  {dict(done)}, {acknowledged} orders acknowledged, {cut} exchanges cut by kills: {wrong}\n{load}")
        assert wrong == [], f"round {rounds}, seed {seed}"
    print(f"{dict(done)}, {acknowledged} orders acknowledged, {cut} exchanges cut by kills, each by its own worker's")


ACTIONS = ("kill", "kill", "reload", "end a worker")
