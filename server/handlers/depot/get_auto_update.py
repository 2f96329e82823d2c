"""GetAutoUpdate: what is waiting for a container, as an update file."""

from server.handlers.base import Call, Services
from soap.messages import depot


async def get_auto_update(call: Call[depot.GetAutoUpdateRequest], services: Services) -> depot.GetAutoUpdateAnswer:
    """Make, or find again, what is waiting."""
    answer = await services.pushing.get_auto_update(statement=call.message.statement)
    return depot.GetAutoUpdateAnswer(result=depot.UpdateResult(state=answer.state, update=answer.update))
