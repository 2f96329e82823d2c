"""What tests of extensions share: a deployment, OZOMM in the same process or in another, and its licensees."""

import asyncio
import io
import json
import secrets
import socket
import sqlite3
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crm import Crm
from wire import FIRM_CODE, initialise_in_thread

from containers import Container
from opendepot import Credential, DepotClient, OzommClient, SalesClient
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE
from server.core import opened_core, utc_now
from server.listener import serving
from server.settings import load_settings
from soap.messages import depot, ozomm, sales

DATABASE, OZOMM_FILE, EVENTS = "opendepot.sqlite3", "ozomm.toml", "events.log"
NO_SECRETS: Mapping[str, str] = MappingProxyType({})
NOTHING: Mapping[str, Any] = MappingProxyType({})
PRODUCT_CODE = 100
SERVE = "from server.cli.main import main; main()"
ITEMS = {
    "EDITOR": "expirationTime=add:365d",
    "EDITOR-2D": "expirationTime=add:2d",
    "EDITOR-7D": "expirationTime=add:7d",
    "EDITOR-30": "expirationTime=add:30d",
    "BRIDGED": "expirationTime=add:365d",
    "STRICT": "expirationTime=add:365d",
    "STRICT-2D": "expirationTime=add:2d",
    "PLUGIN": "featureMap=3",
}
TESTING: dict[str, Any] = {"port": 0, "admin_port": 0, "validate_answers": True, "guess_limit": 1_000_000}


@dataclass(kw_only=True)
class Deployment:
    """Sales and Depot at `url`, OZOMM at `ozomm_url`, which keeps what it knows in `ozomm_folder`."""

    url: str
    api_key: str
    folder: Path
    ozomm_url: str
    ozomm_folder: Path
    log: io.StringIO
    ozomm_log: io.StringIO
    tls: ssl.SSLContext | None = None
    licensees: int = 0

    async def buys(self, item: str = "EDITOR", **customer: Any) -> "Licensee":
        """Order a licence and collect it into a container of its own."""
        self.licensees += 1
        name = f"licensee-{self.licensees}"
        async with SalesClient(self.url, api_key=self.api_key, tls=self.tls) as shop:
            receipt = await shop.create_order(
                sales.CreateOrderRequest(
                    transaction_id=name,
                    customer=sales.Customer(**customer) if customer else None,
                    order_line=(sales.OrderLine(item_number=item, quantity=1),),
                )
            )
        container = Container.create(
            self.folder / f"{name}.json",
            trust_pem=(self.folder / VENDOR_CERTIFICATE).read_bytes(),
            clock=utc_now,
            random=secrets.token_bytes,
        )
        async with DepotClient(self.url, tls=self.tls) as licensee:
            await licensee.collect(receipt.ticket, container)
        return Licensee(deployment=self, ticket=receipt.ticket, order_id=receipt.order_id, container=container)


