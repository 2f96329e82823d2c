"""ReplaceLicense: another item in the place of a licence."""

from server.handlers.base import Call, Services
from server.handlers.sales.change_outcome import outcome_of
from soap.messages import sales


async def replace_license(call: Call[sales.ReplaceLicenseRequest], services: Services) -> sales.ReplaceLicenseAnswer:
    """Put another item in the place of a licence of the calling shop."""
    message = call.message
    return sales.ReplaceLicenseAnswer(
        outcome=outcome_of(
            await services.vendor_actions.replace_license(
                shop=call.caller.shop,
                transaction_id=message.transaction_id,
                license_id=message.license_id,
                item_number=message.item_number,
                reason=message.reason,
            )
        )
    )
