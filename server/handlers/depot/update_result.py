"""The answer that holds an update file, shared by the operations that give one."""

from licensing.depot import UpdateAnswer
from server.handlers.base import Services
from soap.messages import depot


async def update_result(answer: UpdateAnswer, services: Services) -> depot.UpdateResult:
    """Give the answer, with a link where links are made."""
    token = await services.links.link(answer.update)
    return depot.UpdateResult(
        state=answer.state, update=answer.update, update_url=None if token is None else services.update_url(token)
    )
