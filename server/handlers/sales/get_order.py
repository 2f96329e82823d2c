"""GetOrder: an order by one of its names, with the states of its licences."""

from licensing.order_views import LicenseStatus, OrderDetails
from server.handlers.base import Call, Services
from soap.messages import sales


async def get_order(call: Call[sales.GetOrderRequest], services: Services) -> sales.GetOrderAnswer:
    """Give an order of the calling shop."""
    message = call.message
    order = await services.sales.get_order(
        shop=call.caller.shop,
        order_id=message.order_id,
        order_number=message.order_number,
        transaction_id=message.transaction_id,
    )
    return sales.GetOrderAnswer(order=details_of(order))


def details_of(order: OrderDetails) -> sales.OrderDetails:
    """Give an order as the contract has it."""
    return sales.OrderDetails(
        order_id=order.order_id,
        order_number=order.order_number,
        transaction_id=order.transaction_id,
        ticket=order.ticket,
        collect_url=order.collect_url,
        order_time=order.ordered_at,
        license=statuses_of(order.licenses),
    )


def statuses_of(licenses: tuple[LicenseStatus, ...]) -> tuple[sales.LicenseStatus, ...]:
    """Give licences as the contract has them."""
    return tuple(
        sales.LicenseStatus(
            license_id=x.license_id,
            item_number=x.item_number,
            quantity=x.quantity,
            generation=x.generation,
            state=x.state,
            collected=x.collected,
            confirmed=x.confirmed,
        )
        for x in licenses
    )
