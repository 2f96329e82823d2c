"""OZOMM, as an application uses it to extend licences that expire."""

from typing import Any

from opendepot.service import ServiceClient
from soap.messages import ozomm
from soap.messages.header import FrontClient

REPEATABLE = frozenset({"ExtendLicense", "GetExtension"})
"""Operations that act once, however often they are sent: the transactionId and the context make them so."""


class OzommClient(ServiceClient):
    """Extends licences. `url` is the public URL of the server that OZOMM is served by, or the address of OZOMM."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, wsdl="v1/ozomm.wsdl", messages=ozomm, path="/v1/ozomm", repeatable=REPEATABLE, **options)

    async def extend_license(
        self, request: ozomm.ExtendLicenseRequest, *, on_behalf_of: FrontClient | None = None
    ) -> ozomm.Extension:
        """Ask for an extension; the same transactionId with the same wishes acts once."""
        answer: ozomm.ExtendLicenseAnswer = await self.call("ExtendLicense", request, on_behalf_of=on_behalf_of)
        return answer.extension

    async def get_extension(
        self, request: ozomm.GetExtensionRequest, *, on_behalf_of: FrontClient | None = None
    ) -> ozomm.Extension:
        """Ask what has become of an extension."""
        answer: ozomm.GetExtensionAnswer = await self.call("GetExtension", request, on_behalf_of=on_behalf_of)
        return answer.extension
