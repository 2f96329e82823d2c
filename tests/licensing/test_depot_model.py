"""Orders, collecting and receipts against a small pure model, with a bad post and a process that dies anywhere."""

import asyncio
import contextlib
import random
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rules import FIRM, World

from containers import Container, ContainerError, SoftwareBox, read_context, read_update
from licensing.errors import NothingFree, TransactionConflict
from licensing.orders import OrderLine, OrderReceipt, OrderRequest
from licensing.transfers.planning import Target
from licensing.vault import Vault
from storage import open_storage
from storage.commands import Applied, ApplyTransfer, InitialiseServer

START = (0, 0)
SERIALS = 3
Counter = tuple[int, int]
Holding = dict[str, tuple[int, int]]  # licence: quantity, version of its options


@dataclass
class Chain:
    """One container as the model sees it: the state at every counter, oldest first."""

    points: list[tuple[Counter, bool, Holding]] = field(default_factory=lambda: [(START, False, {})])
    confirmed: int = 0
    wanted: dict[str, int] = field(default_factory=dict)

    def place(self, counter: Counter) -> int:
        return [point[0] for point in self.points].index(counter)

    def holding(self, counter: Counter) -> Holding:
        return self.points[self.place(counter)][2]

    def occupied(self, license_id: str) -> int:
        return max(holding.get(license_id, (0, 0))[0] for _, _, holding in self.points[self.confirmed :])

    def file(self, after: int, to: int) -> list[Counter]:
        """The counters of a file's steps: from the last reset on, if there is one."""
        wanted = range(after + 1, to + 1)
        resets = [place for place in wanted if self.points[place][1]]
        return [self.points[place][0] for place in (range(resets[-1], to + 1) if resets else wanted)]


@dataclass
class Model:
    """What the protocol says should be (transfer protocol, section 3), without files, signatures or storage."""

    epoch: int
    quantities: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)

    def free_for(self, serial: str, license_id: str) -> int:
        """The greatest quantity that the container may want."""
        others = [chain for other, chain in self.chains.items() if other != serial]
        chain, quantity = self.chains[serial], self.quantities[license_id]
        by_wanted = quantity - sum(other.wanted.get(license_id, 0) for other in others)
        by_occupied = quantity - sum(other.occupied(license_id) for other in others)
        return max(min(by_wanted, max(by_occupied, chain.occupied(license_id))), chain.wanted.get(license_id, 0))

    def ask(self, serial: str, counter: Counter, licenses: list[str], wish: int | None, *, all_of_them: bool) -> str:
        """Carry a request out; answers its state."""
        chain = self.chains[serial]
        at = chain.place(counter)
        if at < chain.confirmed:
            return "ExportAgain"
        chain.confirmed = at
        end, _, holding = chain.points[-1]
        vendor = self._vendor(chain)
        first = end == START and not vendor
        if end[0] < self.epoch and not first:
            chain.points.append(((self.epoch, 1), True, vendor))
        elif vendor != holding:
            self._append(chain, vendor)
        targets = {}
        for license_id in licenses:
            most = self.free_for(serial, license_id)
            targets[license_id] = most if wish is None else max(wish, chain.wanted.get(license_id, 0))
            if targets[license_id] > most or (targets[license_id] == 0 and not all_of_them):
                return "NothingFree"
        waits = len(chain.points) - 1 > at and (chain.points[at][2] or chain.points[-1][2])
        if not any(targets.values()) and not waits:
            return "NothingFree"
        chain.wanted |= targets
        vendor = self._vendor(chain)
        if first and vendor:
            chain.points.append(((self.epoch, 1), True, vendor))
        elif vendor != chain.points[-1][2]:
            self._append(chain, vendor)
        return "Done" if len(chain.points) - 1 > at else "NothingNew"

    def confirm(self, serial: str, counter: Counter) -> str:
        chain = self.chains[serial]
        at = chain.place(counter)
        if at < chain.confirmed:
            return "ExportAgain"
        chain.confirmed = at
        return "Confirmed" if at == len(chain.points) - 1 else "Open"

    def _vendor(self, chain: Chain) -> Holding:
        return {name: (quantity, self.versions[name]) for name, quantity in chain.wanted.items() if quantity}

    def _append(self, chain: Chain, holding: Holding) -> None:
        epoch, number = chain.points[-1][0]
        chain.points.append(((epoch, number + 1), False, holding))


