"""A full disk: orders are told to come back, reads go on, readiness is red; it heals by itself, and nothing is lost."""

import io
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from checking import Refused
from killing import collect_once
from worlds import FIRM_CODE, OverTheWire, World, make_world, move_database, order, violations_at_rest

from opendepot import FaultReceived
from server.cli.initialise import CONFIG
from server.listener import serving
from server.settings import load_settings
from soap.messages import sales

pytestmark = pytest.mark.slow

SIZE = "4m"


@contextmanager
def mounted(place: Path, *, size: str) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs; run this test as root, or in `unshare --map-root-user --mount`")
    place.mkdir()
    mount = shutil.which("mount") or "/bin/mount"
    subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run([shutil.which("umount") or "/bin/umount", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    with mounted(tmp_path / "small", size=SIZE) as place:
        yield place


def fill(place: Path) -> Path:
    """Take all the room there is, to the last byte."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(secrets.token_bytes(size)):
                    pass
            except OSError:
                continue
    return filler


async def readiness(admin_url: str) -> tuple[int, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{admin_url}/readyz") as answer:
        return answer.status, (await answer.json())["checks"]


async def ordered_until_refused(world: World, asking: OverTheWire, name: str) -> str:
    """Order until it is refused; the transactionId of the order that was."""
    for number in range(2000):
        transaction_id = f"{name}-{number}"
        world.ledger.asks(transaction_id)
        try:
            world.ledger.acknowledged(transaction_id, await asking.order(transaction_id))
        except Refused as refused:
            if refused.code == "StorageUnavailable":
                return transaction_id
            raise
    raise AssertionError("the disk is full, and orders are still taken")


async def test_a_full_disk_refuses_orders_and_heals_by_itself(tmp_path: Path, small_disk: Path) -> None:
    world = await make_world(tmp_path / "depot")
    move_database(world, small_disk)
    settings = load_settings(world.folder / CONFIG, port=world.port, admin_port=0)
    log = io.StringIO()
    async with serving(settings, log=log) as up, world.shop() as shop, world.licensee() as licensee:
        asking = OverTheWire(shop, licensee)
        for number in range(10):
            world.ledger.asks(f"before-{number}")
            world.ledger.acknowledged(f"before-{number}", await asking.order(f"before-{number}"))
        ticket = str(world.ledger.orders["before-0"]["ticket"])
        for turn in range(3):
            assert (await readiness(up.admin_url))[0] == 200
            await collect_once(world, asking, world.containers[turn], ticket if not turn else _ticket(world, turn))
            filler = fill(small_disk)
            refused = await ordered_until_refused(world, asking, f"full-{turn}")
            with pytest.raises(FaultReceived) as caught:
                await shop.create_order(order(refused))
            assert (caught.value.code, caught.value.retry) == ("StorageUnavailable", True)
            assert "disk is full" in str(caught.value)
            status, checks = await readiness(up.admin_url)
            assert status == 503
            assert "disk is full" in checks["storage"]
            assert (await licensee.get_ticket(ticket)).license
            known = await shop.get_order(sales.GetOrderRequest(transaction_id="before-0"))
            assert known.ticket == ticket
            assert await asking.order("before-0") == world.ledger.orders["before-0"], "the old answer, without a write"
            with pytest.raises(Refused, match="StorageUnavailable"):
                await asking.update(_ticket(world, 9), world.containers[0].context(FIRM_CODE))
            filler.unlink()
            world.ledger.acknowledged(refused, await asking.order(refused))
            assert (await readiness(up.admin_url))[0] == 200
    assert "Traceback" not in log.getvalue()
    assert await violations_at_rest(world, told={"disk"}) == []


def _ticket(world: World, number: int) -> str:
    return str(world.ledger.orders[f"before-{number}"]["ticket"])
