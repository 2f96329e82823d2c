"""CreateOrder: an order in, a ticket out, exactly once."""

from licensing.data import DataField
from licensing.orders import Customer, OrderLine, OrderReceipt, OrderRequest
from server.handlers.base import Call, Services
from soap.messages import sales


async def create_order(call: Call[sales.CreateOrderRequest], services: Services) -> sales.CreateOrderAnswer:
    """Record an order."""
    receipt = await services.sales.create_order(shop=call.caller.shop, request=request_of(call.message))
    return sales.CreateOrderAnswer(receipt=receipt_of(receipt))


def request_of(message: sales.CreateOrderRequest) -> OrderRequest:
    """Give an order as the rules take it."""
    customer = message.customer
    return OrderRequest(
        transaction_id=message.transaction_id,
        order_number=message.order_number,
        original_order_number=message.original_order_number,
        original_ticket=message.original_ticket,
        customer=None
        if customer is None
        else Customer(
            name=customer.name,
            company=customer.company,
            email=customer.email,
            customer_number=customer.customer_number,
            language=customer.language,
        ),
        lines=tuple([_line_of(line) for line in message.order_line]),
    )


def _line_of(line: sales.OrderLine) -> OrderLine:
    return OrderLine(
        item_number=line.item_number,
        quantity=line.quantity,
        extends_license_id=line.extends_license_id,
        container_serial=line.container_serial,
        data=tuple([DataField(kind=x.kind.lower(), number=x.number, value=x.value) for x in line.data])
        if line.data
        else (),
    )


def receipt_of(receipt: OrderReceipt) -> sales.OrderReceipt:
    """Give a receipt as the contract has it."""
    return sales.OrderReceipt(
        order_id=receipt.order_id,
        ticket=receipt.ticket,
        collect_url=receipt.collect_url,
        license=tuple(
            [
                sales.OrderedLicense(license_id=x.license_id, item_number=x.item_number, quantity=x.quantity)
                for x in receipt.licenses
            ]
        ),
    )
