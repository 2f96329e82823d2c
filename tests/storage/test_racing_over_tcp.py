"""Collects, returns and withdrawals race over TCP through two workers: nothing is ever given out twice."""

import asyncio
import random
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
from places import Place
from racing_history import FIRM_CODE, History, race_for

from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core
from server.settings import load_settings

SERVE = "from server.cli.main import main; main()"
WITHOUT_CONDITIONS = (
    "import storage.sqlite.statements as lite, storage.postgres.statements as post, storage.statements as all\n"
    "def load(folders):\n"
    "    found = dict(all.load_statements(folders))\n"
    "    found['put_placement'] = found['set_placement']\n"
    "    for condition in (' AND licenses.version = n.version', ' AND l.version = n.version'):\n"
    "        found['raise_license_version'] = found['raise_license_version'].replace(condition, '')\n"
    "    return found\n"
    "lite.load_statements = post.load_statements = load\n" + SERVE
)
"""A server whose statements write placements without looking at the sums, nor at what moved since they were read."""

PIECES, COLLECTORS = 4, 8


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def served(config: Path, *, workers: int, code: str = SERVE):
    """A server in processes of its own."""
    port = free_port()
    arguments = ("serve", "--config", str(config), "--port", str(port), "--admin-port", "0", "--workers", str(workers))
    with (config.parent / f"events-{port}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, stderr=log)
    try:
        for _ in range(1500):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert process.returncode is None, f"the server ended; see {config.parent}"
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def raced(
    place: Place, folder: Path, *, servers: int, workers: int, code: str, rounds: int, seed: int, withdrawals: int
) -> History:
    print(f"seed {seed}, rounds {rounds}")
    # It runs a loop of its own, so it needs a thread.
    await asyncio.to_thread(initialise, folder)
    config = folder / CONFIG
    config.write_text(config.read_text().replace('"opendepot.sqlite3"', f'"{place.location}"'))
    async with opened_core(load_settings(config)) as core:
        await core.catalogue.add_item(item_number="A", firm_code=FIRM_CODE, product_code=1)
        _, api_key = await core.catalogue.add_shop("shop")
    trust = (folder / VENDOR_CERTIFICATE).read_bytes()
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(served(config, workers=workers, code=code)) for _ in range(servers)]
        race = await race_for(
            urls,
            api_key=api_key,
            trust=trust,
            folder=folder,
            pieces=PIECES,
            collectors=COLLECTORS,
            rng=random.Random(seed),
        )
        await race.run(rounds=rounds, withdrawals=withdrawals)
    return race.history


@pytest.mark.slow
@pytest.mark.xdist_group("machine")
async def test_collects_returns_and_withdrawals_never_over_collect(
    place: Place, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("--seed")
    history = await raced(
        place, tmp_path / "depot", servers=1, workers=2, code=SERVE, rounds=12, seed=seed, withdrawals=PIECES - 2
    )
    assert history.violations() == []
    assert history.taken_back == PIECES - 2
    assert history.most_in_use() >= PIECES - 2, "it is about something"
    sums = place.run("SELECT sum(wanted), sum(occupied) FROM placements")
    assert sums[0] == (history.in_use(), history.in_use())


@pytest.mark.slow
@pytest.mark.xdist_group("machine")
async def test_the_history_goes_red_when_the_condition_on_the_sums_is_removed(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "depot"
    history = await raced(
        place, folder, servers=2, workers=0, code=WITHOUT_CONDITIONS, rounds=100, seed=1, withdrawals=0
    )
    assert history.violations()


def test_a_history_says_what_it_contradicts() -> None:
    right = History(bought=2, imports=[("a", 2), ("a", 0), ("b", 2)])
    assert right.violations() == []
    assert History(bought=2, imports=[("a", 2), ("b", 1), ("a", 0)]).violations() == [
        "3 pieces were in use at once, and 2 were bought"
    ]
    assert History(bought=2, taken_back=1, imports=[("a", 2)]).violations() == [
        "2 are in use, 2 were bought and 1 taken back"
    ]
    assert len(History(bought=1, taken_back=2).violations()) == 2