@dataclass(kw_only=True)
class Licensee:
    """A ticket, and the container into which its licence was collected."""

    deployment: Deployment
    ticket: str
    order_id: str
    container: Container
    credential: Credential | None = None

    def asking(self) -> DepotClient:
        """A client of the Depot, as this licensee's application has it."""
        deployment = self.deployment
        return DepotClient(deployment.url, attempts=1, tls=deployment.tls, credential=self.credential)

    def context(self) -> bytes:
        return self.container.context(FIRM_CODE)

    def ends(self) -> datetime:
        """When the container's licence ends."""
        (entry,) = self.container.listing(FIRM_CODE)
        assert entry.options.expiration_time is not None
        return entry.options.expiration_time

    async def ends_centrally(self) -> datetime:
        async with DepotClient(self.deployment.url, tls=self.deployment.tls) as client:
            (license_,) = (await client.get_ticket(self.ticket)).license
        assert license_.expiration is not None
        return license_.expiration.time

    async def extend(self, name: str = "x-1", *, context: bytes | None = None, **values: Any) -> depot.Extension:
        """Ask the Depot, which passes it on."""
        async with self.asking() as client:
            message = depot.ExtendLicenseRequest(
                **{"transaction_id": name, "ticket": self.ticket, **values},
                context=None if context is None else depot.ContainerContext(file=context),
            )
            answer: depot.ExtendLicenseAnswer = await client.call("ExtendLicense", message)
        return answer.extension

    async def get(self, name: str = "x-1", *, context: bytes | None = None) -> ozomm.Extension:
        """Ask OZOMM at its own address."""
        async with OzommClient(self.deployment.ozomm_url, attempts=1, tls=self.deployment.tls) as client:
            return await client.get_extension(
                ozomm.GetExtensionRequest(
                    transaction_id=name,
                    ticket=self.ticket,
                    context=None if context is None else ozomm.ContainerContext(file=context),
                )
            )

    async def get_by_depot(self, name: str = "x-1", *, context: bytes | None = None) -> depot.Extension:
        """Ask the Depot what has become of it."""
        async with self.asking() as client:
            message = depot.GetExtensionRequest(
                transaction_id=name,
                ticket=self.ticket,
                context=None if context is None else depot.ContainerContext(file=context),
            )
            answer: depot.GetExtensionAnswer = await client.call("GetExtension", message)
        return answer.extension

    async def until(self, state: str, name: str = "x-1") -> ozomm.Extension:
        for _ in range(400):
            found = await self.get(name)
            if found.state == state:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"it is still {found}")

    async def imported(self, update: bytes) -> str:
        """Import an update file and confirm it; the state that the Depot answers with."""
        receipt = self.container.import_update(update).receipt
        async with self.asking() as client:
            return (await client.confirm_license_update(receipt)).state

    def orders(self) -> int:
        """How many orders OZOMM has placed on the ticket."""
        with closing(sqlite3.connect(self.deployment.folder / DATABASE)) as db:
            query = (
                "SELECT count(*) FROM orders WHERE transaction_id LIKE 'ozomm-%' AND ticket_id ="
                " (SELECT ticket_id FROM orders WHERE order_id = ?)"
            )
            return int(db.execute(query, (self.order_id,)).fetchone()[0])

    def asked(self, crm: Crm) -> list[dict[str, Any]]:
        """What the CRM was asked about the ticket."""
        return [question for question in crm.asked if question["ticket"] == self.ticket]

    def mails(self, crm: Crm) -> list[str]:
        """The kinds of mails that were written about extensions that the CRM was asked of."""
        names = {question["extension_id"] for question in self.asked(crm)}
        with closing(sqlite3.connect(self.deployment.ozomm_folder / DATABASE)) as db:
            query = "SELECT message_id, kind FROM outbox WHERE channel = 'mail' ORDER BY message_id"
            found = db.execute(query).fetchall()
        return [kind for message_id, kind in found if any(message_id.startswith(name) for name in names)]


async def stocked(folder: Path) -> str:
    """Make the files of a server, with items that expire and one that does not; the API key of its shop."""
    initialise_in_thread(folder)
    async with opened_core(load_settings(folder / CONFIG)) as core:
        for number, option in ITEMS.items():
            await core.catalogue.add_item(
                item_number=number, firm_code=FIRM_CODE, product_code=PRODUCT_CODE, options=(option,)
            )
        _, api_key = await core.catalogue.add_shop("shop")
    return api_key


async def stocked_with_ozomm(folder: Path, place: Path) -> tuple[str, Path]:
    """As `stocked`, and OZOMM's own files in `place`; the shop's API key, and the file with OZOMM's own."""
    api_key = await stocked(folder)
    async with opened_core(load_settings(folder / CONFIG)) as core:
        _, own_key = await core.catalogue.add_shop("the-ozomm", rights=("order", "extend-any"))
    initialise_in_thread(place)
    return api_key, secret_file(place, "api-key", own_key)


def secret_file(place: Path, name: str, secret: str) -> Path:
    """A file that nobody else can read."""
    path = place / "secrets" / name
    path.write_text(secret)
    path.chmod(0o600)
    return path


