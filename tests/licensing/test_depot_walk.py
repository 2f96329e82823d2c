"""Random walks: contexts, files and receipts lost, doubled, late and out of order; the sums hold after every step."""

import contextlib
import random

import pytest
from rules import FIRM, World, held

from containers import Container, ContainerError
from licensing.errors import NothingFree
from licensing.orders import OrderReceipt

STEPS = 120


class StepMissing(Exception):
    """A file came before its predecessor: the container waits for that, nothing is wrong."""


def imported(container: Container, file: bytes) -> bytes:
    try:
        return container.import_update(file).receipt
    except ContainerError as refused:
        if refused.code == "StepMissing":
            raise StepMissing from refused
        raise


class Walk:
    """Two orders, three containers, and the post between them."""

    def __init__(self, world: World, orders: list[OrderReceipt], seed: int) -> None:
        self.world, self.orders, self.rng = world, orders, random.Random(seed)
        self.containers = [world.container(f"w{number}") for number in range(3)]
        self.contexts: list[tuple[bytes, OrderReceipt, int | None]] = []
        self.files: list[tuple[Container, bytes]] = []
        self.receipts: list[bytes] = []
        self.answered: dict[tuple[bytes, str, int | None], bytes | None] = {}

    async def step(self) -> None:
        match self.rng.randrange(6):
            case 0 | 1:
                container = self.rng.choice(self.containers)
                wish = self.rng.choice([None, None, 1, 2, 3])
                self.contexts.append((container.context(FIRM), self.rng.choice(self.orders), wish))
            case 2 | 3 if self.contexts:
                await self.ask(*self.rng.choice(self.contexts))
            case 4 if self.files:
                container, file = self.rng.choice(self.files)
                with contextlib.suppress(StepMissing):
                    self.receipts.append(imported(container, file))
            case 5 if self.receipts:
                assert await self.world.confirm(self.rng.choice(self.receipts)) in {"Confirmed", "Open", "ExportAgain"}

    async def ask(self, context: bytes, order: OrderReceipt, wish: int | None) -> None:
        container = next(c for c in self.containers if c.serial.encode() in context)
        try:
            answer = await self.world.ask(order, context, (0, wish))
        except NothingFree:
            return
        assert answer.state in {"Done", "NothingNew", "ExportAgain"}, "an honest container is never marked"
        if answer.update is not None:
            self.files.append((container, answer.update))
        transfers = self.world.sql("SELECT count(*) FROM transfers")[0][0]
        key = (context, order.ticket, wish)
        if key in self.answered and answer.state == "Done" and self.answered[key] is not None:
            again = await self.world.ask(order, context, (0, wish))
            assert self.world.sql("SELECT count(*) FROM transfers")[0][0] == transfers
            assert again == answer, "the same request gives the same file"
        self.answered[key] = answer.update

    def check(self) -> None:
        for order in self.orders:
            (license_,) = order.licenses
            sums = self.world.sql(
                "SELECT coalesce(sum(wanted), 0), coalesce(sum(occupied), 0) FROM placements WHERE license_id = ?",
                license_.license_id,
            )[0]
            there = sum(
                entry.quantity
                for container in self.containers
                for entry in container.listing(FIRM)
                if entry.license_id == license_.license_id
            )
            assert max(*sums, there) <= license_.quantity, (sums, there)  # type: ignore[type-var]
            assert there <= int(str(sums[1])), "what is there is occupied"

    async def rest(self) -> None:
        """Bring every container to rest by fresh contexts: what it holds is what is wanted there."""
        for container in self.containers:
            for _ in range(2):
                try:
                    answer = await self.world.ask(self.orders[0], container.context(FIRM))
                except NothingFree:
                    continue
                if answer.update:
                    container.import_update(answer.update)
            state = await self.world.confirm(container.context(FIRM))
            # A refused first wish leaves the reserved, empty beginning of a chain behind.
            assert state == "Confirmed" or (state == "Open" and not container.listing(FIRM))
            wanted = self.world.sql(
                "SELECT sum(wanted), sum(occupied) FROM placements WHERE serial = ?", container.serial
            )
            assert wanted[0] in {(held(container), held(container)), (None, None)}


@pytest.mark.parametrize("seed", range(12))
async def test_honest_containers_and_a_bad_post_never_break_the_sums(world: World, seed: int) -> None:
    walk = Walk(world, [await world.order(2), await world.order(3, item="B")], seed)
    for _ in range(STEPS):
        await walk.step()
        walk.check()
    await walk.rest()
    walk.check()
    assert world.sql("SELECT count(*) FROM containers WHERE mark <> 'ok'") == [(0,)]
