"""The rules over an open storage, from settings, without any listener: what servers and CLI verbs work with."""

import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from containers import FirmSecurityBox, SoftwareBox, load_trust
from licensing.alarms import Alarms
from licensing.announcing import Announcer
from licensing.audit import Sealer, SealingKey
from licensing.bulk import Bulk
from licensing.catalogue import Catalogue
from licensing.credentials import Credentials
from licensing.depot import Depot
from licensing.linking import UpdateLinks
from licensing.losses import Losses
from licensing.marketing.addresses import AddressBook
from licensing.marketing.campaigns import Campaigns
from licensing.orders import Sales
from licensing.pushing import Pushing
from licensing.replaying import Replaying
from licensing.searching import OrderSearch
from licensing.tracing import Tracer
from licensing.transfers.carrying import Carrier
from licensing.transfers.journal import Journal
from licensing.vault import Vault
from licensing.vendor_actions import VendorActions
from licensing.watching import Watcher
from server.chance import DrawnAhead
from server.errors import SettingsError
from server.keys.files import open_box, read_rings
from server.keys.keeper import KeyKeeper
from server.security.wssecurity.once import MarkingStorage
from server.settings import Settings
from storage import Storage, open_storage
from storage.commands import InitialiseServer
from storage.keys import KeyKind
from storage.remembering import RememberingStorage

LONGEST_WAIT = 50.0
"""Seconds that a request may wait for news (design, section 4)."""

Clock = Callable[[], datetime]
Random = Callable[[int], bytes]


class OpenDatabase(Protocol):
    """How a database is opened: `storage.open_storage`, or something that promises the same."""

    async def __call__(
        self,
        location: str | Path,
        *,
        queue_limit: int,
        reader_count: int,
        busy_seconds: float,
        statement_cache_size: int,
    ) -> Storage:
        """Open the database; raises what `storage.open_storage` raises."""
        ...


