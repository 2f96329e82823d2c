"""CreateOrders: many orders, each atomic, each with its own result."""

from licensing.batches import OrderResult
from licensing.batches import create_orders as create
from server.faults import fault_for
from server.handlers.base import Call, Services
from server.handlers.sales.create_order import receipt_of, request_of
from soap.messages import sales


async def create_orders(call: Call[sales.CreateOrdersRequest], services: Services) -> sales.CreateOrdersAnswer:
    """Record orders, and say of each what became of it."""
    requests = [request_of(order) for order in call.message.order]
    results = await create(services.sales, shop=call.caller.shop, requests=requests)
    done = sum(result.receipt is not None for result in results)
    state = "Done" if done == len(results) else "PartlyDone" if done else "Refused"
    return sales.CreateOrdersAnswer(batch=sales.OrderBatch(state=state, result=tuple(map(_result, results))))


def _result(result: OrderResult) -> sales.OrderResult:
    refusal = None
    if result.refusal is not None:
        fault = fault_for(result.refusal, reference="")
        refusal = sales.OrderRefusal(
            code=fault.code, message=fault.message, retry="Later" if fault.kind.retry else "Never", path=fault.path
        )
    return sales.OrderResult(
        transaction_id=result.transaction_id,
        status="Done" if refusal is None else "Refused",
        order=None if result.receipt is None else receipt_of(result.receipt),
        refusal=refusal,
    )
