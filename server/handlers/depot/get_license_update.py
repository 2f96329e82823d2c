"""GetLicenseUpdate: ticket and context in, update file out."""

from licensing.transfers.planning import Target
from server.handlers.base import Call, Services
from server.handlers.depot.update_result import update_result
from soap.messages import depot


async def get_license_update(
    call: Call[depot.GetLicenseUpdateRequest], services: Services
) -> depot.GetLicenseUpdateAnswer:
    """Make, or find again, the update file for a container."""
    message = call.message
    answer = await services.depot.get_license_update(
        ticket=message.ticket,
        targets=tuple(
            Target(license_id=x.license_id, quantity=None if x.target is None else x.target.quantity)
            for x in message.license
        ),
        context=message.context,
        user=message.user,
    )
    return depot.GetLicenseUpdateAnswer(result=await update_result(answer, services))
