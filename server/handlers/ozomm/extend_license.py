"""ExtendLicense: a ticket in, its licences run longer, once."""

from server.handlers.base import Call, Services
from server.handlers.ozomm.extending import extension_of, request_of
from soap.messages import ozomm


async def extend_license(call: Call[ozomm.ExtendLicenseRequest], services: Services) -> ozomm.ExtendLicenseAnswer:
    """Ask for an extension."""
    answer = await services.extensions.extend(request_of(call))
    return ozomm.ExtendLicenseAnswer(extension=extension_of(answer, ozomm))
