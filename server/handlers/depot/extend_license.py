"""ExtendLicense, passed on to OZOMM: a ticket in, its licences run longer, once."""

from server.handlers.base import Call, Services
from server.handlers.ozomm.extending import extension_of, request_of
from soap.messages import depot


async def extend_license(call: Call[depot.ExtendLicenseRequest], services: Services) -> depot.ExtendLicenseAnswer:
    """Ask for an extension."""
    answer = await services.extensions.extend(request_of(call))
    return depot.ExtendLicenseAnswer(extension=extension_of(answer, depot))
