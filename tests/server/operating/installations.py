"""Whole installations on both databases, with real orders, containers and transfers in them."""

import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postgres_server import PostgresServer

from containers import Container
from licensing.orders import OrderLine, OrderReceipt, OrderRequest
from licensing.transfers.planning import Target
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import Core, opened_core, utc_now
from server.settings import Settings, load_settings
from storage.records import Shop

FIRM_CODE = 6000010


@dataclass(frozen=True)
class Installed:
    """An installation in a folder, on one database."""

    folder: Path
    database: str
    server: PostgresServer | None = None

    @property
    def backend(self) -> str:
        return "sqlite" if self.server is None else "postgres"

    @property
    def config(self) -> Path:
        return self.folder / CONFIG

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, admin_port=0)

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements behind everybody's back, with all references and checks off; the rows of the last one."""
        if self.server is not None:
            name = self.database
            return self.server.run("SET session_replication_role = replica", *statements, database=name)
        rows: list[tuple[Any, ...]] = []
        with closing(sqlite3.connect(self.folder / self.database, isolation_level=None)) as db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                rows = db.execute(statement).fetchall()
        return rows

    def container(self, name: str) -> Container:
        """A container in the folder, made when it is first asked for."""
        path = self.folder / f"{name}.json"
        trust = (self.folder / VENDOR_CERTIFICATE).read_bytes()
        if path.exists():
            return Container.open(path, clock=utc_now, random=secrets.token_bytes)
        return Container.create(path, trust_pem=trust, clock=utc_now, random=secrets.token_bytes)


def installed(folder: Path, server: PostgresServer | None = None, *, template: str | None = None) -> Installed:
    """A new installation, empty but for what `init` makes, or on a copy of a database."""
    initialise_in_thread(folder)
    if server is None:
        return Installed(folder=folder, database="opendepot.sqlite3")
    name = server.new_database(template) if template else server.new_database()
    _point_to(folder, server.address(name))
    (folder / "opendepot.sqlite3").unlink()
    return Installed(folder=folder, database=name, server=server)


def copied(original: Installed, folder: Path) -> Installed:
    """A copy of an installation, its database included."""
    if original.server is None:
        with closing(sqlite3.connect(original.folder / original.database)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(original.folder, folder)
    if original.server is None:
        return Installed(folder=folder, database=original.database)
    name = original.server.new_database(original.database)
    _point_to(folder, original.server.address(name))
    return Installed(folder=folder, database=name, server=original.server)


def removed(installation: Installed) -> None:
    """Drop the database on the server of the tests."""
    if installation.server is not None:
        installation.server.run(f"DROP DATABASE IF EXISTS {installation.database} WITH (FORCE)", database="postgres")


def _point_to(folder: Path, address: str) -> None:
    lines = [line for line in (folder / CONFIG).read_text().splitlines() if not line.startswith("database")]
    (folder / CONFIG).write_text("\n".join([f'database = "{address}"', *lines]) + "\n")


def initialise_in_thread(folder: Path) -> None:
    """Initialise from within a running event loop, or without one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(initialise, folder).result()


async def stocked(settings: Settings) -> tuple[Shop, Shop]:
    """Two items and two shops."""
    async with opened_core(settings) as core:
        for number in ("A", "B"):
            await core.catalogue.add_item(item_number=number, firm_code=FIRM_CODE, product_code=1)
        return (await core.catalogue.add_shop("one"))[0], (await core.catalogue.add_shop("two"))[0]


async def ordered(
    core: Core, shop: Shop, transaction: str, lines: Sequence[tuple[str, int]], **more: Any
) -> OrderReceipt:
    """An order of these items and quantities."""
    request = OrderRequest(
        transaction_id=transaction,
        lines=tuple(OrderLine(item_number=item, quantity=quantity) for item, quantity in lines),
        **more,
    )
    return await core.sales.create_order(shop=shop, request=request)


async def collected(core: Core, container: Container, receipt: OrderReceipt, quantity: int, *, confirm: bool) -> None:
    """So many pieces of the first licence into a container."""
    answer = await core.depot.get_license_update(
        ticket=receipt.ticket,
        targets=(Target(license_id=receipt.licenses[0].license_id, quantity=quantity),),
        context=container.context(FIRM_CODE),
    )
    assert answer.update is not None
    imported = container.import_update(answer.update)
    if confirm:
        await core.depot.confirm_license_update(receipt=imported.receipt)


async def lived_in(installation: Installed) -> None:
    """Orders of two shops, one on the ticket of another, and two containers that have collected, one unconfirmed."""
    settings = installation.settings
    one, two = await stocked(settings)
    async with opened_core(settings) as core:
        first = await ordered(core, one, "t-1", [("A", 3), ("B", 2)], order_number="N-1")
        await ordered(core, one, "t-2", [("B", 1)], original_order_number="N-1")
        other = await ordered(core, two, "t-1", [("A", 2)])
        c, d = installation.container("c"), installation.container("d")
        await collected(core, c, first, 1, confirm=True)
        await collected(core, c, first, 2, confirm=True)
        await collected(core, d, other, 1, confirm=True)
        await collected(core, d, other, 2, confirm=False)
