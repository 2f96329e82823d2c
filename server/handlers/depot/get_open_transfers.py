"""GetOpenTransfers: the steps that a container has not confirmed yet."""

from server.handlers.base import Call, Services
from soap.messages import depot


async def get_open_transfers(
    call: Call[depot.GetOpenTransfersRequest], services: Services
) -> depot.GetOpenTransfersAnswer:
    """Give what is not confirmed yet."""
    found = await services.pushing.get_open_transfers(statement=call.message.statement)
    return depot.GetOpenTransfersAnswer(
        transfers=depot.OpenTransfers(
            state=found.state,
            step=tuple(
                depot.OpenStep(epoch=step.counter[0], number=step.counter[1], kind=step.kind, issued_at=step.issued_at)
                for step in found.steps
            ),
        )
    )
