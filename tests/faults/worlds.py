"""What every fault is done to: a folder with a server's files, a shop, containers, and the ways to ask that server."""

import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from checking import Ledger, Receipt, Refused, ailments, broken_promises, damage, plain, unsound

from containers import Container
from licensing.errors import LicensingError
from licensing.orders import OrderLine, OrderRequest
from opendepot import DepotClient, FaultReceived, SalesClient
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import Core, opened_core, utc_now
from server.settings import Settings, load_settings
from soap.messages import depot, sales
from storage.errors import StorageError
from storage.records import Shop

FIRM_CODE = 6000010
PIECES = 2
DATABASE = "opendepot.sqlite3"
CONTAINERS = 3
PLENTY = 40
"""Licences in a container; the more it holds, the larger its contexts, and the fewer fit between two kills."""


@dataclass
class World:
    """Where a server lives, who asks it, and what they were answered."""

    folder: Path
    api_key: str
    port: int
    containers: list[Container]
    ledger: Ledger = field(default_factory=Ledger)
    retired: list[Container] = field(default_factory=list)
    admin_port: int = field(default_factory=lambda: free_port())  # noqa: PLW0108  it stands below
    ask: Callable[[str], list[tuple[object, ...]]] | None = None
    """Gives the rows of a PostgreSQL database; None where the database is a file."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        # Not the default: another server of this machine may be there, and the doctor would ask it.
        return load_settings(self.folder / CONFIG, admin_port=self.admin_port)

    @property
    def database(self) -> Path:
        return Path(self.settings.database)

    def renew_full_containers(self) -> None:
        """Put new containers in the place of those that hold a lot; what the old ones hold still counts."""
        for place, container in enumerate(self.containers):
            if len(container.listing(FIRM_CODE)) >= PLENTY:
                self.retired.append(container)
                number = len(self.containers) + len(self.retired) - 1
                self.containers[place] = new_container(self.folder, f"c{number}.json")

    def shop(self) -> SalesClient:
        return SalesClient(self.url, api_key=self.api_key, attempts=1, timeout_seconds=10)

    def licensee(self) -> DepotClient:
        return DepotClient(self.url, attempts=1, timeout_seconds=10)


async def make_world(folder: Path, *, ledger: Ledger | None = None, database: str | None = None) -> World:
    """Initialise a server with one item and one shop, and three containers. `database`: the address of PostgreSQL's."""
    initialise_in_thread(folder)
    if database is not None:
        config = folder / CONFIG
        config.write_text(config.read_text().replace(f'"{DATABASE}"', f'"{database}"'))
    async with opened_core(load_settings(folder / CONFIG)) as core:
        await core.catalogue.add_item(item_number="A", firm_code=FIRM_CODE, product_code=1)
        _, api_key = await core.catalogue.add_shop("shop")
    containers = [new_container(folder, f"c{number}.json") for number in range(CONTAINERS)]
    return World(folder=folder, api_key=api_key, port=free_port(), containers=containers, ledger=ledger or Ledger())


def new_container(folder: Path, name: str) -> Container:
    """A container beside the server that trusts it."""
    trust = (folder / VENDOR_CERTIFICATE).read_bytes()
    return Container.create(folder / name, trust_pem=trust, clock=utc_now, random=secrets.token_bytes)


async def kept_world(folder: Path) -> World:
    """The world in a folder with its ledger on the disk: made where it is missing, else taken up as it was left."""
    name = folder / "world.json"
    if name.exists():
        containers = opened_containers(folder)
        return World(
            folder=folder,
            api_key=json.loads(name.read_bytes())["api_key"],
            port=free_port(),
            containers=containers[-CONTAINERS:],
            ledger=Ledger(folder / "ledger.jsonl"),
            retired=containers[:-CONTAINERS],
        )
    world = await make_world(folder, ledger=Ledger(folder / "ledger.jsonl"))
    write_whole(name, {"api_key": world.api_key})
    return world


def opened_containers(folder: Path) -> list[Container]:
    """The containers of a folder, in the order in which they were made."""
    count = len(list(folder.glob("c*.json")))
    return [
        Container.open(folder / f"c{number}.json", clock=utc_now, random=secrets.token_bytes) for number in range(count)
    ]


def copied_world(world: World, folder: Path, *, database: Path | None = None) -> World:
    """The same server and containers elsewhere, with another database if one is given; the ledger is shared."""
    shutil.copytree(world.folder, folder)
    if database is not None:
        for old in folder.glob(f"{DATABASE}*"):
            old.unlink()
        for new in database.parent.glob(f"{database.name}*"):
            copy = folder / new.name.replace(database.name, DATABASE)
            shutil.copy(new, copy)
            copy.chmod(0o600)
    containers = opened_containers(folder)
    return World(folder=folder, api_key=world.api_key, port=world.port, containers=containers, ledger=world.ledger)


