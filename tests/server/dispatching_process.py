"""A process that delivers from a database until it is killed: `python dispatching_process.py DATABASE URL OWNER`."""

import asyncio
import base64
import random
import sys
from datetime import UTC, datetime

import aiohttp
from webhook_receiver import SECRET

from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.outbox import Backoff, Dispatcher
from server.outbox.webhook import WebhookChannel
from storage import open_storage


def now() -> datetime:
    return datetime.now(UTC)


async def main(database: str, url: str, owner: str) -> None:
    storage = await open_storage(database)
    async with aiohttp.ClientSession() as session:
        dispatcher = Dispatcher(
            storage=storage,
            vault=Vault(pepper=bytes(32), sealing_key=bytes(32), random=random.Random(1).randbytes),
            channel=WebhookChannel(session=session, url=url, secret=base64.b64decode(SECRET), seconds=0.5, clock=now),
            backoff=Backoff(attempts=5, random=random.Random(1).random),
            clock=now,
            owner=owner,
            events=EventLog(sys.stdout, format=LogFormat.JSON, clock=now),
            metrics=Metrics(version="1"),
        )
        while True:
            await dispatcher.turn()
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
