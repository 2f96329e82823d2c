"""GetExtension: what has become of an extension."""

from server.handlers.base import Call, Services
from server.handlers.ozomm.extending import extension_of, question_of
from soap.messages import ozomm


async def get_extension(call: Call[ozomm.GetExtensionRequest], services: Services) -> ozomm.GetExtensionAnswer:
    """Ask what has become of an extension."""
    answer = await services.extensions.get(question_of(call))
    return ozomm.GetExtensionAnswer(extension=extension_of(answer, ozomm))
