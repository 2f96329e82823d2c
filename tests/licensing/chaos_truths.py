"""What must be true in the chaos, whatever has happened."""

from collections import Counter
from collections.abc import Coroutine
from typing import Any, ClassVar

from chaos_world import ChaosWorld, File, Sent, Standing
from hypothesis.stateful import invariant, multiple
from rules import FIRM

from containers import Seen, read_context, read_update
from licensing.depot import UpdateAnswer
from licensing.errors import NothingFree


class ChaosTruths(ChaosWorld):
    """What must hold of every answer, after every step, and at the end."""

    happened: ClassVar[Counter[str]] = Counter()
    """How often each state was answered, over all runs, so that one sees that it is not about nothing."""

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
            truth.honest = (
                before.healing is not None
                and not truth.put_back
                and self._alone(sent.serial, truth.place, before.healing)
            )
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
        self.unblock(serial)
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
