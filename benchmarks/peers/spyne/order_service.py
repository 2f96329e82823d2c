"""CreateOrder on Spyne: the contract's message and facets as Spyne models, served as the WSGI callable `application`.

Runs in an environment of its own, without anything of the project.
"""
# mypy: ignore-errors

import logging
import secrets
from typing import ClassVar

from spyne import Application, ComplexModel, Integer32, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

NAMESPACE = "urn:opendepot:sales:1"
TICKET_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

# Spyne reports each refused request with a traceback otherwise, and no contestant keeps a log.
logging.disable(logging.CRITICAL)

TransactionId = Unicode(100, min_len=1, pattern="[!-~]*", type_name="TransactionId")
OrderNumber = Unicode(100, min_len=1, type_name="OrderNumber")
ItemNumber = Unicode(64, min_len=1, type_name="ItemNumber")
PersonText = Unicode(200, min_len=1, type_name="PersonText")
LanguageTag = Unicode(35, min_len=2, pattern="[A-Za-z0-9-]*", type_name="LanguageTag")
Quantity = Integer32(ge=1, le=1000000, type_name="Quantity")


class _Message(ComplexModel):
    __namespace__ = NAMESPACE


class Customer(_Message):
    """Who bought."""

    _type_info: ClassVar = [
        ("name", PersonText(min_occurs=1, nillable=False)),
        ("company", PersonText(nillable=False)),
        ("email", PersonText(nillable=False)),
        ("customerNumber", PersonText(nillable=False)),
        ("language", LanguageTag(nillable=False)),
    ]


class OrderLine(_Message):
    """One line of an order."""

    _type_info: ClassVar = [
        ("itemNumber", ItemNumber(min_occurs=1, nillable=False)),
        ("quantity", Quantity(min_occurs=1, nillable=False)),
    ]


class CreateOrder(_Message):
    """An order of one or several lines."""

    _type_info: ClassVar = [
        ("transactionId", TransactionId(min_occurs=1, nillable=False)),
        ("orderNumber", OrderNumber(nillable=False)),
        ("originalOrderNumber", OrderNumber(nillable=False)),
        ("customer", Customer.customize(nillable=False)),
        ("orderLine", OrderLine.customize(min_occurs=1, max_occurs=100, nillable=False)),
    ]


class OrderedLicense(_Message):
    """A licence that an order line became."""

    _type_info: ClassVar = [
        ("licenseId", Unicode(min_occurs=1, nillable=False)),
        ("itemNumber", Unicode(min_occurs=1, nillable=False)),
        ("quantity", Integer32(min_occurs=1, nillable=False)),
    ]


class OrderReceipt(_Message):
    """An order that was recorded."""

    _type_info: ClassVar = [
        ("orderId", Unicode(min_occurs=1, nillable=False)),
        ("ticket", Unicode(min_occurs=1, nillable=False)),
        ("collectUrl", Unicode(nillable=False)),
        ("license", OrderedLicense.customize(min_occurs=1, max_occurs="unbounded", nillable=False)),
    ]


class CreateOrderResponse(_Message):
    """The answer to CreateOrder."""

    _type_info: ClassVar = [("receipt", OrderReceipt.customize(min_occurs=1, nillable=False))]


class Sales(ServiceBase):
    """The service with the one operation that is measured."""

    @rpc(
        CreateOrder,
        _returns=CreateOrderResponse,
        _body_style="bare",
        _operation_name="CreateOrder",
        _out_message_name="CreateOrderResponse",
    )
    def create_order(ctx, order):  # noqa: N805
        """Make a ticket and ids for an order that the validator has let through."""
        order_id = secrets.token_hex(16)
        ticket = "".join(TICKET_SYMBOLS[byte & 31] for byte in secrets.token_bytes(25))
        return CreateOrderResponse(
            receipt=OrderReceipt(
                orderId=order_id,
                ticket="-".join(ticket[at : at + 5] for at in range(0, 25, 5)),
                license=[
                    OrderedLicense(licenseId=f"{order_id}-{place}", itemNumber=line.itemNumber, quantity=line.quantity)
                    for place, line in enumerate(order.orderLine, 1)
                ],
            )
        )


application = WsgiApplication(
    Application([Sales], tns=NAMESPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
)