def free_port() -> int:
    """A port that is free now: the one server must be told where the other is before either is up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def in_one_process(
    folder: Path, configuration: str, *, secrets_of: Mapping[str, str] = NO_SECRETS, **settings: Any
) -> AsyncIterator[Deployment]:
    """Serve Sales, Depot and OZOMM together. `secrets_of`: files beside the keys, by name."""
    api_key = await stocked(folder)
    log = io.StringIO()
    configure_ozomm(folder, configuration, secrets_of)
    loaded = load_settings(folder / CONFIG, **TESTING, ozomm_file=folder / OZOMM_FILE, **settings)
    async with serving(loaded, log=log) as up:
        yield Deployment(
            url=up.local_url,
            api_key=api_key,
            folder=folder,
            ozomm_url=up.local_url,
            ozomm_folder=folder,
            log=log,
            ozomm_log=log,
        )


@asynccontextmanager
async def apart(
    folder: Path,
    place: Path,
    configuration: str,
    *,
    secrets_of: Mapping[str, str] = NO_SECRETS,
    process: bool = False,
    central: Mapping[str, Any] = NOTHING,
    tls: ssl.SSLContext | None = None,
    prepared: Callable[[Path, Path], Awaitable[None]] | None = None,
    **settings: Any,
) -> AsyncIterator[Deployment]:
    """Serve Sales and Depot here, and OZOMM as another server with files of its own, over SOAP; as a process or not.

    `settings` are OZOMM's, `central` those of the other server; `tls` is how their clients know both, where they speak
    TLS. `prepared` does more to the files of both before they are served.
    """
    api_key, secret = await stocked_with_ozomm(folder, place)
    if prepared is not None:
        await prepared(folder, place)
    log, ozomm_log, port = io.StringIO(), io.StringIO(), free_port()
    scheme = "http" if tls is None else "https"
    configure_ozomm(place, configuration, secrets_of)
    url = f"{scheme}://127.0.0.1:{port}"
    loaded = load_settings(folder / CONFIG, **TESTING, ozomm_url=url, services=("sales", "depot"), **central)
    async with serving(loaded, log=log) as up:
        own = {
            "services": ["ozomm"],
            "ozomm_file": OZOMM_FILE,
            "ozomm_central_url": up.local_url,
            "ozomm_api_key_file": str(secret),
            **settings,
        }
        config = place / CONFIG
        config.write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in own.items()) + config.read_text()
        )
        made = as_process(config, port, log=place / EVENTS) if process else as_server(config, port, ozomm_log)
        async with made:
            yield Deployment(
                url=up.local_url,
                api_key=api_key,
                folder=folder,
                ozomm_url=url,
                ozomm_folder=place,
                log=log,
                ozomm_log=ozomm_log,
                tls=tls,
            )


def configure_ozomm(place: Path, configuration: str, secrets_of: Mapping[str, str]) -> None:
    """Write the file that says who decides, and the secrets it names."""
    (place / OZOMM_FILE).write_text(configuration)
    for name, secret in secrets_of.items():
        secret_file(place, name, secret)


@asynccontextmanager
async def as_server(config: Path, port: int, log: io.StringIO) -> AsyncIterator[None]:
    """Serve OZOMM in this process, on a port of its own."""
    async with serving(load_settings(config, **{**TESTING, "port": port}), log=log):
        yield


@asynccontextmanager
async def as_process(config: Path, port: int, *, log: Path) -> AsyncIterator[None]:
    """Run `opendepot ozomm serve` until the block ends; it must end in order when it is told to."""
    arguments = ("ozomm", "serve", "--config", str(config), "--port", str(port), "--admin-port", "0", "--workers", "0")
    with log.open("wb") as events:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, *arguments, stderr=events)
    try:
        async with asyncio.timeout(60):
            while not await _listening(port):
                assert process.returncode is None, f"see {log}"
                await asyncio.sleep(0.02)
        yield
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0, f"see {log}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
