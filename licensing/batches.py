"""Many orders in one call, each atomic and each with its own outcome (CreateOrders)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from licensing.errors import LicensingError
from licensing.order_values import OrderReceipt, OrderRequest
from licensing.orders import Sales
from storage.errors import StorageError
from storage.records import Shop

AT_ONCE = 100
"""Orders that wait for the database together: enough for full batches, and far below the length of its queue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderResult:
    """What became of one order: a receipt, or why it was not recorded."""

    transaction_id: str
    receipt: OrderReceipt | None = None
    refusal: LicensingError | StorageError | None = None


async def create_orders(sales: Sales, *, shop: Shop, requests: Sequence[OrderRequest]) -> tuple[OrderResult, ...]:
    """Record orders as if one after the other, and give the outcomes in their order.

    Raises what `Sales.create_order` raises beyond refusals and errors that pass; orders may have been recorded then,
    and the same call again finds out.
    """
    results: list[OrderResult] = []
    for wave in waves(requests):
        done = await asyncio.gather(*(_created(sales, shop, request) for request in wave), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
            results.append(result)
    return tuple(results)


def waves(requests: Sequence[OrderRequest]) -> Iterator[list[OrderRequest]]:
    """Split orders into runs that may be recorded at once: none depends on, or contends with, another of its run."""
    wave: list[OrderRequest] = []
    named: set[tuple[str, str]] = set()
    for request in requests:
        own = _names(request)
        original = request.original_order_number
        follows = original is not None and ("number", original) in named
        if len(wave) == AT_ONCE or follows or not own.isdisjoint(named):
            yield wave
            wave, named = [], set()
        wave.append(request)
        named |= own
    if wave:
        yield wave


def _names(request: OrderRequest) -> set[tuple[str, str]]:
    found = {("transaction", request.transaction_id)}
    if request.order_number is not None:
        found.add(("number", request.order_number))
    return found | {("licence", x.extends_license_id) for x in request.lines if x.extends_license_id is not None}


async def _created(sales: Sales, shop: Shop, request: OrderRequest) -> OrderResult:
    try:
        receipt = await sales.create_order(shop=shop, request=request)
    except LicensingError as refusal:
        return OrderResult(transaction_id=request.transaction_id, refusal=refusal)
    except StorageError as error:
        if not error.retry:
            raise
        return OrderResult(transaction_id=request.transaction_id, refusal=error)
    return OrderResult(transaction_id=request.transaction_id, receipt=receipt)
