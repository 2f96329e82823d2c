"""A process that sends mails until it is killed: `python mailing_process.py DATABASE PORT AUTHORITIES OWNER [WORD]`.

With `hold` it says `settling` when a mail was taken, and goes no further. With `patient` it gives a mail the time that
it takes on a machine with other work.
"""

import asyncio
import random
import ssl
import sys
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from typing import Any

from smtp_receiver import PASSWORD, USER

from licensing.marketing.addresses import AddressBook
from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.mail.composing import Composer, MessageIds
from server.mail.templates import MailTemplates
from server.outbox import Backoff, Dispatcher
from server.outbox.mail import MailChannel, SmtpServer
from server.settings import MailSecurity
from storage import Storage, open_storage
from storage.outbox import SettleDelivered


def now() -> datetime:
    return datetime.now(UTC)


class Holding:
    """A storage that waits for ever before it hears that a mail was taken."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def execute(self, command: Any) -> Any:
        if isinstance(command, SettleDelivered):
            print("settling", flush=True)
            await asyncio.Event().wait()
        return await self._storage.execute(command)


async def main(database: str, port: str, authorities: str, owner: str, *words: str) -> None:
    storage: Any = await open_storage(database)
    if "hold" in words:
        storage = Holding(storage)
    vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=random.Random(1).randbytes)
    book = AddressBook(storage=storage, vault=vault, clock=now)
    events, metrics = EventLog(sys.stdout, format=LogFormat.JSON, clock=now), Metrics(version="1")
    channel = MailChannel(
        server=SmtpServer(
            host="127.0.0.1",
            port=int(port),
            security=MailSecurity.STARTTLS,
            tls=ssl.create_default_context(cafile=authorities),
            user=USER,
            password=PASSWORD,
            return_path="bounces@example.com",
            seconds=5 if "patient" in words else 0.5,
        ),
        composer=Composer(
            sender=Address("Example Ltd", addr_spec="licences@example.com"),
            reply_to=None,
            public_url="https://licences.example.com",
            templates=MailTemplates(),
            book=book,
            ids=MessageIds(vault, domain="example.com"),
            clock=now,
        ),
        book=book,
        storage=storage,
        clock=now,
        events=events,
        metrics=metrics,
    )
    dispatcher = Dispatcher(
        storage=storage,
        vault=vault,
        channel=channel,
        # Each kill counts as a try, so that the wait would soon be hours.
        backoff=Backoff(attempts=1000, random=random.Random(1).random, most=timedelta(seconds=10)),
        clock=now,
        owner=owner,
        events=events,
        metrics=metrics,
    )
    while True:
        await dispatcher.turn()
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
