"""ExplainAddress: what would become of a connection, and why."""

from ipfilters import Endpoint
from server.handlers.base import Call, Services
from soap.messages import admin


async def explain_address(call: Call[admin.ExplainAddressRequest], services: Services) -> admin.ExplainAddressAnswer:
    """Explain an address."""
    message = call.message
    found = await services.shop_filters.explain(
        message.address, endpoint=Endpoint(message.endpoint), shop=message.shop_name, forwarded=message.forwarded
    )
    decision = found.explanation.decision
    return admin.ExplainAddressAnswer(
        explanation=admin.Explanation(
            client=found.explanation.client.address,
            allowed=decision.allowed,
            reason=decision.reason.value,
            winner=None if decision.winner is None else decision.winner.id,
            policy=None if found.policy is None else found.policy.value,
            verdict=None if found.verdict is None else found.verdict.value,
            version=found.explanation.version,
            text=str(found.explanation),
        )
    )
