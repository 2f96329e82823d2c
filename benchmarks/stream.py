"""The benchmark `stream`: a GetLicenseUpdates answer of 256 MiB in constant memory, for the server and for its reader.

Every file in it holds real signed steps, one of which is planned, signed and committed while the answer is on its way.
"""

import asyncio
import json
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.contestants import CACHE, ROOT
from benchmarks.processes import LOAD_CORE, SERVER_CORE, free_port, rss_mib, run_pinned, serving
from benchmarks.report import Options, Record, Refused, figure_of, this_machine
from containers import Container
from licensing.orders import OrderLine, OrderRequest
from licensing.rights import BULK
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import Core, opened_core, utc_now
from server.settings import load_settings
from storage.records import Shop

MEBIBYTES = 256
FIRM_CODE = 6_000_010
AT_ONCE = 16
"""Containers that are made ready at the same time, since most of that time is waited for the disk."""

SLOW_READERS, VANISHING_READERS = 4, 4
SLOW_BYTES_A_SECOND = 1_000_000
_SERVE = "from server.cli.main import main; main()"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What each container holds: so many licences, each with so many fields of hidden data, of 256 bytes."""

    licenses: int
    fields: int


FLOATING = Shape(licenses=80, fields=0)
"""An update file is then about as large as one of a company's floating licence server: 64 KiB."""

LARGE_FILES = Shape(licenses=8, fields=128)
"""Files of half a MiB, which are made ready in a tenth of the time."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One answer read to its end: what it was made of, its speed, and how far memory grew while it was read."""

    round: int
    mebibytes: float
    updates: int
    growth_mib: float
    client_growth_mib: float
    first_item_ms: float
    mib_per_s: float
    slow_growth_mib: float
    mtom_growth_mib: float
    descriptors_left: int

    def as_dict(self) -> dict[str, str | float]:
        """Give the fields by name, for the record."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A folder with a server that has so many containers to bring up to date, and the key of a shop that may ask."""

    folder: Path
    api_key: str
    updates: int
    mebibytes: float


