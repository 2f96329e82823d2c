"""ReturnLicense: ticket and context in, an update file that takes licences out."""

from licensing.transfers.planning import Target
from server.handlers.base import Call, Services
from soap.messages import depot


async def return_license(call: Call[depot.ReturnLicenseRequest], services: Services) -> depot.ReturnLicenseAnswer:
    """Make, or find again, the update file that takes licences out of a container."""
    message = call.message
    answer = await services.depot.return_license(
        ticket=message.ticket,
        remainders=tuple(
            Target(license_id=x.license_id, quantity=None if x.remainder is None else x.remainder.quantity)
            for x in message.license
        ),
        context=message.context,
        user=message.user,
    )
    return depot.ReturnLicenseAnswer(result=depot.UpdateResult(state=answer.state, update=answer.update))
