"""CancelOrder: an order taken back."""

from server.handlers.base import Call, Services
from server.handlers.sales.change_outcome import outcome_of
from soap.messages import sales


async def cancel_order(call: Call[sales.CancelOrderRequest], services: Services) -> sales.CancelOrderAnswer:
    """Take an order of the calling shop back."""
    message = call.message
    return sales.CancelOrderAnswer(
        outcome=outcome_of(
            await services.vendor_actions.cancel_order(
                shop=call.caller.shop,
                transaction_id=message.transaction_id,
                order_id=message.order_id,
                order_number=message.order_number,
                reason=message.reason,
            )
        )
    )
