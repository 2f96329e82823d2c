"""The Depot service, as an application or a licensee uses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from containers import Container, State
from opendepot.service import ServiceClient
from soap.messages import depot

MOST_EXPORTS = 5
"""How often a server may ask for a new context before something must be wrong."""


class SupportNeeded(Exception):
    """The server carries nothing out for this container until the vendor's support has decided about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What a collection did for one firm code: steps imported, and what the container holds now."""

    firm_code: int
    applied: int
    confirmed: bool
    listing: State


class DepotClient(ServiceClient):
    """Collects licences. `url` is the server's public URL or the address of its Depot service."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, wsdl="v1/depot.wsdl", messages=depot, path="/v1/depot", headers={}, **options)

    async def get_ticket(self, *tickets: str) -> depot.TicketOverview:
        """Give the licences of tickets, and what may be done with each."""
        answer: depot.GetTicketAnswer = await self.call("GetTicket", depot.GetTicketRequest(ticket=tickets))
        return answer.overview

    async def get_license_update(self, request: depot.GetLicenseUpdateRequest) -> depot.UpdateResult:
        """Ask for an update file."""
        answer: depot.GetLicenseUpdateAnswer = await self.call("GetLicenseUpdate", request)
        return answer.result

    async def confirm_license_update(self, receipt: bytes) -> depot.Confirmation:
        """Send a receipt."""
        message = depot.ConfirmLicenseUpdateRequest(receipt=receipt)
        answer: depot.ConfirmLicenseUpdateAnswer = await self.call("ConfirmLicenseUpdate", message)
        return answer.confirmation

    async def collect(
        self,
        ticket: str,
        container: Container,
        *,
        licenses: Sequence[depot.LicenseTarget] = (),
        user: str | None = None,
    ) -> tuple[Collected, ...]:
        """Put a ticket's licences into a container: context, update, import, receipt; once for each firm code.

        `licenses` names some of them, with the quantity that the container shall hold; left out: all that is free.
        Raises LookupError for a licence that is not on the ticket, SupportNeeded, `containers.ContainerError`, and what
        `call` raises. It may be repeated at any time: what an interrupted collection left open is finished first.
        """
        overview = await self.get_ticket(ticket)
        named = {license_.license_id for license_ in licenses}
        if named - {x.license_id for x in overview.license}:
            raise LookupError("the ticket does not have all of the licences that were named; get_ticket lists them")
        firm_codes = sorted({x.firm_code for x in overview.license if not named or x.license_id in named})
        firm_of = {x.license_id: x.firm_code for x in overview.license}
        wanted = {code: [x for x in licenses if firm_of[x.license_id] == code] for code in firm_codes}
        return tuple([await self._collect_firm(ticket, container, code, wanted[code], user) for code in firm_codes])

    async def _collect_firm(
        self,
        ticket: str,
        container: Container,
        firm_code: int,
        licenses: Sequence[depot.LicenseTarget],
        user: str | None,
    ) -> Collected:
        applied, confirmed = 0, False
        for _ in range(MOST_EXPORTS):
            result = await self.get_license_update(
                depot.GetLicenseUpdateRequest(
                    ticket=ticket, license=tuple(licenses), context=container.context(firm_code), user=user
                )
            )
            if result.update is not None:
                imported = container.import_update(result.update)
                applied += imported.applied
                confirmed = (await self.confirm_license_update(imported.receipt)).state == "Confirmed"
            if result.state in {"Done", "NothingNew"}:
                return Collected(
                    firm_code=firm_code,
                    applied=applied,
                    confirmed=confirmed or result.state == "NothingNew",
                    listing=container.listing(firm_code),
                )
            if result.state != "ExportAgain":
                raise SupportNeeded(
                    f"the server says {result.state} of container {container.serial}; ask the vendor's support"
                )
        raise SupportNeeded(f"the server asked for a new context {MOST_EXPORTS} times; ask the vendor's support")
