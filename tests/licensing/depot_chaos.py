"""A machine that does to server and containers everything that can happen to them, against what must be true anyway."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos_moves import ChaosMoves
from chaos_world import (
    BACKUPS,
    CONTAINERS,
    CONTEXTS,
    FILES,
    WAYS,
    File,
    Sent,
    Way,
)
from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule
from rules import FIRM

from licensing.errors import LicensingError
from licensing.replaying import Replaying
from licensing.transfers.journal import Journal, read_journal
from storage import open_storage
from storage.commands import LoadServer, RaiseEpoch
from storage.records import AuditRow


class Chaos(ChaosMoves):
    """Few containers and licences, so that they meet often, and a world in which everything goes wrong."""

    # --- copies, and what support does about them -------------------------------------------------------------------

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

    @rule(target=FILES, number=st.integers(0, CONTAINERS - 1), everywhere=st.booleans(), loads=st.booleans())
    def support_heals(self, number: int, everywhere: bool, loads: bool) -> Any:
        """Let support accept the true one of marked copies, and the others try what they get; or all that later."""
        file = self.heal(self._serial(number), everywhere=everywhere, loads=loads)
        return file or multiple()

    @rule(
        target=CONTEXTS, number=st.integers(0, CONTAINERS - 1), order=st.integers(0, 1), ways=st.lists(WAYS, max_size=3)
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
        context, truth.put_back = self._opened(truth.place).context(FIRM), False
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
            self.unblock(serial)

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

    # --- the vendor -------------------------------------------------------------------------------------------------

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

    # --- the server's own misfortunes -------------------------------------------------------------------------------

    @rule(target=BACKUPS, name=st.integers(0, 2))
    def back_up(self, name: int) -> Path:
        return self._backed_up(f"backup-{name}.db")

    def _backed_up(self, name: str) -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.folder / "depot.db")) as now, closing(sqlite3.connect(path)) as backup:
            now.backup(backup)
        return path

    @rule(backup=BACKUPS, kind=st.sampled_from(["journal"] * 3 + ["restart", "announced", "silent", "disk"]))
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
