"""ConfirmLicenseUpdate: a receipt in, the licences count as confirmed."""

from server.handlers.base import Call, Services
from soap.messages import depot


async def confirm_license_update(
    call: Call[depot.ConfirmLicenseUpdateRequest], services: Services
) -> depot.ConfirmLicenseUpdateAnswer:
    """Take a container's receipt."""
    confirmation = await services.depot.confirm_license_update(receipt=call.message.receipt)
    return depot.ConfirmLicenseUpdateAnswer(
        confirmation=depot.Confirmation(state=confirmation.state, serial=confirmation.serial)
    )
