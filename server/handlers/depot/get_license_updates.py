"""GetLicenseUpdates: what is waiting for many containers, written update by update."""

from collections.abc import AsyncGenerator
from functools import partial

from licensing.bulk import Bulk, Delivery, Selection
from server.errors import NotIdentified
from server.handlers.base import Call, Services
from soap import Streamed, StreamedItem
from soap.messages import depot


async def get_license_updates(call: Call[depot.GetLicenseUpdatesRequest], services: Services) -> Streamed:
    """Begin to deliver what is waiting."""
    message, shop = call.message, call.caller.identified_shop
    if shop is None and message.ticket is None and (message.customer_number is not None or message.firm is not None):
        raise NotIdentified("to choose by customerNumber or firm, send the credential of a shop with the right bulk")
    delivery = await services.bulk.deliver(
        selection=Selection(
            ticket=message.ticket,
            customer_number=message.customer_number,
            firm_code=None if message.firm is None else message.firm.firm_code,
        ),
        shop=shop,
        after=message.after,
        most=None if message.limit is None else message.limit.updates,
    )
    return Streamed(
        items=_updates(delivery, services.bulk),
        rest=lambda: depot.LicenseUpdates(has_more=delivery.has_more),
        enough=delivery.enough,
    )


async def _updates(delivery: Delivery, bulk: Bulk) -> AsyncGenerator[StreamedItem, None]:
    updates = delivery.updates()
    try:
        async for update in updates:
            message = depot.ContainerUpdate(
                serial=update.serial,
                firm_code=update.firm_code,
                state=update.state,
                position=update.position,
                update=update.update,
            )
            again = None if update.span is None else partial(bulk.update, update.serial, update.firm_code, update.span)
            yield StreamedItem(message=message, again=again)
    finally:
        await updates.aclose()
