"""RestoreLicense: a lost or broken container is reported."""

from server.handlers.base import Call, Services
from soap.messages import depot


async def restore_license(call: Call[depot.RestoreLicenseRequest], services: Services) -> depot.RestoreLicenseAnswer:
    """Free what a lost container holds, or ask for an approval."""
    message = call.message
    decision = await services.losses.restore_license(
        ticket=message.ticket, serial=message.serial, firm_code=message.firm_code, reason=message.reason
    )
    return depot.RestoreLicenseAnswer(
        decision=depot.LossDecision(state=decision.state, approval_id=decision.approval_id)
    )
