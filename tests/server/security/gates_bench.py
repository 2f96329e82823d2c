"""The gates of a worker over a real database, without a listener, and requests as values."""

import asyncio
import io
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families
from signed_messages import NOW
from wire import envelope

from ipfilters import Endpoint, TrustedProxies, read_rules
from licensing.catalogue import Catalogue
from licensing.credentials import Credentials
from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.filters.editing import FilterEditor
from server.filters.keeper import FilterKeeper
from server.handlers.rights import REQUIRED
from server.security.callers import Calling
from server.security.gates import Gates
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.messages import WsSecurity
from soap import Engine, Received, load_contract
from soap.messages import admin, depot, sales
from soap.names import HEADER
from storage import Storage, open_storage
from storage.records import AccessPolicy
from xmlgate import Limits

HERE = "192.0.2.1"
"""Where requests come from, unless a test says otherwise."""
LISTED = "10.1.1.1"
"""A proxy that is believed."""
_SERVICES = {
    Endpoint.SALES: ("v1/sales.wsdl", sales),
    Endpoint.DEPOT: ("v1/depot.wsdl", depot),
    Endpoint.ADMIN: ("v1/admin.wsdl", admin),
}
BODIES = {
    Endpoint.SALES: '<ListItems xmlns="urn:opendepot:sales:1"/>',
    Endpoint.DEPOT: '<GetTicket xmlns="urn:opendepot:depot:1"><ticket>x</ticket></GetTicket>',
    Endpoint.ADMIN: '<ListShops xmlns="urn:opendepot:admin:1"/>',
}


@cache
def engine(endpoint: Endpoint) -> Engine:
    wsdl, messages = _SERVICES[endpoint]
    return Engine(load_contract(wsdl), messages, limits=Limits(), validate_answers=False)


def message(endpoint: Endpoint = Endpoint.SALES, body: str | None = None, *, header: str = "") -> Received:
    """A message of a service, as it stands before gate B."""
    data = envelope(BODIES[endpoint] if body is None else body, header=header)
    return engine(endpoint).open(data, content_type="text/xml", soap_action=None)


def front(address: str = "198.51.100.7", account: str = "") -> str:
    """The header block by which somebody speaks for somebody else."""
    told = f"<account>{account}</account>" if account else ""
    return f'<OnBehalfOf xmlns="{HEADER}"><clientAddress>{address}</clientAddress>{told}</OnBehalfOf>'


@dataclass
class World:
    """What stands behind the gates. Its clocks are a test's to move."""

    storage: Storage
    now: Any = NOW
    seconds: float = 100.0

    def __post_init__(self) -> None:
        self.log = io.StringIO()
        self.metrics = Metrics(version="test")
        clock: Callable[[], Any] = lambda: self.now  # noqa: E731  one clock for all of them
        numbers = iter(range(1, 1_000_000))
        random: Callable[[int], bytes] = lambda count: next(numbers).to_bytes(count)  # noqa: E731
        vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=random)
        self.catalogue = Catalogue(storage=self.storage, vault=vault, clock=clock, random=random)
        self.credentials = Credentials(storage=self.storage, vault=vault, clock=clock, random=random)
        self.keeper = FilterKeeper(
            self.storage,
            files=(),
            clock=clock,
            monotonic=lambda: self.seconds,
            events=EventLog(self.log, format=LogFormat.JSON, clock=clock),
            metrics=self.metrics,
        )

    def gates(self, **options: Any) -> Gates:
        return Gates(
            self.catalogue,
            self.credentials,
            self.keeper,
            self.metrics,
            **{
                "proxies": TrustedProxies.read(["10.0.0.0/8"]),
                "header": "x-forwarded-for",
                "requirements": {Endpoint(name): required for name, required in REQUIRED.items()},
                "message_security": WsSecurity(self.credentials, self.metrics, window=Window()),
                **options,
            },
        )

    async def shop(self, name: str = "acme", *, policy: AccessPolicy | None = None, **options: Any) -> str:
        """Add a shop and give its API key."""
        _, api_key = await self.catalogue.add_shop(name, **options)
        if policy is not None:
            await self.catalogue.set_policy(name, policy)
        await self.keeper.look()
        return api_key

    async def certificate(self, shop: str, certificate: x509.Certificate, *, authority: bool = False) -> None:
        await self.credentials.add_certificate(shop, certificate, authority=authority)
        await self.keeper.look()

    async def rules(self, text: str) -> None:
        rules = read_rules("format = 1\n" + text, file="test")
        editor = FilterEditor(self.storage, clock=lambda: self.now)
        await editor.store(await editor.prepare(lambda _: rules), author="test", comment="")
        await self.keeper.look()

    def counted(self, name: str, **labels: str) -> float:
        """What a counter stands at."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics.exposition().decode())
            for sample in family.samples
            if sample.name == f"opendepot_{name}_total" and labels.items() <= sample.labels.items()
        )

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def later(self, seconds: float) -> None:
        self.seconds += seconds
        self.now += timedelta(seconds=seconds)


def calling(
    gates: Gates,
    endpoint: Endpoint = Endpoint.SALES,
    *,
    key: str | None = None,
    named: str | None = None,
    peer: str = HERE,
    secure: bool = False,
    certificate: bytes | None = None,
    **fields: str,
) -> Calling:
    """What is known of a request; `fields` are header fields, with _ for -."""
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    if key is not None:
        given["authorization"] = f"Bearer {key}"
    return gates.calling(endpoint, peer=peer, secure=secure, certificate=certificate, fields=given, named=named)


async def opened(folder: Path, empty: Path) -> AsyncIterator[World]:
    """A world of its own: the database is copied from one that is migrated already."""
    if not await asyncio.to_thread(empty.exists):
        await (await open_storage(empty)).close()
    place = folder / "depot.sqlite3"
    await asyncio.to_thread(shutil.copyfile, empty, place)
    storage = await open_storage(place)
    try:
        yield World(storage)
    finally:
        await storage.close()