class Died(Exception):
    """The process is gone."""


class Dying:
    """A storage that dies at its n-th call, before or after carrying it out; knows whether a decision was written."""

    def __init__(self, storage: Any, *, call: int, after: bool) -> None:
        self._storage, self._left, self._after = storage, call, after
        self.applied = False

    async def execute(self, command: Any) -> Any:
        return await self._through(self._storage.execute, command)

    async def query(self, query: Any) -> Any:
        return await self._through(self._storage.query, query)

    async def _through(self, method: Any, value: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Died
        answer = await method(value)
        self.applied |= isinstance(value, ApplyTransfer) and answer == Applied()
        if self._left == 0:
            raise Died
        return answer


@dataclass(frozen=True)
class Asked:
    """A request as it was sent: it can be sent again at any time."""

    name: str
    context: bytes
    ticket: str
    licenses: tuple[str, ...]  # of the ticket, all of them
    chosen: str | None
    wish: int | None


class OrdersAndCollecting(RuleBasedStateMachine):
    """Everything that can happen in this part of the protocol to honest containers."""

    receipts = Bundle("receipts")
    contexts = Bundle("contexts")
    requests = Bundle("requests")
    files = Bundle("files")

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        rng = random.Random(7)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        vault = Vault(pepper=rng.randbytes(32), sealing_key=rng.randbytes(32), random=rng.randbytes)
        storage = self.runner.run(open_storage(self.folder / "depot.db"))
        self.world = World(folder=self.folder, storage=storage, vault=vault, box=BOX)
        self.model = Model(epoch=int(start.timestamp() * 1000))
        self.runner.run(
            storage.execute(InitialiseServer(epoch=self.model.epoch, key_fingerprint=b"f", at=start)),
        )
        catalogue = self.world.catalogue()
        self.runner.run(catalogue.add_item(item_number="A", firm_code=FIRM, product_code=1))
        for name in ("shop", "other"):
            self.world.shops[name], _ = self.runner.run(catalogue.add_shop(name))
        self.placed: dict[tuple[str, str], tuple[OrderRequest, OrderReceipt]] = {}
        self.tickets: dict[str, list[str]] = {}
        self.containers: dict[str, Container] = {}
        for number in range(SERIALS):
            container = self.world.container(f"c{number}")
            self.containers[container.serial] = container
            self.model.chains[container.serial] = Chain()
        self.bytes_of: dict[Asked, bytes | None] = {}

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.world.storage.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    # --- orders -----------------------------------------------------------------------------------------------------

    @rule(
        target=receipts,
        shop=st.sampled_from(["shop", "other"]),
        transaction=st.sampled_from(["t1", "t2", "t3"]),
        quantities=st.lists(st.integers(1, 3), min_size=1, max_size=2),
        original=st.booleans(),
    )
    def order(self, shop: str, transaction: str, quantities: list[int], original: bool) -> OrderReceipt:
        earlier = next((number for (owner, number) in self.placed if owner == shop), None) if original else None
        request = OrderRequest(
            transaction_id=transaction,
            order_number=transaction,
            original_order_number=earlier if earlier != transaction else None,
            lines=tuple(OrderLine(item_number="A", quantity=quantity) for quantity in quantities),
        )
        before = self.placed.get((shop, transaction))
        create = self.world.sales().create_order(shop=self.world.shops[shop], request=request)
        if before is not None and before[0] != request:
            with pytest.raises(TransactionConflict):
                self.runner.run(create)
            return before[1]
        receipt = self.runner.run(create)
        if before is not None:
            assert receipt == before[1]
            return receipt
        self.placed[shop, transaction] = request, receipt
        if request.original_order_number is not None:
            assert receipt.ticket == self.placed[shop, request.original_order_number][1].ticket
        else:
            assert receipt.ticket not in self.tickets
        for line in receipt.licenses:
            self.tickets.setdefault(receipt.ticket, []).append(line.license_id)
            self.model.quantities[line.license_id] = line.quantity
            self.model.versions[line.license_id] = 0
        return receipt

    @precondition(lambda self: self.model.versions)
    @rule(data=st.data())
    def the_vendor_changes_a_licence(self, data: st.DataObject) -> None:
        license_id = data.draw(st.sampled_from(sorted(self.model.versions)))
        self.model.versions[license_id] += 1
        self.world.sql(
            "UPDATE licenses SET options = ?, version = version + 1 WHERE license_id = ?",
            f'{{"feature_map": {self.model.versions[license_id]}}}',
            license_id,
        )

    @rule()
    def the_server_begins_a_new_epoch(self) -> None:
        self.model.epoch += 1000
        self.world.sql("UPDATE server SET current_epoch = current_epoch + 1000")

    # --- collecting -------------------------------------------------------------------------------------------------

    @rule(target=contexts, number=st.integers(0, SERIALS - 1))
    def export(self, number: int) -> tuple[str, bytes]:
        serial = list(self.containers)[number]
        return serial, self.containers[serial].context(FIRM)

    @rule(number=st.integers(0, SERIALS - 1))
    def export_and_die_before_sending(self, number: int) -> None:
        list(self.containers.values())[number].context(FIRM)

    @rule(
        target=requests,
        context=contexts,
        receipt=receipts,
        line=st.none() | st.integers(0, 3),
        wish=st.none() | st.integers(1, 3),
    )
    def prepare(self, context: tuple[str, bytes], receipt: OrderReceipt, line: int | None, wish: int | None) -> Asked:
        licenses = tuple(self.tickets[receipt.ticket])
        chosen = None if line is None else licenses[line % len(licenses)]
        return Asked(
            name=context[0],
            context=context[1],
            ticket=receipt.ticket,
            licenses=licenses,
            chosen=chosen,
            wish=None if chosen is None else wish,
        )

    @rule(target=files, asked=requests)
    def ask(self, asked: Asked) -> tuple[str, bytes | None]:
        return asked.name, self._ask(asked)

    @rule(target=files, asked=requests, call=st.integers(1, 3), after=st.booleans(), again=st.booleans())
    def ask_a_worker_that_dies(self, asked: Asked, call: int, after: bool, again: bool) -> tuple[str, bytes | None]:
        storage = Dying(self.world.storage, call=call, after=after)
        with contextlib.suppress(Died, NothingFree):
            self.runner.run(self._request(self.world.depot(storage), asked))  # type: ignore[arg-type]
        if storage.applied:
            self._expect(asked)
        return asked.name, self._ask(asked) if again else None

    @rule(context=contexts)
    def confirm(self, context: tuple[str, bytes]) -> None:
        serial, data = context
        known = self.world.sql("SELECT 1 FROM containers WHERE serial = ?", serial)
        counter = read_context(data).counter
        expected = self.model.confirm(serial, tuple(counter)) if known else "Confirmed"
        assert self.runner.run(self.world.confirm(data)) == expected

    @rule(target=contexts, file=files)
    def load(self, file: tuple[str, bytes | None]) -> tuple[str, bytes]:
        serial, data = file
        container = self.containers[serial]
        if data is None:
            return serial, container.context(FIRM)
        try:
            return serial, container.import_update(data).receipt
        except ContainerError as refused:
            if refused.code != "StepMissing":
                raise
            return serial, container.context(FIRM)

    @rule(file=consumes(files))
    def lose(self, file: tuple[str, bytes | None]) -> None:
        pass

    # --- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def the_rows_are_the_model_s(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = {
            (license_id, serial): (wanted, occupied, confirmed)
            for license_id, serial, wanted, occupied, confirmed in self.world.sql(
                "SELECT license_id, serial, wanted, occupied, confirmed FROM placements"
            )
        }
        expected = {
            (license_id, serial): (
                chain.wanted.get(license_id, 0),
                chain.occupied(license_id),
                chain.points[chain.confirmed][2].get(license_id, (0, 0))[0],
            )
            for serial, chain in self.model.chains.items()
            for license_id in self.model.quantities
        }
        assert rows == {key: row for key, row in expected.items() if any(row)}
        assert self.world.sql("SELECT count(*) FROM containers WHERE mark <> 'ok'") == [(0,)]

    @invariant()
    def no_licence_is_in_use_more_often_than_it_was_bought(self) -> None:
        if not hasattr(self, "world"):
            return
        held = {serial: container.listing(FIRM) for serial, container in self.containers.items()}
        for serial, listing in held.items():
            chain = self.model.chains[serial]
            there = {entry.license_id: (entry.quantity, entry.options.feature_map or 0) for entry in listing}
            assert there == chain.holding(tuple(self.containers[serial].counter(FIRM)))
        for license_id, quantity in self.model.quantities.items():
            chains = self.model.chains.values()
            inside = [e.quantity for listing in held.values() for e in listing if e.license_id == license_id]
            assert sum(inside) <= sum(chain.occupied(license_id) for chain in chains) <= quantity
            assert sum(chain.wanted.get(license_id, 0) for chain in chains) <= quantity

    # --- helpers ----------------------------------------------------------------------------------------------------

    async def _request(self, depot: Any, asked: Asked) -> Any:
        targets = () if asked.chosen is None else (Target(license_id=asked.chosen, quantity=asked.wish),)
        return await depot.get_license_update(ticket=asked.ticket, targets=targets, context=asked.context)

    def _key(self, asked: Asked) -> Asked:
        """Requests are the same when what was sent is: the licences of the ticket are not in it."""
        return replace(asked, licenses=())

    def _expect(self, asked: Asked) -> str:
        """Let the model carry the request out, unless it acted before; answers the state."""
        key, chain = self._key(asked), self.model.chains[asked.name]
        if key in self.bytes_of:
            return "Done"
        counter = tuple(read_context(asked.context).counter)
        length = len(chain.points)
        licenses = [asked.chosen] if asked.chosen else self.tickets[asked.ticket]
        state = self.model.ask(asked.name, counter, licenses, asked.wish, all_of_them=asked.chosen is None)
        if state == "Done" and len(chain.points) > length:
            self.bytes_of[key] = None  # acted; its bytes are not known yet
            self.span = {**getattr(self, "span", {}), key: (chain.place(counter), len(chain.points) - 1)}
        return state

    def _ask(self, asked: Asked) -> bytes | None:
        key, chain = self._key(asked), self.model.chains[asked.name]
        state = self._expect(asked)
        if state == "NothingFree":
            with pytest.raises(NothingFree):
                self.runner.run(self._request(self.world.depot(), asked))
            return None
        answer = self.runner.run(self._request(self.world.depot(), asked))
        assert answer.state == state
        counter = tuple(read_context(asked.context).counter)
        after, to = getattr(self, "span", {}).get(key, (chain.place(counter), len(chain.points) - 1))
        steps = chain.file(after, to)
        if not steps:
            assert answer.update is None
            return None
        assert [tuple(signed.step.to_counter) for signed in read_update(answer.update).steps] == steps
        if key in self.bytes_of:
            assert self.bytes_of[key] in (None, answer.update), "the same request gives the same bytes"
            self.bytes_of[key] = answer.update
        return answer.update


BOX = SoftwareBox.create(now=datetime(2026, 1, 1, tzinfo=UTC), random=random.Random(5).randbytes)


@pytest.mark.examples
def test_orders_and_collecting_follow_the_model() -> None:
    run_state_machine_as_test(
        OrdersAndCollecting,
        settings=settings(
            max_examples=examples(30),
            stateful_step_count=40,
            derandomize=True,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
