"""The world of the chaos: a server, few containers, files and contexts on their way."""

import asyncio
import random
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize
from rules import FIRM, World

from containers import Container, Seen, SoftwareBox, read_context
from licensing.allowances import Allowances
from licensing.depot import UpdateAnswer
from licensing.transfers.journal import Journal
from licensing.vault import Vault
from storage import open_storage
from storage.commands import InitialiseServer

CONTAINERS = 2
QUANTITIES = (1, 2)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BOX = SoftwareBox.create(now=datetime(2026, 1, 1, tzinfo=UTC), random=random.Random(7).randbytes)
HONEST_REFUSALS = {"StepMissing"}
SHARED_MEMORY = Path("/dev/shm")


CONTEXTS: Bundle[Any] = Bundle("contexts")
FILES: Bundle[Any] = Bundle("files")
BACKUPS: Bundle[Any] = Bundle("backups")


class VaryingBox:
    """A Firm Security Box that signs the same content in another way every time, as hardware does.

    While it `waits`, steps are reserved before they are signed.
    """

    def __init__(self) -> None:
        self.waits = False
        self._turn = 0

    def certificate(self, firm_code: int) -> bytes:
        return BOX.certificate(firm_code)

    def sign(self, firm_code: int, data: bytes) -> bytes:
        self._turn += 1
        value = BOX.sign(firm_code, data)
        s = int.from_bytes(value[32:])
        return value[:32] + (P256_ORDER - s if self._turn % 2 else s).to_bytes(32)


class Paused:
    """A storage that stops before its n-th call until it is let go: a slow worker."""

    def __init__(self, storage: Any, *, call: int) -> None:
        self._storage, self._left = storage, call
        self.stopped, self.go = asyncio.Event(), asyncio.Event()

    async def execute(self, command: Any) -> Any:
        await self._pass()
        return await self._storage.execute(command)

    async def query(self, query: Any) -> Any:
        await self._pass()
        return await self._storage.query(query)

    async def _pass(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.stopped.set()
            await self.go.wait()


@dataclass(frozen=True)
class Sent:
    """A context on its way, from one of the files that a container has been copied to."""

    serial: str
    place: str
    data: bytes


@dataclass(frozen=True)
class File:
    """An update file at large."""

    serial: str
    data: bytes


@dataclass(frozen=True)
class Standing:
    """What the server's row of a container says, and how many steps were made for it."""

    mark: str = "ok"
    base: tuple[int, int] = (0, 0)
    healing: Seen | None = None
    steps: int = 0


@dataclass
class Truth:
    """What is really so of one container. `place` is its one true file; `honest`: nobody has copied or put it back.

    `put_back`: somebody has done that since support accepted it, so that it is not what was accepted any more.
    """

    place: str
    honest: bool = True
    put_back: bool = False
    ghosts: int = 0


@dataclass(frozen=True, kw_only=True)
class Way:
    """One exchange: whose, which licence, up or down to what, and what of it is lost. `ghost`: which copy, 0: none."""

    number: int
    order: int
    quantity: int | None = None
    lowers: bool = False
    gone: str = "nothing"
    ghost: int = 0


WAYS = st.builds(
    Way,
    number=st.integers(0, CONTAINERS - 1),
    order=st.integers(0, 1),
    quantity=st.sampled_from([None, None, None, 0, 1, 2]),
    lowers=st.booleans(),
    gone=st.sampled_from(["nothing", "nothing", "nothing", "context", "answer", "receipt"]),
    ghost=st.sampled_from([0, 0, 0, 1, 2, 3]),
)


class ChaosWorld(RuleBasedStateMachine):
    """Server, containers and their copies, and what is really so of them."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None))
        rng = random.Random(7)
        vault = Vault(pepper=rng.randbytes(32), sealing_key=rng.randbytes(32), random=rng.randbytes)
        storage = self.run(open_storage(self.folder / "depot.db"))
        self.world = World(folder=self.folder, storage=storage, vault=vault, box=VaryingBox())  # type: ignore[arg-type]
        self.world.box.root_certificate_pem = BOX.root_certificate_pem  # type: ignore[misc]
        (self.folder / "journal").touch()
        self.world.journal = Journal(self.folder / "journal")
        epoch = int(self.world.now.timestamp() * 1000)
        self.run(storage.execute(InitialiseServer(epoch=epoch, key_fingerprint=b"f", at=self.world.now)))
        catalogue = self.world.catalogue()
        restores = Allowances(restores=1_000_000)
        self.run(catalogue.add_item(item_number="A", firm_code=FIRM, product_code=1, allowances=restores))
        self.world.shops["shop"], _ = self.run(catalogue.add_shop("shop"))
        self.orders = [self.run(self.world.order(quantity)) for quantity in QUANTITIES]
        self.quantities = dict(zip((order.licenses[0].license_id for order in self.orders), QUANTITIES, strict=True))
        self.truths: dict[str, Truth] = {}
        for number in range(CONTAINERS):
            container = self.world.container(f"c{number}")
            self.truths[container.serial] = Truth(place=f"c{number}")
        self.steps: dict[tuple[str, int, int], bytes] = {}
        self.doubled = False
        self.replayed = False
        self.unmet: set[str] = set()  # containers that a restored server has not heard of since
        self.blocked: set[str] = set()
        self.old_epoch = 0
        self.forgotten = 0  # the last epoch of which something was forgotten
        self.current: Sent | None = None
        self.slow: list[tuple[Paused, asyncio.Task[UpdateAnswer], Sent, bool]] = []
        self.alarms: list[tuple[str, Any]] = []
        self.world.alarms.listen(self._heard)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _heard(self, name: str, fields: Any) -> None:
        serial, sent = fields.get("serial"), self.current
        self.alarms.append((name, serial))
        if name == "server_behind" and sent is not None and sent.place == self.truths[sent.serial].place:
            here = self._opened(sent.place).counter(FIRM)
            if read_context(sent.data).counter == here:
                self.unmet.discard(serial)  # what it holds was believed, and went into the journal

    def _serial(self, number: int) -> str:
        return list(self.truths)[number]

    def _opened(self, place: str) -> Container:
        return self.world.opened(place)

    def _mark(self, serial: str) -> str:
        found = self.world.sql("SELECT mark FROM containers WHERE serial = ?", serial)
        return str(found[0][0]) if found else "ok"

    def unblock(self, serial: str) -> None:
        if serial in self.blocked:
            self.run(self.world.losses().unblock(serial, reason="r", actor="support"))
            self.blocked.discard(serial)
