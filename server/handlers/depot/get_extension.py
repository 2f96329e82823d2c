"""GetExtension, passed on to OZOMM: what has become of an extension."""

from server.handlers.base import Call, Services
from server.handlers.ozomm.extending import extension_of, question_of
from soap.messages import depot


async def get_extension(call: Call[depot.GetExtensionRequest], services: Services) -> depot.GetExtensionAnswer:
    """Ask what has become of an extension."""
    answer = await services.extensions.get(question_of(call))
    return depot.GetExtensionAnswer(extension=extension_of(answer, depot))
