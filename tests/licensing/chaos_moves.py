"""What containers and workers do in the chaos: export, ask, load, confirm, in any order and at once."""

import asyncio
import shutil
from typing import Any

from chaos_truths import ChaosTruths
from chaos_world import (
    CONTAINERS,
    CONTEXTS,
    FILES,
    HONEST_REFUSALS,
    WAYS,
    File,
    Paused,
    Sent,
    Way,
)
from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule
from rules import FIRM

from containers import ContainerError
from licensing.depot import UpdateAnswer
from licensing.errors import NothingFree
from licensing.orders import OrderReceipt
from licensing.transfers.planning import Target


class ChaosMoves(ChaosTruths):
    """What containers and workers do."""

    @rule(target=CONTEXTS, number=st.integers(0, CONTAINERS - 1))
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
            self.truths[serial].put_back = True

    @rule(target=CONTEXTS, file=FILES)
    def load(self, file: File) -> Any:
        return self._load(self.truths[file.serial].place, file)

    @rule(target=CONTEXTS, file=FILES, ghost=st.integers(1, 3))
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

    @rule(target=CONTEXTS, way=WAYS)
    def exchange(self, way: Way) -> Any:
        """Go the whole way, in the true container or a copy, or until something is lost on it."""
        return self._go(way)

    @rule(target=CONTEXTS, ways=st.lists(WAYS, min_size=2, max_size=4))
    def exchanges(self, ways: list[Way]) -> Any:
        """Go several ways one after the other."""
        return multiple(*self.exchanges_of(ways))

    def exchanges_of(self, ways: list[Way]) -> list[Sent]:
        return [self._go(way) for way in ways]

    @rule(target=CONTEXTS, number=st.integers(0, CONTAINERS - 1), order=st.integers(0, 1), gone=st.booleans())
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

    @rule(target=FILES, sent=CONTEXTS, order=st.integers(0, 1), wish=st.none() | st.integers(1, 3))
    def collect(self, sent: Sent, order: int, wish: int | None) -> Any:
        return self._asked(sent, self._wish(sent, self.orders[order], wish, lowers=False))

    @rule(target=FILES, sent=CONTEXTS, order=st.integers(0, 1), remainder=st.none() | st.integers(0, 2))
    def give_back(self, sent: Sent, order: int, remainder: int | None) -> Any:
        return self._asked(sent, self._wish(sent, self.orders[order], remainder, lowers=True))

    @rule(target=FILES, sent=CONTEXTS)
    def ask_for_updates(self, sent: Sent) -> Any:
        return self._asked(sent, self.world.pushing_without_waiting().get_auto_update(statement=sent.data))

    @rule(target=FILES, number=st.integers(0, CONTAINERS - 1))
    def push(self, number: int) -> Any:
        serial = self._serial(number)
        sent = Sent(serial=serial, place="", data=self._opened(self.truths[serial].place).poll(FIRM))
        return self._asked(sent, self.world.pushing_without_waiting().get_auto_update(statement=sent.data))

    @rule(target=FILES, sent=CONTEXTS, order=st.integers(0, 1))
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
        target=CONTEXTS,
        sent=CONTEXTS,
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

    @rule(sent=CONTEXTS, order=st.integers(0, 1), call=st.integers(1, 6), lowers=st.booleans())
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

    @rule(target=FILES)
    def a_slow_worker_goes_on(self) -> Any:
        return self._let_go(*self.slow.pop(0)) if self.slow else multiple()

    def _let_go(self, paused: Paused, task: asyncio.Task[UpdateAnswer], sent: Sent, honest: bool) -> Any:
        async def finish() -> UpdateAnswer:
            paused.go.set()
            return await task

        return self._asked(sent, finish(), honest=honest)

    @rule(sent=CONTEXTS)
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
