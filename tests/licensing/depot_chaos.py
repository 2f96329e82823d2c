"""A machine that does to server and containers everything that can happen to them, against what must be true anyway."""

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from rules import FIRM, World

from containers import Container, ContainerError, Seen, SoftwareBox, read_context, read_update
from licensing.allowances import Allowances
from licensing.depot import UpdateAnswer
from licensing.errors import LicensingError, NothingFree
from licensing.orders import OrderReceipt
from licensing.replaying import Replaying
from licensing.transfers.journal import Journal, read_journal
from licensing.transfers.planning import Target
from licensing.vault import Vault
from storage import open_storage
from storage.commands import InitialiseServer, LoadServer, RaiseEpoch
from storage.records import AuditRow

CONTAINERS = 2
QUANTITIES = (1, 2)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BOX = SoftwareBox.create(now=datetime(2026, 1, 1, tzinfo=UTC), random=random.Random(7).randbytes)
HONEST_REFUSALS = {"StepMissing"}
SHARED_MEMORY = Path("/dev/shm")


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
    """What is really so of one container. `place` is its one true file; `honest`: nobody has copied or put it back."""

    place: str
    honest: bool = True
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


class Chaos(RuleBasedStateMachine):
    """Few containers and licences, so that they meet often, and a world in which everything goes wrong."""

    happened: ClassVar[Counter[str]] = Counter()
    """How often each state was answered, over all runs, so that one sees that it is not about nothing."""

    contexts = Bundle("contexts")
    files = Bundle("files")
    backups = Bundle("backups")

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

    def teardown(self) -> None:
        if not hasattr(self, "truths"):
            return
        try:
            for slow in self.slow:
                self._let_go(*slow)
            for serial in self.truths:
                self.everything_ends_right(serial)
        finally:
            self.run(self.world.storage.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _heard(self, name: str, fields: Any) -> None:
        serial, sent = fields.get("serial"), self.current
        self.alarms.append((name, serial))
        if name == "server_behind" and sent is not None and sent.place == self.truths[sent.serial].place:
            here = self._opened(sent.place).counter(FIRM)
            if read_context(sent.data).counter == here:
                self.unmet.discard(serial)  # what it holds was believed, and went into the journal

    # --- containers -------------------------------------------------------------------------------------------------

    def _serial(self, number: int) -> str:
        return list(self.truths)[number]

    def _opened(self, place: str) -> Container:
        return self.world.opened(place)

    @rule(target=contexts, number=st.integers(0, CONTAINERS - 1))
    def export(self, number: int) -> Sent:
        serial = self._serial(number)
        place = self.truths[serial].place
        return Sent(serial=serial, place=place, data=self._opened(place).context(FIRM))

    @rule(number=st.integers(0, CONTAINERS - 1), kept=st.booleans())
    def copy(self, number: int, kept: bool) -> None:
        """Copy a container; or keep the copy as a backup of a machine, to be put back later."""
        serial = self._serial(number)
        truth = self.truths[serial]
        if kept:
            shutil.copy(self.folder / f"{truth.place}.json", self.folder / f"snapshot-{serial}.json")
            return
        if truth.ghosts >= 3:
            return
        truth.ghosts += 1
        truth.honest = False
        shutil.copy(self.folder / f"{truth.place}.json", self.folder / f"ghost-{serial}-{truth.ghosts}.json")

    @rule(number=st.integers(0, CONTAINERS - 1))
    def put_a_container_back(self, number: int) -> None:
        serial = self._serial(number)
        snapshot = self.folder / f"snapshot-{serial}.json"
        if snapshot.exists():
            shutil.copy(snapshot, self.folder / f"{self.truths[serial].place}.json")
            self.truths[serial].honest = False

    @rule(target=contexts, file=files)
    def load(self, file: File) -> Any:
        return self._load(self.truths[file.serial].place, file)

    @rule(target=contexts, file=files, ghost=st.integers(1, 3))
    def load_into_a_copy(self, file: File, ghost: int) -> Any:
        place = f"ghost-{file.serial}-{ghost}"
        return self._load(place, file) if (self.folder / f"{place}.json").exists() else multiple()

    def _load(self, place: str, file: File) -> Any:
        container, truth = self._opened(place), self.truths[file.serial]
        before = container.listing(FIRM), container.counter(FIRM)
        try:
            receipt = container.import_update(file.data).receipt
        except ContainerError as refused:
            assert (container.listing(FIRM), container.counter(FIRM)) == before
            if truth.honest and place == truth.place and not self.doubled:
                assert refused.code in HONEST_REFUSALS, refused  # noqa: PT017  any refusal may come, or none
            return multiple()
        return Sent(serial=file.serial, place=place, data=receipt)

    # --- requests ---------------------------------------------------------------------------------------------------

    @rule(target=contexts, way=WAYS)
    def exchange(self, way: Way) -> Any:
        """Go the whole way, in the true container or a copy, or until something is lost on it."""
        return self._go(way)

    @rule(target=contexts, ways=st.lists(WAYS, min_size=2, max_size=4))
    def exchanges(self, ways: list[Way]) -> Any:
        """Go several ways one after the other."""
        return multiple(*self.exchanges_of(ways))

    def exchanges_of(self, ways: list[Way]) -> list[Sent]:
        return [self._go(way) for way in ways]

    @rule(target=contexts, number=st.integers(0, CONTAINERS - 1), order=st.integers(0, 1), gone=st.booleans())
    def move(self, number: int, order: int, gone: bool) -> Any:
        """Give back in one container, and collect in the next, whether the receipt arrived or not."""
        back = Way(number=number, order=order, lowers=True, gone="receipt" if gone else "nothing")
        there = Way(number=(number + 1) % CONTAINERS, order=order)
        return multiple(self._go(back), self._go(there))

    def _go(self, way: Way) -> Sent:
        serial = self._serial(way.number)
        truth = self.truths[serial]
        place = f"ghost-{serial}-{way.ghost}" if 0 < way.ghost <= truth.ghosts else truth.place
        sent = Sent(serial=serial, place=place, data=self._opened(place).context(FIRM))
        if way.gone == "context":
            return sent
        wish = way.quantity if way.lowers else (way.quantity or None)
        file = self._asked(sent, self._wish(sent, self.orders[way.order], wish, lowers=way.lowers))
        if way.gone == "answer" or not isinstance(file, File):
            return sent
        receipt = self._load(place, file)
        if isinstance(receipt, Sent) and way.gone != "receipt":
            self.confirm_now(receipt)
        return sent

    @rule(number=st.integers(0, CONTAINERS - 1), order=st.integers(0, 1), heals=st.booleans())
    def two_copies_in_lockstep(self, number: int, order: int, heals: bool) -> None:
        """Both ask with the same export number: that is noticed at once, and mended by support or not."""
        if self.lockstep(number, order) and heals:
            self.heal(self._serial(number), everywhere=True)

    def lockstep(self, number: int, order: int) -> bool:
        serial = self._serial(number)
        truth = self.truths[serial]
        if truth.ghosts >= 3 or not truth.honest or self._mark(serial) != "ok":
            return False
        truth.ghosts += 1
        truth.honest = False
        ghost = f"ghost-{serial}-{truth.ghosts}"
        shutil.copy(self.folder / f"{truth.place}.json", self.folder / f"{ghost}.json")
        for place in (truth.place, ghost):
            sent = Sent(serial=serial, place=place, data=self._opened(place).context(FIRM))
            self._asked(sent, self._wish(sent, self.orders[order], None, lowers=False))
        rows = self.world.sql("SELECT base_epoch, base_number FROM containers WHERE serial = ?", serial)
        if rows and tuple(self._opened(ghost).counter(FIRM)) >= rows[0]:
            assert self._mark(serial) == "marked"
        return True

    @rule(target=files, number=st.integers(0, CONTAINERS - 1), everywhere=st.booleans(), loads=st.booleans())
    def support_heals(self, number: int, everywhere: bool, loads: bool) -> Any:
        """Let support accept the true one of marked copies, and the others try what they get; or all that later."""
        file = self.heal(self._serial(number), everywhere=everywhere, loads=loads)
        return file or multiple()

    @rule(
        target=contexts, number=st.integers(0, CONTAINERS - 1), order=st.integers(0, 1), ways=st.lists(WAYS, max_size=3)
    )
    def while_it_heals(self, number: int, order: int, ways: list[Way]) -> Any:
        """Two copies are noticed, one is accepted, and before it has loaded its file everybody asks again."""
        serial = self._serial(number)
        delayed = self._go(Way(number=number, order=order, gone="context"))
        self.lockstep(number, order)
        if self.heal(serial, everywhere=False, loads=False) is None:
            return delayed
        ghost = self.truths[serial].ghosts
        asked = [self._go(replace(way, number=number, ghost=ghost, gone=way.gone)) for way in ways]
        return multiple(delayed, *asked)

    def heal(self, serial: str, *, everywhere: bool, loads: bool = True) -> File | None:
        truth = self.truths[serial]
        if self._mark(serial) not in {"marked", "healing"}:
            return None
        context = self._opened(truth.place).context(FIRM)
        data = self.run(self.world.losses().accept(serial, FIRM, context=context, reason="r", actor="support"))
        self._one_step_for_each_counter(serial, data)
        file = File(serial=serial, data=data)
        if everywhere:
            for ghost in range(1, truth.ghosts + 1):
                place = f"ghost-{serial}-{ghost}"
                assert not isinstance(self._load(place, file), Sent), "bound to the other's context"
        receipt = self._load(truth.place, file) if loads else None
        if isinstance(receipt, Sent):
            self.confirm_now(receipt)
        return file

    @rule(number=st.integers(0, CONTAINERS - 1), blocks=st.sampled_from([True, False, False]))
    def support_blocks(self, number: int, blocks: bool) -> None:
        serial = self._serial(number)
        if blocks:
            self.run(self.world.losses().block(serial, reason="r", actor="support"))
            self.blocked.add(serial)
        else:
            self._unblock(serial)

    def _unblock(self, serial: str) -> None:
        if serial in self.blocked:
            self.run(self.world.losses().unblock(serial, reason="r", actor="support"))
            self.blocked.discard(serial)

    @rule(target=files, sent=contexts, order=st.integers(0, 1), wish=st.none() | st.integers(1, 3))
    def collect(self, sent: Sent, order: int, wish: int | None) -> Any:
        return self._asked(sent, self._wish(sent, self.orders[order], wish, lowers=False))

    @rule(target=files, sent=contexts, order=st.integers(0, 1), remainder=st.none() | st.integers(0, 2))
    def give_back(self, sent: Sent, order: int, remainder: int | None) -> Any:
        return self._asked(sent, self._wish(sent, self.orders[order], remainder, lowers=True))

    @rule(target=files, sent=contexts)
    def ask_for_updates(self, sent: Sent) -> Any:
        return self._asked(sent, self.world.pushing_without_waiting().get_auto_update(statement=sent.data))

    @rule(target=files, number=st.integers(0, CONTAINERS - 1))
    def push(self, number: int) -> Any:
        serial = self._serial(number)
        sent = Sent(serial=serial, place="", data=self._opened(self.truths[serial].place).poll(FIRM))
        return self._asked(sent, self.world.pushing_without_waiting().get_auto_update(statement=sent.data))

    @rule(target=files, sent=contexts, order=st.integers(0, 1))
    def two_workers_at_once(self, sent: Sent, order: int) -> Any:
        async def both() -> UpdateAnswer:
            answers = await asyncio.gather(
                *(self._wish(sent, self.orders[order], None, lowers=False) for _ in range(2)), return_exceptions=True
            )
            errors = [answer for answer in answers if isinstance(answer, BaseException)]
            for error in errors:
                if not isinstance(error, NothingFree):
                    raise error
            found = [answer for answer in answers if isinstance(answer, UpdateAnswer)]
            if not found:
                raise errors[0]
            return found[0]

        return self._asked(sent, both())

    @rule(
        target=contexts,
        sent=contexts,
        order=st.integers(0, 1),
        call=st.integers(2, 5),
        lowers=st.booleans(),
        ways=st.lists(WAYS, min_size=1, max_size=3),
    )
    def overtaken(self, sent: Sent, order: int, call: int, lowers: bool, ways: list[Way]) -> Any:
        """A wish has been decided and not written yet; meanwhile others, most of other containers, are carried out."""
        places = len(self.slow)
        self._begin(sent, order, call=call, lowers=lowers)
        made = self.exchanges_of(ways)
        if len(self.slow) > places:
            self._let_go(*self.slow.pop())
        return multiple(*made)

    @rule(sent=contexts, order=st.integers(0, 1), call=st.integers(1, 6), lowers=st.booleans())
    def a_slow_worker_begins(self, sent: Sent, order: int, call: int, lowers: bool) -> None:
        self._begin(sent, order, call=call, lowers=lowers)

    def _begin(self, sent: Sent, order: int, *, call: int, lowers: bool) -> None:
        async def begin() -> None:
            paused = Paused(self.world.storage, call=call)
            depot = self.world.depot(paused)  # type: ignore[arg-type]
            targets = (Target(license_id=self.orders[order].licenses[0].license_id),)
            ticket = self.orders[order].ticket
            if lowers:
                work = depot.return_license(ticket=ticket, remainders=targets, context=sent.data)
            else:
                work = depot.get_license_update(ticket=ticket, targets=targets, context=sent.data)
            task = asyncio.get_running_loop().create_task(work)
            stopped = asyncio.ensure_future(paused.stopped.wait())
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            self.slow.append((paused, task, sent, self.truths[sent.serial].honest))

        if len(self.slow) < 2:
            self.current = sent
            self.run(begin())

    @rule(target=files)
    def a_slow_worker_goes_on(self) -> Any:
        return self._let_go(*self.slow.pop(0)) if self.slow else multiple()

    def _let_go(self, paused: Paused, task: asyncio.Task[UpdateAnswer], sent: Sent, honest: bool) -> Any:
        async def finish() -> UpdateAnswer:
            paused.go.set()
            return await task

        return self._asked(sent, finish(), honest=honest)

    @rule(sent=contexts)
    def confirm(self, sent: Sent) -> None:
        self.confirm_now(sent)

    def confirm_now(self, sent: Sent) -> None:
        before = self._standing(sent)
        state = self.run(self.world.confirm(sent.data))
        self._judge(sent, state, before)

    async def _wish(self, sent: Sent, order: OrderReceipt, quantity: int | None, *, lowers: bool) -> UpdateAnswer:
        targets = (Target(license_id=order.licenses[0].license_id, quantity=quantity),)
        depot = self.world.depot()
        if lowers:
            return await depot.return_license(ticket=order.ticket, remainders=targets, context=sent.data)
        return await depot.get_license_update(ticket=order.ticket, targets=targets, context=sent.data)

    def _asked(self, sent: Sent, work: Coroutine[Any, Any, UpdateAnswer], *, honest: bool = True) -> Any:
        before = self._standing(sent)
        try:
            answer = self.run(work)
        except NothingFree:
            self._judge(sent, "NothingFree", before)
            return multiple()
        self._judge(sent, answer.state, before, honest=honest)
        self.happened[answer.state] += 1
        if answer.update is None:
            return multiple()
        self._one_step_for_each_counter(sent.serial, answer.update)
        return File(serial=sent.serial, data=answer.update)

    def _standing(self, sent: Sent) -> Standing:
        self.current = sent
        self.alarms.clear()
        rows = self.world.sql(
            "SELECT mark, base_epoch, base_number, healing_export, healing_nonce, "
            "(SELECT count(*) FROM steps WHERE steps.serial = containers.serial) FROM containers WHERE serial = ?",
            sent.serial,
        )
        if not rows:
            return Standing()
        mark, epoch, number, export, nonce, steps = rows[0]
        healing = None if export is None else Seen(export=int(str(export)), nonce=bytes(nonce))  # type: ignore[call-overload]
        return Standing(
            mark=str(mark), base=(int(str(epoch)), int(str(number))), healing=healing, steps=int(str(steps))
        )

    def _judge(self, sent: Sent, state: str, before: Standing, *, honest: bool = True) -> None:
        """Judge an answer. `honest`: whether the container was so when it was asked for, which may be long ago."""
        truth, behind = self.truths[sent.serial], ("server_behind", sent.serial) in self.alarms
        now = self._standing(sent)
        if before.mark in {"healing", "lost"} and now.mark == "ok":
            assert read_context(sent.data).counter >= before.base, "a mark ends by the receipt that it waits for"
            truth.place = sent.place or truth.place
            truth.honest = before.healing is not None and self._alone(sent.serial, truth.place, before.healing)
        closed = now.mark == before.mark in {"marked", "healing"} or (
            sent.serial in self.blocked and before.mark == "ok" and not behind
        )
        if closed:
            assert now.steps == before.steps, "whoever is marked, heals or is blocked gets nothing new"
        if truth.honest and honest:
            assert state != "Marked", (sent.serial, state)

    def _alone(self, serial: str, place: str, seen: Seen) -> bool:
        """Whether no other file of a container can load what was made for one of its exports."""
        number = list(self.truths).index(serial)
        places = [f"c{number}", *(f"ghost-{serial}-{ghost}" for ghost in range(1, self.truths[serial].ghosts + 1))]
        others = [self._opened(other)._recall().of(FIRM) for other in places if other != place]
        return not any(memory.exported(seen) for memory in others)

    def _one_step_for_each_counter(self, serial: str, update: bytes) -> None:
        for signed in read_update(update).steps:
            epoch, number = signed.step.to_counter
            if epoch > self.old_epoch:
                assert self.steps.setdefault((serial, epoch, number), signed.data) == signed.data

    # --- vendor and support -----------------------------------------------------------------------------------------

    @rule(waits=st.booleans())
    def the_box_is_another(self, waits: bool) -> None:
        """Steps are signed before they are reserved, or after, behind a device."""
        self.world.box.waits = waits  # type: ignore[misc]

    @rule(order=st.integers(0, 1), value=st.integers(0, 3))
    def the_vendor_changes_a_licence(self, order: int, value: int) -> None:
        self.world.sql(
            "UPDATE licenses SET options = ?, version = version + 1 WHERE license_id = ?",
            f'{{"feature_map": {value}}}',
            self.orders[order].licenses[0].license_id,
        )

    @rule(number=st.integers(0, CONTAINERS - 1))
    def report_lost(self, number: int) -> None:
        serial = self._serial(number)
        for order in self.orders:
            try:
                decision = self.run(
                    self.world.losses().restore_license(ticket=order.ticket, serial=serial, firm_code=FIRM, reason=None)
                )
            except LicensingError as refused:
                assert refused.code == "ContainerUnknown"  # noqa: PT017  as above
            else:
                assert decision.state == "Lost"

    # --- the server's own misfortunes -------------------------------------------------------------------------------

    @rule(target=backups, name=st.integers(0, 2))
    def back_up(self, name: int) -> Path:
        return self._backed_up(f"backup-{name}.db")

    def _backed_up(self, name: str) -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.folder / "depot.db")) as now, closing(sqlite3.connect(path)) as backup:
            now.backup(backup)
        return path

    @rule(backup=backups, kind=st.sampled_from(["journal"] * 3 + ["restart", "announced", "silent", "disk"]))
    def restore(self, backup: Path, kind: str) -> None:
        """Put a backup in place: with its journal, without, without anybody telling the server; or restart only."""
        self._restored(backup, kind)

    @rule(number=st.integers(0, CONTAINERS - 1), order=st.integers(0, 1), call=st.sampled_from([3, 4, 5, 6, 6, 6]))
    def restored_met_and_restored_again(self, number: int, order: int, call: int) -> None:
        """The disks are lost, a container is met whose worker dies, and the same backup is restored once more."""
        backup = self._backed_up("disk.db")
        self._go(Way(number=number, order=order))
        self._restored(backup, "disk")
        self._begin(self._go(Way(number=number, order=order, gone="context")), order, call=call, lowers=False)
        self._restored(backup, "journal")

    def _restored(self, backup: Path, kind: str) -> None:
        self._drop_slow()
        if kind == "restart":
            self.run(self.world.storage.close())
            self.world.storage = self.run(open_storage(self.folder / "depot.db"))
            return
        known = self.run(self.world.storage.query(LoadServer())).current_epoch
        newest = max([known, *(epoch for _, epoch, _ in self.steps)])
        self.run(self.world.storage.close())
        for path in self.folder.glob("depot.db*"):
            path.unlink()
        with closing(sqlite3.connect(backup)) as old, closing(sqlite3.connect(self.folder / "depot.db")) as new:
            old.backup(new)
        self.world.storage = self.run(open_storage(self.folder / "depot.db"))
        self.blocked = {str(serial) for (serial,) in self.world.sql("SELECT serial FROM blocked_containers")}
        if kind == "disk":
            (self.folder / "journal").write_bytes(b"")
        self.world.journal = Journal(self.folder / "journal")
        if kind == "journal":
            self.replayed = True
            carrier = self.world.carrier()
            self.run(Replaying(carrier=carrier).replay(read_journal(self.folder / "journal")))
        else:
            self.doubled = True  # without a journal pieces can be doubled, and contexts contradict what was forgotten
            self.unmet = set(self.truths)
            self.forgotten = newest
        for serial, truth in self.truths.items():
            # What support had decided after the backup is forgotten, where the journal does not hold it either.
            truth.honest = truth.honest and not (self.doubled and self._mark(serial) == "marked")
        if kind in {"silent", "disk"}:
            # Until it notices, the server may use counters again that it has forgotten.
            self.old_epoch = newest
        else:
            epoch = max(newest, int(self.world.clock().timestamp() * 1000)) + 1
            audit = AuditRow(at=self.world.now, actor="test", action="Restore", subject="server", details="{}")
            self.run(self.world.storage.execute(RaiseEpoch(epoch=epoch, audit=audit)))

    def _drop_slow(self) -> None:
        for _, task, _, _ in self.slow:
            task.cancel()
        self.run(asyncio.sleep(0))
        self.slow.clear()

    # --- what must hold ---------------------------------------------------------------------------------------------

    def _mark(self, serial: str) -> str:
        found = self.world.sql("SELECT mark FROM containers WHERE serial = ?", serial)
        return str(found[0][0]) if found else "ok"

    @invariant()
    def nothing_is_given_out_twice(self) -> None:
        if not hasattr(self, "truths") or self.doubled:
            return
        sums = self.world.sql("SELECT license_id, sum(wanted), sum(occupied) FROM placements GROUP BY license_id")
        for license_id, wanted, occupied in sums:
            assert wanted <= self.quantities[str(license_id)]  # type: ignore[operator]
            # The journal holds no receipts: what they had freed counts as occupied until the next ones.
            assert self.replayed or occupied <= self.quantities[str(license_id)]  # type: ignore[operator]
        held: Counter[str] = Counter()
        for serial, truth in self.truths.items():
            if truth.honest and self._mark(serial) != "lost":
                for entry in self._opened(truth.place).listing(FIRM):
                    held[entry.license_id] += entry.quantity
        assert all(held[license_id] <= quantity for license_id, quantity in self.quantities.items())

    @invariant()
    def what_a_true_container_holds_is_counted_as_being_there(self) -> None:
        if not hasattr(self, "truths"):
            return
        for serial, truth in self.truths.items():
            if not truth.honest or self._mark(serial) == "lost":
                continue
            if self._opened(truth.place).counter(FIRM).epoch > self.forgotten:
                self.unmet.discard(serial)
            if serial in self.unmet:
                continue
            rows = self.world.sql("SELECT license_id, occupied FROM placements WHERE serial = ?", serial)
            occupied = {str(license_id): quantity for license_id, quantity in rows}
            for entry in self._opened(truth.place).listing(FIRM):
                assert entry.quantity <= occupied.get(entry.license_id, 0)  # type: ignore[operator]

    def everything_ends_right(self, serial: str) -> None:
        """No honest sequence ends refused, marked or stuck: a few exchanges later all is as the records say."""
        truth = self.truths[serial]
        if not truth.honest:
            return
        rows = self.world.sql("SELECT end_epoch, end_number, mark FROM containers WHERE serial = ?", serial)
        end, mark = ((rows[0][0], rows[0][1]), rows[0][2]) if rows else ((0, 0), "ok")
        ahead = tuple(self._opened(truth.place).counter(FIRM)) > end and mark == "ok"
        self._unblock(serial)
        self.alarms.clear()
        for attempt in range(6):
            container = self._opened(truth.place)
            answer = self.run(self.world.pushing_without_waiting().get_auto_update(statement=container.context(FIRM)))
            if attempt == 0 and ahead:
                assert ("server_behind", serial) in self.alarms, "noticed at the first contact"
            if answer.update is None:
                break
            assert self.run(self.world.confirm(container.import_update(answer.update).receipt)) in {"Confirmed", "Open"}
        assert answer.state == "NothingNew"
        rows = self.world.sql("SELECT license_id, wanted FROM placements WHERE serial = ? AND wanted > 0", serial)
        held = {entry.license_id: entry.quantity for entry in self._opened(truth.place).listing(FIRM)}
        assert held == {str(license_id): wanted for license_id, wanted in rows}
        assert self._mark(serial) == "ok"
