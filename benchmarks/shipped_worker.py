"""A worker of `opendepot serve` that stores no order, started by the supervisor of `benchmarks.shipped`.

The second argument is the way:

handler   what the handler calls makes ids and a ticket, and nothing else, as the handlers of the peers do
storage   the rules of the product, too (items, seals, the row for the audit log), before a storage that keeps all but
          the order that they come to
"""

import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.bare import new_names
from licensing.order_values import OrderedLicense, OrderReceipt, OrderRequest
from licensing.orders import Sales
from server.core import Core, opened_core, utc_now
from server.settings import Settings
from server.supervise import worker
from storage import Storage, open_storage
from storage.commands import Command, Placed, PlaceOrder, Query
from storage.records import Shop


class Unstored(Sales):
    """The service without the rules of orders and without storage."""

    async def create_order(self, *, shop: Shop, request: OrderRequest) -> OrderReceipt:  # noqa: ARG002  as the product
        """Make ids and a ticket, and a licence for each line."""
        order_id, ticket = new_names()
        return OrderReceipt(
            order_id=order_id,
            ticket=ticket,
            collect_url=None,
            licenses=tuple(
                [
                    OrderedLicense(
                        license_id=f"{order_id}-{place}", item_number=line.item_number, quantity=line.quantity
                    )
                    for place, line in enumerate(request.lines, 1)
                ]
            ),
        )


class KeepingNoOrder:
    """A `storage.Storage` in front of another one, which learns of everything but new orders."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def execute(self, command: Command) -> Any:
        """Say of an order that it was placed; carry out everything else."""
        if isinstance(command, PlaceOrder):
            return Placed()
        answer: Any = await self._storage.execute(command)
        return answer

    async def query(self, query: Query) -> Any:
        """As the storage behind."""
        answer: Any = await self._storage.query(query)
        return answer

    async def ready(self) -> None:
        """As the storage behind."""
        await self._storage.ready()

    async def forget(self, *, thorough: bool) -> None:
        """As the storage behind."""
        await self._storage.forget(thorough=thorough)

    async def close(self) -> None:
        """As the storage behind."""
        await self._storage.close()


@asynccontextmanager
async def _without_handling(settings: Settings) -> AsyncIterator[Core]:
    async with opened_core(settings) as core:
        unstored = Unstored(storage=core.storage, vault=core.vault, clock=utc_now, random=secrets.token_bytes)
        yield replace(core, sales=unstored)


def _without_storing(settings: Settings) -> AbstractAsyncContextManager[Core]:
    async def opened(location: str | Path, **options: Any) -> Storage:
        return KeepingNoOrder(await open_storage(location, **options))

    return opened_core(settings, open_database=opened)


WAYS: Mapping[str, Callable[[Settings], AbstractAsyncContextManager[Core]]] = {
    "handler": _without_handling,
    "storage": _without_storing,
}


def main() -> None:
    """Be the worker that the product would be, with the core that the way asks for."""
    with patch.object(worker, "opened_core", WAYS[sys.argv[2]]):
        worker.main()


if __name__ == "__main__":
    main()
