"""What is waiting for many containers, one after the other, in constant memory and resumable at any place.

Each container is pushed to as `licensing.pushing` does it: its steps are reserved and signed before its file comes out
here. So whoever stops listening has lost nothing: what came out is durable, and what did not comes when it is asked for
again behind the last position.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from licensing.depot import NO_TICKET
from licensing.errors import PositionInvalid, SelectionRequired, TicketUnknown
from licensing.pushing import Pushing
from licensing.rights import BULK, require
from licensing.tickets import normalise_ticket
from licensing.vault import Vault
from storage import Storage
from storage.commands import FindTickets, ListContainers
from storage.records import Counter, Shop

FIRST_BATCH, MOST_IN_A_BATCH = 1, 16
"""Containers whose steps are committed together: the first one alone, so that its file comes out soon."""

BATCH_BYTES = 256 * 1024
"""Bytes of files in a batch, about: large files come in smaller batches, so that a slow reader holds little memory."""

KEYS_AT_ONCE = 1000
"""Names of containers that are read ahead; a name takes about 100 bytes."""

_POSITION = re.compile(r"([0-9A-Za-z-]{1,80})/([0-9]{1,15})")
_START = ("", -1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which containers: exactly one of these, where None and nothing else means that it was not given."""

    ticket: str | None = None
    customer_number: str | None = None
    firm_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerUpdate:
    """What is waiting for a container and firm code; `state` as of `Pushing.get_auto_update`, but never NothingNew.

    `span`: the first and the last step of `update`, by which `Bulk.update` makes it again.
    """

    serial: str
    firm_code: int
    state: str
    update: bytes | None
    span: tuple[Counter, Counter] | None = None

    @property
    def position(self) -> str:
        """Where it stands among all."""
        return f"{self.serial}/{self.firm_code}"


class Delivery:
    """The updates of one request. `has_more`, once they have come out, says whether they were all."""

    def __init__(
        self, *, storage: Storage, pushing: Pushing, chosen: ListContainers, most: int | None, stops: Callable[[], bool]
    ) -> None:
        self.has_more = False
        self._storage = storage
        self._pushing = pushing
        self._chosen = chosen
        self._most = most
        self._stops = stops
        self._enough = False

    def enough(self) -> None:
        """End behind the update that has just come out."""
        self._enough = True

    async def updates(self) -> AsyncGenerator[ContainerUpdate, None]:
        """Give the updates in the order of their positions, each after its steps are durable.

        A batch is made while the one before it is taken, and no more than that: who takes slowly waits for nobody and
        costs nobody. Raises what `Pushing.push` raises, and storage's errors.
        """
        batches = self._batches()
        coming: asyncio.Task[list[ContainerUpdate] | None] | None = asyncio.ensure_future(_following(batches))
        given = 0
        try:
            while coming is not None and (batch := await coming) is not None:
                coming = None
                if self._stops():
                    self.has_more = True
                else:
                    coming = asyncio.ensure_future(_following(batches))
                for update in batch:
                    if self._enough or given == self._most:
                        self.has_more = True
                        return
                    given += 1
                    yield update
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            await batches.aclose()

    async def _batches(self) -> AsyncGenerator[list[ContainerUpdate], None]:
        chosen, size = self._chosen, FIRST_BATCH
        while keys := await self._storage.query(chosen):
            at = 0
            while at < len(keys):
                found = await asyncio.gather(*(self._pushed(*key) for key in keys[at : at + size]))
                at, size = at + size, _next_size(size, found)
                if updates := [update for update in found if update.state != "NothingNew"]:
                    yield updates
            chosen = replace(chosen, after=keys[-1])

    async def _pushed(self, serial: str, firm_code: int) -> ContainerUpdate:
        answer = await self._pushing.push(serial, firm_code)
        return ContainerUpdate(
            serial=serial, firm_code=firm_code, state=answer.state, update=answer.update, span=answer.span
        )


def _next_size(size: int, made: Sequence[ContainerUpdate]) -> int:
    """Give the size of the next batch: up to four times this one, as far as files like these fit into its bytes."""
    average = sum(len(update.update or b"") for update in made) // max(1, len(made))
    return max(1, min(size * 4, MOST_IN_A_BATCH, BATCH_BYTES // max(1, average)))


async def _following(batches: AsyncGenerator[list[ContainerUpdate], None]) -> list[ContainerUpdate] | None:
    return await anext(batches, None)


class Bulk:
    """Chooses containers for whoever may. `stops`: the server is on its way out, and deliveries end early."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        pushing: Pushing,
        customer_lookup: Callable[[str | None], bytes | None],
        stops: Callable[[], bool],
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._pushing = pushing
        self._customer_lookup = customer_lookup
        self._stops = stops

    async def deliver(
        self, *, selection: Selection, shop: Shop | None, after: str | None, most: int | None
    ) -> Delivery:
        """Begin a delivery behind a position. `shop` is needed, with the right bulk, but for a ticket.

        Raises SelectionRequired, PositionInvalid, TicketUnknown, RightMissing.
        """
        choices = (selection.ticket, selection.customer_number, selection.firm_code)
        if sum(choice is not None for choice in choices) != 1:
            raise SelectionRequired("send exactly one of ticket, customerNumber, firm")
        start = _START if after is None else _read_position(after)
        chosen = ListContainers(after=start, limit=KEYS_AT_ONCE)
        return Delivery(
            storage=self._storage,
            pushing=self._pushing,
            chosen=await self._narrowed(chosen, selection, shop),
            most=most,
            stops=self._stops,
        )

    async def update(self, serial: str, firm_code: int, span: tuple[Counter, Counter]) -> bytes:
        """Make an update again that has come out, for whoever could not keep it. Raises StepUnknown."""
        return await self._pushing.pushed(serial, firm_code, span)

    async def _narrowed(self, chosen: ListContainers, selection: Selection, shop: Shop | None) -> ListContainers:
        if selection.ticket is not None:
            lookup = self._vault.index("ticket", normalise_ticket(selection.ticket, path="ticket"))
            if not await self._storage.query(FindTickets(lookups=(lookup,))):
                raise TicketUnknown(NO_TICKET, path="ticket")
            return replace(chosen, ticket_lookup=lookup)
        if shop is None:
            raise AssertionError("the caller must be identified before containers are chosen by customer or firm code")
        if selection.customer_number is not None:
            require(shop, BULK, path="customerNumber")
            lookup_of_customer = self._customer_lookup(selection.customer_number)
            return replace(chosen, shop_id=shop.shop_id, customer_lookup=lookup_of_customer)
        require(shop, BULK, path="firm")
        return replace(chosen, firm_code=selection.firm_code)


def _read_position(text: str) -> tuple[str, int]:
    found = _POSITION.fullmatch(text.strip())
    if found is None:
        raise PositionInvalid("the position is none that an answer gave", path="after")
    return found[1], int(found[2])
