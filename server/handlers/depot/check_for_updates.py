"""CheckForUpdates: what is waiting for a container, at once or as soon as there is something."""

from server.handlers.base import Call, Services
from soap.messages import depot


async def check_for_updates(
    call: Call[depot.CheckForUpdatesRequest], services: Services
) -> depot.CheckForUpdatesAnswer:
    """Say what is waiting."""
    wait = call.message.wait
    found = await services.pushing.check_for_updates(
        statement=call.message.statement, wait_seconds=0 if wait is None else wait.seconds
    )
    return depot.CheckForUpdatesAnswer(check=depot.UpdateCheck(state=found.state, serial=found.serial))