def initialise_in_thread(folder: Path) -> None:
    """`opendepot init`, which has a loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(initialise, folder).result()


def move_database(world: World, folder: Path) -> None:
    """Put the database elsewhere, and say so in the settings."""
    shutil.move(world.folder / DATABASE, folder / DATABASE)
    config = world.folder / CONFIG
    settings = config.read_text().replace(f'database = "{DATABASE}"', f'database = "{folder / DATABASE}"')
    config.write_text(settings)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return free.getsockname()[1]


def write_whole(path: Path, value: object) -> None:
    """Write JSON so that the file is the old one or the new one, whatever happens."""
    fresh = path.with_suffix(".fresh")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def order(transaction_id: str) -> sales.CreateOrderRequest:
    """The order that belongs to a transactionId."""
    return sales.CreateOrderRequest(
        transaction_id=transaction_id, order_line=(sales.OrderLine(item_number="A", quantity=PIECES),)
    )


class OverTheWire:
    """Asks a server that runs."""

    def __init__(self, shop: SalesClient, licensee: DepotClient) -> None:
        self._shop = shop
        self._licensee = licensee

    async def order(self, transaction_id: str) -> Receipt:
        try:
            return plain(await self._shop.create_order(order(transaction_id)))
        except FaultReceived as fault:
            raise Refused(fault.code, retry=fault.retry) from fault

    async def update(self, ticket: str, context: bytes) -> tuple[str, bytes | None]:
        request = depot.GetLicenseUpdateRequest(ticket=ticket, context=context)
        try:
            result = await self._licensee.get_license_update(request)
        except FaultReceived as fault:
            raise Refused(fault.code, retry=fault.retry) from fault
        return result.state, result.update

    async def confirm(self, receipt: bytes) -> str:
        try:
            return (await self._licensee.confirm_license_update(receipt)).state
        except FaultReceived as fault:
            raise Refused(fault.code, retry=fault.retry) from fault


class OfTheRules:
    """Asks the rules in this process, without a server."""

    def __init__(self, core: Core, shop: Shop) -> None:
        self._core = core
        self._shop = shop

    @classmethod
    async def over(cls, core: Core, api_key: str) -> "OfTheRules":
        shop = await core.catalogue.find_shop(api_key, None)
        assert shop is not None
        return cls(core, shop)

    async def order(self, transaction_id: str) -> Receipt:
        request = OrderRequest(transaction_id=transaction_id, lines=(OrderLine(item_number="A", quantity=PIECES),))
        try:
            receipt = plain(await self._core.sales.create_order(shop=self._shop, request=request))
        except (LicensingError, StorageError) as error:
            raise Refused(error.code) from error
        return {"license": receipt.pop("licenses"), **receipt}

    async def update(self, ticket: str, context: bytes) -> tuple[str, bytes | None]:
        try:
            answer = await self._core.depot.get_license_update(ticket=ticket, targets=(), context=context)
        except (LicensingError, StorageError) as error:
            raise Refused(error.code) from error
        return answer.state, answer.update

    async def confirm(self, receipt: bytes) -> str:
        try:
            return (await self._core.depot.confirm_license_update(receipt=receipt)).state
        except (LicensingError, StorageError) as error:
            raise Refused(error.code) from error


async def violations_at_rest(
    world: World, *, clock: Callable[[], datetime] = utc_now, told: Collection[str] = ()
) -> list[str]:
    """All that is lost, doubled or damaged in a world whose server does not run; `told` as in `ailments`."""
    if found := unsound(world.database):
        return found
    async with opened_core(world.settings, clock=clock) as core:
        asking = await OfTheRules.over(core, world.api_key)
        found = await broken_promises(world.ledger, asking)
        found += await over_collected(world, asking)
    return found + damage(world.database, world.ledger) + await ailments(world.settings, clock=clock, told=told)


async def over_collected(world: World, asking: OverTheWire | OfTheRules) -> list[str]:
    """Let every container come to rest, and count what they hold."""
    held: dict[str, int] = {}
    for container in world.containers if world.ledger.orders else []:
        context = container.context(FIRM_CODE)
        ticket = str(next(iter(world.ledger.orders.values()))["ticket"])
        try:
            state, update = await asking.update(ticket, context)
        except Refused as refused:
            if refused.code != "NothingFree":
                return [f"a fresh context is answered with {refused.code}"]
        else:
            if state not in {"Done", "NothingNew"}:
                return [f"an honest container is {state}"]
            if update is not None:
                container.import_update(update)
        if await asking.confirm(container.context(FIRM_CODE)) not in {"Confirmed", "Open"}:
            return ["an honest receipt is refused"]
    for container in (*world.containers, *world.retired):
        for entry in container.listing(FIRM_CODE):
            held[entry.license_id] = held.get(entry.license_id, 0) + entry.quantity
    return [f"licence {license_id} is held {count} times" for license_id, count in held.items() if count > PIECES]
