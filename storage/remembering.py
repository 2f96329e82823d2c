"""What changes seldom and is asked for with every order, remembered: shops by their credential, items by their number.

Every change of them raises one number in the database (`raise_data_version`), which is looked at several times a
second; when it has changed, all is forgotten. So a change is known everywhere within a second without a message from
node to node. Who cannot look for too long is blind, and then nobody is let in by memory (design, section 8).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from storage.commands import (
    AddCredential,
    AddItem,
    AddShop,
    ChangeItem,
    Command,
    FindIdentity,
    FindShop,
    LoadServer,
    OrderPreparation,
    PrepareOrder,
    Query,
    RevokeCredential,
    SetAccessPolicy,
    SetDepotPolicy,
    SetRights,
    SetShopActive,
    StoreFilters,
)
from storage.errors import StorageError, StorageUnavailable
from storage.interface import Storage
from storage.keys import Renew
from storage.records import Identity, Item, Shop
from storage.together import AllOrNone

_CHANGING: frozenset[type] = frozenset(
    {
        AddItem,
        ChangeItem,
        AddShop,
        SetRights,
        SetAccessPolicy,
        SetDepotPolicy,
        SetShopActive,
        AddCredential,
        RevokeCredential,
        StoreFilters,
        AllOrNone,
        Renew,
    }
)
LOOK_SECONDS = 0.25
BLIND_SECONDS = 5.0
MOST = 10_000
"""So many shops and so many items are remembered at most; with more, all are forgotten and begin anew."""


class RememberingStorage:
    """A `storage.interface.Storage` in front of another one. Belongs to the event loop that opened it.

    `monotonic` gives seconds. `on_change` is awaited when the number has changed, before that counts as seen.
    `on_blind` is called when it has become blind, `on_seeing` when it sees again.
    """

    def __init__(self, storage: Storage, *, monotonic: Callable[[], float], look_seconds: float = LOOK_SECONDS) -> None:
        self._storage = storage
        self._monotonic = monotonic
        self._look_seconds = look_seconds
        self._shops: dict[bytes, Shop] = {}
        self._identities: dict[bytes, Identity] = {}
        self._items: dict[str, Item] = {}
        self._version = -1
        self._forgotten = 0
        self._seen_at = monotonic()
        self._blind = False
        self._looking: asyncio.Task[None] | None = None
        self.on_change: Callable[[], Awaitable[None]] = _nothing
        self.on_blind: Callable[[], None] = lambda: None
        self.on_seeing: Callable[[], None] = lambda: None

    @property
    def age_seconds(self) -> float:
        """How long ago it was known that nothing had changed."""
        return self._monotonic() - self._seen_at

    def start(self) -> None:
        """Begin to look at the number."""
        self._looking = asyncio.get_running_loop().create_task(self._keep_looking())

    async def execute(self, command: Command) -> Any:
        """Carry out one command; what it changes is forgotten before its answer arrives."""
        answer: Any = await self._storage.execute(command)
        if type(command) in _CHANGING:
            self._begin_anew()
        return answer

    async def query(self, query: Query) -> Any:
        """Answer one query, of shops and items by what was true a moment ago."""
        match query:
            case FindShop():
                return await self._found(self._shops, query)
            case FindIdentity():
                return await self._found(self._identities, query)
            case PrepareOrder():
                return await self._prepare_order(query)
        return await self._storage.query(query)

    async def ready(self) -> None:
        """As the storage behind; raises StorageUnavailable while blind, too."""
        await self._storage.ready()
        self._refuse_blind()

    async def forget(self, *, thorough: bool) -> None:
        """As the storage behind."""
        await self._storage.forget(thorough=thorough)

    async def close(self) -> None:
        """Stop looking and close the storage behind."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._storage.close()

    async def look(self) -> None:
        """Look at the number once. Raises errors of `storage.errors`."""
        at = self._monotonic()
        server = await self._storage.query(LoadServer())
        version = -1 if server is None else server.data_version
        if version != self._version:
            self._begin_anew()
            await self.on_change()
            self._version = version
        self._seen_at = at
        if self._blind:
            self._blind = False
            self.on_seeing()

    async def _keep_looking(self) -> None:
        while True:
            with contextlib.suppress(StorageError):
                await self.look()
            if self.age_seconds > BLIND_SECONDS and not self._blind:
                self._blind = True
                self.on_blind()
            await asyncio.sleep(self._look_seconds)

    async def _found(self, remembered: dict[bytes, Any], query: FindShop | FindIdentity) -> Any:
        self._refuse_blind()
        known = remembered.get(query.lookup)
        if known is not None:
            return known
        before = self._forgotten
        found = await self._storage.query(query)
        # Who is not known is asked for each time: guessing must not fill the memory.
        if found is not None and before == self._forgotten:
            _remember(remembered, query.lookup, found)
        return found

    async def _prepare_order(self, query: PrepareOrder) -> OrderPreparation:
        if query.by_memory and _is_of_items_only(query) and self.age_seconds <= BLIND_SECONDS:
            items = tuple([self._items[number] for number in query.item_numbers if number in self._items])
            if len(items) == len(query.item_numbers):
                return OrderPreparation(answer=None, items=items, original_ticket=None)
        before = self._forgotten
        prepared = await self._storage.query(query)
        if before == self._forgotten:
            for item in prepared.items:
                _remember(self._items, item.item_number, item)
        return prepared

    def _refuse_blind(self) -> None:
        if self.age_seconds > BLIND_SECONDS:
            raise StorageUnavailable("the database did not tell for too long whether shops have changed; try again")

    def _begin_anew(self) -> None:
        self._forgotten += 1
        self._shops.clear()
        self._identities.clear()
        self._items.clear()


async def _nothing() -> None:
    """Nobody else wants to know of a change."""


def _is_of_items_only(query: PrepareOrder) -> bool:
    return query.original_order_number is None and query.original_ticket_lookup is None and not query.extended


def _remember(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= MOST:
        known.clear()
    known[key] = value
