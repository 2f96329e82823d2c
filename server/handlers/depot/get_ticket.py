"""GetTicket: the licences of one or several tickets, and what may be done with each."""

from server.handlers.base import Call, Services
from soap.messages import depot


async def get_ticket(call: Call[depot.GetTicketRequest], services: Services) -> depot.GetTicketAnswer:
    """Give the licences of tickets."""
    overview = await services.depot.get_ticket(tickets=call.message.ticket)
    return depot.GetTicketAnswer(
        overview=depot.TicketOverview(
            state=overview.state,
            license=tuple(
                depot.TicketLicense(
                    license_id=x.license_id,
                    item_number=x.item_number,
                    firm_code=x.firm_code,
                    product_code=x.product_code,
                    quantity=x.quantity,
                    state=x.state,
                    collected=x.collected,
                    confirmed=x.confirmed,
                    free=x.free,
                    action=x.actions,
                    expiration=None if x.expires_at is None else depot.LicenseExpiration(time=x.expires_at),
                )
                for x in overview.licenses
            ),
        )
    )