def utc_now() -> datetime:
    """Give the time: the default clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """The rules over an open storage, without any listener: what the CLI verbs work with."""

    storage: RememberingStorage
    vault: Vault
    catalogue: Catalogue
    credentials: Credentials
    sales: Sales
    order_search: OrderSearch
    vendor_actions: VendorActions
    depot: Depot
    losses: Losses
    pushing: Pushing
    bulk: Bulk
    links: UpdateLinks
    watcher: Watcher
    replaying: Replaying
    tracer: Tracer
    addresses: AddressBook
    campaigns: Campaigns
    box: FirmSecurityBox
    audit_key: SealingKey
    keys: KeyKeeper
    sealer: Sealer
    owner: str


@asynccontextmanager
async def opened_core(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    random: Random | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    open_database: OpenDatabase | None = None,
) -> AsyncIterator[Core]:
    """Open keys and database and give the rules over them.

    `open_database` is another one where the way to commit varies; `random` is the operating system's, if not given.

    Raises SettingsError for keys that are missing or belong to another database, and `storage.errors.StorageError`.
    """
    rings = read_rings(settings)
    random = random or DrawnAhead()
    vault = Vault(pepper=rings[KeyKind.PEPPER], sealing_key=rings[KeyKind.SEALING_KEY], random=random)
    owner = _owner(random)
    opened = await (open_database or open_storage)(
        settings.database,
        queue_limit=settings.writer_queue,
        reader_count=settings.reader_count,
        busy_seconds=settings.busy_seconds,
        statement_cache_size=settings.statement_cache_size,
    )
    storage = RememberingStorage(MarkingStorage(opened), monotonic=monotonic)
    try:
        keys = KeyKeeper(settings, storage=storage, vault=vault, clock=clock, process=owner, node=socket.gethostname())
        await _own_database(storage, vault, keys, clock)
        box, _ = open_box(settings.firm_security_box_file, vault.sealing_keys)
        storage.on_change = keys.refresh
        storage.start()
        assembly = _Assembly(
            settings=settings,
            storage=storage,
            vault=vault,
            keys=keys,
            box=box,
            owner=owner,
            clock=clock,
            random=random,
        )
        yield assembly.core()
    finally:
        await storage.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Assembly:
    """What all rules stand on, and how they are put together over it."""

    settings: Settings
    storage: RememberingStorage
    vault: Vault
    keys: KeyKeeper
    box: SoftwareBox
    owner: str
    clock: Clock
    random: Random

    def core(self) -> Core:
        storage, vault, clock, random = self.storage, self.vault, self.clock, self.random
        announcer = self._announcer()
        watcher = Watcher(storage, longest_seconds=min(LONGEST_WAIT, self.settings.exchange_seconds * 0.8))
        carrier = self._carrier(watcher, announcer)
        sales = self._sales(watcher, announcer)
        depot = Depot(carrier=carrier, vault=vault)
        pushing = Pushing(carrier=carrier, depot=depot, watcher=watcher, monotonic=time.monotonic)
        audit_key = SealingKey(lambda: vault.seed("audit"))
        return Core(
            storage=storage,
            vault=vault,
            catalogue=Catalogue(storage=storage, vault=vault, clock=clock, random=random),
            credentials=Credentials(storage=storage, vault=vault, clock=clock, random=random),
            sales=sales,
            order_search=OrderSearch(storage=storage, vault=vault, sales=sales),
            vendor_actions=self._vendor_actions(watcher, announcer),
            depot=depot,
            losses=Losses(carrier=carrier, vault=vault, random=random),
            pushing=pushing,
            links=self._links(),
            bulk=self._bulk(watcher, pushing, sales),
            watcher=watcher,
            replaying=Replaying(carrier=carrier),
            tracer=Tracer(storage=storage, vault=vault, depot=depot),
            addresses=AddressBook(storage=storage, vault=vault, clock=clock),
            campaigns=Campaigns(storage=storage, clock=clock),
            box=self.box,
            audit_key=audit_key,
            keys=self.keys,
            sealer=Sealer(storage=storage, key=audit_key, clock=clock, random=random, owner=self.owner),
            owner=self.owner,
        )

    def _announcer(self) -> Announcer | None:
        if self.settings.webhook_url is None:
            return None
        kinds = self.settings.webhook_events
        return Announcer(vault=self.vault, clock=self.clock, random=self.random, kinds=kinds)

    def _carrier(self, watcher: Watcher, announcer: Announcer | None) -> Carrier:
        return Carrier(
            storage=self.storage,
            box=self.box,
            trust=load_trust(self.box.root_certificate_pem),
            clock=self.clock,
            alarms=Alarms(),
            journal=None if self.settings.journal is None else Journal(self.settings.journal),
            changed=watcher.nudge,
            announcer=announcer,
            vault=self.vault,
        )

    def _sales(self, watcher: Watcher, announcer: Announcer | None) -> Sales:
        return Sales(
            storage=self.storage,
            vault=self.vault,
            clock=self.clock,
            random=self.random,
            collect_url=self.settings.collect_url,
            announcer=announcer,
            changed=watcher.nudge,
        )

    def _vendor_actions(self, watcher: Watcher, announcer: Announcer | None) -> VendorActions:
        return VendorActions(
            storage=self.storage,
            vault=self.vault,
            clock=self.clock,
            random=self.random,
            announcer=announcer,
            changed=watcher.nudge,
        )

    def _links(self) -> UpdateLinks:
        return UpdateLinks(
            storage=self.storage,
            vault=self.vault,
            clock=self.clock,
            random=self.random,
            lifetime=self.settings.update_link_lifetime,
        )

    def _bulk(self, watcher: Watcher, pushing: Pushing, sales: Sales) -> Bulk:
        return Bulk(
            storage=self.storage,
            vault=self.vault,
            pushing=pushing,
            customer_lookup=sales.customer_lookup,
            stops=lambda: watcher.closed,
        )


def _owner(random: Random) -> str:
    """Give a name that no other process has, which says where this one runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{random(4).hex()}"


async def _own_database(storage: Storage, vault: Vault, keys: KeyKeeper, clock: Clock) -> None:
    """Start a new database in its first epoch; refuse one that other keys have sealed, or one that is missing here."""
    fingerprint = vault.fingerprint()
    now = clock()
    server = await storage.execute(
        InitialiseServer(epoch=int(now.timestamp() * 1000), key_fingerprint=fingerprint, at=now)
    )
    await keys.refresh()
    keys.refuse_missing()
    if server.key_fingerprint not in vault.fingerprints():
        raise SettingsError(
            "pepper_file, sealing_key_file: these keys are not those that the database was made with; put those back"
        )
