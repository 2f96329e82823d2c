"""Keys replaced under load on two workers: not one request fails, though the command is killed on the way."""

import asyncio
import re
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from digest_messages import digest_message
from supervised import PATIENCE, Depot, Supervised, in_thread, until

from server.core import opened_core, utc_now
from server.keys.files import read_ring
from server.keys.rotating import Rotating
from server.settings import load_settings
from soap import Version
from storage.keys import KeyKind

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]

COMMAND = "from server.cli.main import main; main()"
KILL_AFTER = ("added", "is in use")
"""What it says before it waits for the servers."""


async def said_by(depot: Depot, *words: str, kill_at: str | None = None) -> tuple[int, str]:
    """Run `opendepot keys`, or kill it as soon as it says something; its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", COMMAND, "keys", *words, "--config", str(depot.config)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = ""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        said += line.decode()
        if kill_at is not None and kill_at in said:
            process.send_signal(signal.SIGKILL)
    return await process.wait(), said


class Load:
    """Shops that order and list until told to stop: by API key on new and kept connections, and by digest."""

    def __init__(self, depot: Depot, server: Supervised, username: str, secret: str) -> None:
        self.depot, self.server, self.username, self.secret = depot, server, username, secret
        self.outcomes: Counter[str] = Counter()
        self.stop = asyncio.Event()

    async def ordering(self, name: str) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            headers = {"Content-Type": Version.SOAP11.content_type, "Authorization": f"Bearer {self.depot.api_key}"}
            await self._asked(self.depot.order_body(f"{name}-{number}"), headers)

    async def repeating(self) -> None:
        """The same order again and again must be the same answer, whatever key sealed it meanwhile."""
        headers = {"Content-Type": Version.SOAP11.content_type, "Authorization": f"Bearer {self.depot.api_key}"}
        answers = set()
        while not self.stop.is_set():
            answers.add(await self._asked(self.depot.order_body("same"), headers))
        self.outcomes[f"{len(answers)} answers"] += 1

    async def digesting(self) -> None:
        while not self.stop.is_set():
            message = digest_message(self.username, self.secret)
            await self._asked(message, {"Content-Type": Version.SOAP11.content_type})

    async def _asked(self, body: bytes, headers: dict[str, str]) -> bytes:
        await asyncio.sleep(0.01)  # the machine's cores are for the servers and the command, too
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.server.url}/v1/sales", data=body, headers=headers) as answer,
        ):
            found = await answer.read()
            code = re.search(rb"<(?:\w+:)?code>(\w+)", found)
            self.outcomes["ok" if answer.status == 200 else (code[1].decode() if code else str(answer.status))] += 1
            return found


@asynccontextmanager
async def rotating(depot: Depot) -> AsyncIterator[Rotating]:
    """What the command does, in this process: the command takes seconds to start on a busy machine."""
    settings = load_settings(depot.config)
    async with opened_core(settings) as core:
        yield Rotating(
            settings,
            storage=core.storage,
            vault=core.vault,
            keeper=core.keys,
            clock=utc_now,
            random=secrets.token_bytes,
            tell=print,
            wait_seconds=PATIENCE,
        )


async def test_keys_are_replaced_under_load_without_one_failed_login(depot: Depot, supervised) -> None:
    async def named() -> str:
        async with opened_core(load_settings(depot.config)) as core:
            return (await core.credentials.add_username("shop", "machine")).secret

    secret = in_thread(lambda: asyncio.run(named()))
    server = await supervised(depot, workers=2).serving()
    load = Load(depot, server, "machine", secret)
    works = [load.ordering("a"), load.ordering("b"), load.repeating(), load.digesting(), load.digesting()]
    tasks = [asyncio.create_task(work) for work in works]
    sealing = load_settings(depot.config).sealing_key_file
    first = read_ring(sealing, setting="").keys[0].name
    try:
        await until(lambda: load.outcomes["ok"] > 20, "the load runs")
        for words in KILL_AFTER:
            code, said = await said_by(depot, "rotate", kill_at=words)
            assert code == -signal.SIGKILL, said
        async with rotating(depot) as rotate:
            assert (await rotate.rotate(KeyKind.SEALING_KEY)).again
        assert len(read_ring(sealing, setting="").names) == 2, "one new key, however often it was killed"
        async with rotating(depot) as rotate:
            await rotate.rotate(KeyKind.PEPPER)
        before = load.outcomes["ok"]
        await until(lambda: load.outcomes["ok"] > before + 40, "the load goes on")
        async with rotating(depot) as rotate:
            await rotate.retire(first)
        before = load.outcomes["ok"]
        await until(lambda: load.outcomes["ok"] > before + 40, "the load goes on")
        server.tell(signal.SIGHUP)
        await server.event("reloaded")
        before = load.outcomes["ok"]
        await until(lambda: load.outcomes["ok"] > before + 40, "the load goes on with new workers")
    finally:
        load.stop.set()
        await asyncio.gather(*tasks)
    print(load.outcomes)
    assert set(load.outcomes) == {"ok", "1 answers"}, load.outcomes
    code, said = await said_by(depot, "list")
    assert re.search(rf"{first}  retired .*needed for nothing", said), said
    assert re.search(r"pepper        \w+  active .*2 credentials", said), "both were renewed when they came by"
    assert {event["event"] for event in server.events()} >= {"keys_taken_up", "keys_in_use"}
    assert not server.events("key_missing")