def run(options: Options, *, shape: Shape = FLOATING) -> Record:
    """Stream a large answer to an honest, a slow and a vanishing reader, and see what grows."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="stream-", dir=CACHE))
    runs: list[Run] = []
    try:
        for number in range(1, options.rounds + 1):
            filled = fill(folder / str(number), mebibytes=options.mebibytes or MEBIBYTES, shape=shape)
            found = measured(filled, options, number=number)
            print(f"round {number}/{options.rounds}: {json.dumps(found.as_dict())}", flush=True)
            runs.append(found)
            shutil.rmtree(filled.folder)
    finally:
        shutil.rmtree(folder)
    return Record(
        name="stream",
        machine=this_machine(),
        versions={},
        runs=[one.as_dict() for one in runs],
        figures={
            name: figure_of(float(one.as_dict()[name]) for one in runs)
            for name in (
                "growth_mib",
                "client_growth_mib",
                "first_item_ms",
                "mib_per_s",
                "slow_growth_mib",
                "mtom_growth_mib",
            )
        },
    )


def fill(folder: Path, *, mebibytes: float, shape: Shape = FLOATING) -> Filled:
    """Make a server whose containers have collected, never confirmed, and then lost a licence each to the vendor."""
    initialise(folder)
    return asyncio.run(_fill(folder, mebibytes, shape))


async def _fill(folder: Path, mebibytes: float, shape: Shape) -> Filled:
    async with opened_core(load_settings(folder / CONFIG)) as core:
        await core.catalogue.add_item(
            item_number="A",
            firm_code=FIRM_CODE,
            product_code=1,
            options=(f"text={'t' * 250}", f"customerInformation={'c' * 250}"),
            data={"hidden": {number: secrets.token_bytes(256) for number in range(shape.fields)}},
        )
        shop, api_key = await core.catalogue.add_shop("bulk")
        await core.catalogue.set_rights("bulk", ("order", "read", BULK))
        gathered, updates = 0, 0
        while gathered < mebibytes * 1024 * 1024:
            numbers = range(updates, updates + AT_ONCE)
            gathered += sum(
                await asyncio.gather(*(_made_ready(core, shop, folder, shape, number) for number in numbers))
            )
            updates += AT_ONCE
    return Filled(folder=folder, api_key=api_key, updates=updates, mebibytes=gathered / 1024 / 1024)


async def _made_ready(core: Core, shop: Shop, folder: Path, shape: Shape, number: int) -> int:
    """Order, collect into a new container, withdraw one licence; give what it adds to the answer, at least."""
    receipt = await core.sales.create_order(
        shop=shop,
        request=OrderRequest(
            transaction_id=f"t{number}",
            lines=tuple(OrderLine(item_number="A", quantity=1) for _ in range(shape.licenses)),
        ),
    )
    gathered = await _collected(core, folder, receipt.ticket, number)
    await core.vendor_actions.withdraw_license(
        shop=shop,
        transaction_id=f"w{number}",
        license_id=receipt.licenses[0].license_id,
        reason="a step that is made while the answer is on its way",
    )
    return gathered


async def _collected(core: Core, folder: Path, ticket: str, number: int) -> int:
    """Collect into a new container; give the length that its file will have in the answer, at least."""
    context = await asyncio.to_thread(_context_of_a_new_container, folder / f"{number}.json", folder)
    answer = await core.depot.get_license_update(ticket=ticket, targets=(), context=context, user=None)
    if answer.update is None:
        raise Refused(f"a container could not collect: {answer.state}")
    return len(b64encode(answer.update))


def _context_of_a_new_container(path: Path, folder: Path) -> bytes:
    """Make a container, let it ask, and throw it away: nothing in it is looked at again."""
    container = Container.create(
        path,
        trust_pem=(folder / VENDOR_CERTIFICATE).read_bytes(),
        clock=utc_now,
        random=secrets.token_bytes,
    )
    context = container.context(FIRM_CODE)
    path.unlink()
    return context


def measured(filled: Filled, options: Options, *, number: int) -> Run:
    """Read the answer whole, then among slow and vanishing readers, then in two halves. Raises Refused for a loss."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = ["--config", str(filled.folder / CONFIG), "--port", str(port), "--admin-port", str(free_port())]
    command = [sys.executable, "-c", _SERVE, "serve", *settings]
    environment = {"OPENDEPOT_WORKERS": "0"}
    with serving(command, port=port, core=SERVER_CORE, directory=ROOT, environment=environment) as server:
        _read(url, filled, most=1)
        with _growth(server) as growth:
            found = _read(url, filled)
        descriptors = _descriptors(server)
        with _growth(server) as slow_growth:
            _slow_and_vanishing(port, filled.api_key, seconds=options.seconds)
        for _ in range(100):
            if (left := _descriptors(server) - descriptors) <= 0:
                break
            time.sleep(0.1)
        halves = _read(url, filled, half=filled.updates // 2)
        with _growth(server) as mtom_growth:
            beside = _files_beside(port, filled.api_key)
    if beside != filled.updates:
        raise Refused(f"{beside} files beside the envelope are not one for each of {filled.updates} updates")
    for one in (found, halves):
        if one["updates"] != filled.updates or one["different"] != filled.updates:
            raise Refused(f"{one} is not every one of {filled.updates} updates once")
    return Run(
        round=number,
        mebibytes=round(found["bytes"] / 1024 / 1024, 1),
        updates=filled.updates,
        growth_mib=round(growth(), 1),
        client_growth_mib=round(found["growth_mib"], 1),
        first_item_ms=round(found["first_item_ms"], 1),
        mib_per_s=round(found["bytes"] / 1024 / 1024 / found["seconds"], 2),
        slow_growth_mib=round(slow_growth(), 1),
        mtom_growth_mib=round(mtom_growth(), 1),
        descriptors_left=max(0, left),
    )


def _read(url: str, filled: Filled, *, most: int = 0, half: int = 0) -> dict[str, float]:
    words = [url, filled.api_key, str(FIRM_CODE), str(most), str(half)]
    done = run_pinned([sys.executable, "-m", "benchmarks.stream_reader", *words], core=LOAD_CORE, limit_seconds=3600)
    found: dict[str, float] = json.loads(done.output)
    return found


@contextmanager
def _growth(pid: int) -> Iterator[Callable[[], float]]:
    """Look at a server's memory twenty times a second; the value, after the block, is the most that it grew."""
    before = most = rss_mib(pid)
    over = threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, rss_mib(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield lambda: most - before
    finally:
        over.set()
        looking.join()


def _descriptors(pid: int) -> int:
    return len(list((Path("/proc") / str(pid) / "fd").iterdir()))


def _slow_and_vanishing(port: int, api_key: str, *, seconds: float) -> None:
    """Read at 1 MB/s for a time, and vanish; some vanish at half of it."""
    lasts = [seconds] * SLOW_READERS + [seconds / 2] * VANISHING_READERS
    readers = [threading.Thread(target=_slowly, args=(port, api_key, last)) for last in lasts]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


_BODY = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    f'<GetLicenseUpdates xmlns="urn:opendepot:depot:1"><firm><firmCode>{FIRM_CODE}</firmCode></firm>'
    "</GetLicenseUpdates></e:Body></e:Envelope>"
)


def _files_beside(port: int, api_key: str) -> int:
    """Read the answer in MTOM, keeping nothing, and count the files in it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    mark, count, last = b"\nContent-Type: application/octet-stream", 0, b""
    headers = {
        "Content-Type": "text/xml",
        "Accept": 'multipart/related; type="application/xop+xml"',
        "Authorization": f"Bearer {api_key}",
    }
    connection.request("POST", "/v1/depot", body=_BODY, headers=headers)
    answer = connection.getresponse()
    while data := answer.read(64 * 1024):
        seen = last + data
        count += seen.count(mark)
        last = seen[1 - len(mark) :]
    connection.close()
    return count


def _slowly(port: int, api_key: str, seconds: float) -> None:
    head = (
        f"POST /v1/depot HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nAuthorization: Bearer {api_key}\r\n"
        f"Content-Length: {len(_BODY)}\r\n\r\n"
    )
    piece = SLOW_BYTES_A_SECOND // 20
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall((head + _BODY).encode())
        until = time.monotonic() + seconds
        while time.monotonic() < until and connection.recv(piece):
            time.sleep(1 / 20)
