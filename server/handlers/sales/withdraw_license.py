"""WithdrawLicense: a licence, or some of its pieces, taken back."""

from server.handlers.base import Call, Services
from server.handlers.sales.change_outcome import outcome_of
from soap.messages import sales


async def withdraw_license(call: Call[sales.WithdrawLicenseRequest], services: Services) -> sales.WithdrawLicenseAnswer:
    """Take a licence of the calling shop back."""
    message = call.message
    return sales.WithdrawLicenseAnswer(
        outcome=outcome_of(
            await services.vendor_actions.withdraw_license(
                shop=call.caller.shop,
                transaction_id=message.transaction_id,
                license_id=message.license_id,
                pieces=None if message.pieces is None else message.pieces.quantity,
                reason=message.reason,
            )
        )
    )
