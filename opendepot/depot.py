"""The Depot service, as an application or a licensee uses it."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from containers import Container, State
from opendepot.service import ServiceClient, ServiceUnreachable
from soap import FaultReceived
from soap.messages import depot
from soap.messages.header import FrontClient

MOST_EXPORTS = 5
"""How often a server may ask for a new context before something must be wrong."""


REPEATABLE = frozenset(
    {
        "GetTicket",
        "GetLicenseUpdate",
        "ConfirmLicenseUpdate",
        "ReturnLicense",
        "RestoreLicense",
        "CheckForUpdates",
        "GetAutoUpdate",
        "GetOpenTransfers",
    }
)
"""What only reads, what carries a context, and RestoreLicense, which changes nothing the second time."""

AGAIN = frozenset({"ExportAgain", "Healing", "Lost"})
"""States that a new context leads out of; the last two only with the update that the answer holds."""

FOLLOW_PAUSE, LONGEST_FOLLOW_PAUSE = 1.0, 60.0
"""Seconds between tries to reach the server while following, from the first to the longest."""

Ask = Callable[[bytes], Awaitable[depot.UpdateResult]]
"""Sends a context with a request."""


class SupportNeeded(Exception):
    """The server carries nothing out for this container until the vendor's support has decided about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What a collection or a return did for one firm code: steps imported, and what the container holds now."""

    firm_code: int
    applied: int
    confirmed: bool
    listing: State


class DepotClient(ServiceClient):
    """Collects licences. `url` is the server's public URL or the address of its Depot service."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, wsdl="v1/depot.wsdl", messages=depot, path="/v1/depot", repeatable=REPEATABLE, **options)

    async def get_ticket(self, *tickets: str, on_behalf_of: FrontClient | None = None) -> depot.TicketOverview:
        """Give the licences of tickets, and what may be done with each."""
        message = depot.GetTicketRequest(ticket=tickets)
        answer: depot.GetTicketAnswer = await self.call("GetTicket", message, on_behalf_of=on_behalf_of)
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

    async def return_license(self, request: depot.ReturnLicenseRequest) -> depot.UpdateResult:
        """Ask for an update file that takes licences out."""
        answer: depot.ReturnLicenseAnswer = await self.call("ReturnLicense", request)
        return answer.result

    async def check_for_updates(self, statement: bytes, *, wait_seconds: int = 0) -> str:
        """Ask what is waiting for a container, by its context or poll; see UpdateCheck for the states."""
        wait = depot.WaitingTime(seconds=wait_seconds) if wait_seconds else None
        message = depot.CheckForUpdatesRequest(statement=statement, wait=wait)
        answer: depot.CheckForUpdatesAnswer = await self.call("CheckForUpdates", message)
        return answer.check.state

    async def get_auto_update(self, statement: bytes) -> depot.UpdateResult:
        """Ask for what is waiting for a container, by its context or poll."""
        message = depot.GetAutoUpdateRequest(statement=statement)
        answer: depot.GetAutoUpdateAnswer = await self.call("GetAutoUpdate", message)
        return answer.result

    async def get_open_transfers(self, statement: bytes) -> depot.OpenTransfers:
        """Ask for the steps that a container has not confirmed yet, by its context or poll."""
        message = depot.GetOpenTransfersRequest(statement=statement)
        answer: depot.GetOpenTransfersAnswer = await self.call("GetOpenTransfers", message)
        return answer.transfers

    async def get_license_updates(
        self,
        *,
        ticket: str | None = None,
        customer_number: str | None = None,
        firm_code: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[depot.ContainerUpdate, None]:
        """Give the update files of many containers as they arrive, each once, in constant memory.

        Exactly one of `ticket`, `customer_number` and `firm_code` chooses; the last two need a credential with the
        right bulk. An answer that breaks off is asked for again behind the last update that arrived. Who stops early,
        or keeps `position`, goes on later with `after`. Raises what `call` raises.
        """
        request = depot.GetLicenseUpdatesRequest(
            ticket=ticket,
            customer_number=customer_number,
            firm=None if firm_code is None else depot.FirmChoice(firm_code=firm_code),
            after=after,
        )
        rests: list[depot.GetLicenseUpdatesAnswer] = []
        failures = 0
        while not rests or (rests.pop().updates.has_more and limit != 0):
            asked = replace(request, limit=None if limit is None else depot.UpdateLimit(updates=limit))
            updates = self.stream("GetLicenseUpdates", asked, at_end=rests.append)
            try:
                async with aclosing(updates):
                    async for update in updates:
                        request, failures = replace(request, after=update.position), 0
                        limit = None if limit is None else limit - 1
                        yield update
            except (ServiceUnreachable, FaultReceived) as error:
                failures += 1
                again = isinstance(error, ServiceUnreachable) or error.retry
                if limit == 0:
                    return
                if not again or failures >= self.attempts:
                    raise
                await self.pause(failures)

    async def update(self, container: Container, firm_code: int) -> Collected:
        """Bring a container up to date without a ticket: what the vendor changed, and what was left open.

        Raises what `collect` raises.
        """
        return await self._transfer(container, firm_code, self.get_auto_update)

    async def follow(self, container: Container, firm_code: int, *, wait_seconds: int = 20) -> AsyncIterator[Collected]:
        """Keep a container up to date as long as it is iterated over; every change comes out.

        The first step resumes what was left open. Then the server is asked to answer when there is something, which
        costs it nearly nothing. While the server cannot be reached it is tried again, more and more slowly. Raises
        SupportNeeded, `containers.ContainerError`, `soap.FaultReceived`.
        """
        patience, due = FOLLOW_PAUSE, True
        while True:
            try:
                if not due:
                    state = await self.check_for_updates(container.poll(firm_code), wait_seconds=wait_seconds)
                    due = state in {"UpdateWaiting", *AGAIN}
                    if not due and state != "NothingNew":
                        raise SupportNeeded(
                            f"the server says {state} of container {container.serial}; ask the vendor's support"
                        )
                if due:
                    changed, due = await self.update(container, firm_code), False
                    if changed.applied:
                        yield changed
                patience = FOLLOW_PAUSE
            except ServiceUnreachable:
                await self.sleep(patience)
                patience = min(2 * patience, LONGEST_FOLLOW_PAUSE)

    async def restore_license(self, request: depot.RestoreLicenseRequest) -> depot.LossDecision:
        """Report that a container is lost or broken."""
        answer: depot.RestoreLicenseAnswer = await self.call("RestoreLicense", request)
        return answer.decision

    async def report_lost(
        self, ticket: str, serial: str, *, reason: str | None = None
    ) -> dict[int, depot.LossDecision]:
        """Report a lost container for every firm code of a ticket; a decision for each that it holds something of.

        Raises what `call` raises, and LookupError when it holds nothing of the ticket.
        """
        decisions: dict[int, depot.LossDecision] = {}
        for firm_code in sorted(await self._firms(ticket, ())):
            request = depot.RestoreLicenseRequest(ticket=ticket, serial=serial, firm_code=firm_code, reason=reason)
            try:
                decisions[firm_code] = await self.restore_license(request)
            except FaultReceived as fault:
                if fault.code != "ContainerUnknown":
                    raise
        if not decisions:
            raise LookupError("no licence of this ticket is in a container of this serial; compare it once more")
        return decisions

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
        named = {license_.license_id: license_ for license_ in licenses}
        firms = await self._firms(ticket, tuple(named))

        def asked(firm_code: int) -> Ask:
            chosen = tuple(named[name] for name in firms[firm_code] if name in named)
            return lambda context: self.get_license_update(
                depot.GetLicenseUpdateRequest(ticket=ticket, license=chosen, context=context, user=user)
            )

        return tuple([await self._transfer(container, code, asked(code)) for code in sorted(firms)])

    async def give_back(
        self,
        ticket: str,
        container: Container,
        *,
        licenses: Sequence[depot.LicenseRemainder] = (),
        user: str | None = None,
    ) -> tuple[Collected, ...]:
        """Take a ticket's licences out of a container, so that they can be collected elsewhere.

        `licenses` names some of them, with the quantity that shall remain; left out: nothing remains of any. The pieces
        are free when the receipt has arrived, which is part of this call. Raises what `collect` raises, and may be
        repeated like it.
        """
        named = {license_.license_id: license_ for license_ in licenses}
        firms = await self._firms(ticket, tuple(named))

        def asked(firm_code: int) -> Ask:
            chosen = tuple(named[name] for name in firms[firm_code] if name in named)
            return lambda context: self.return_license(
                depot.ReturnLicenseRequest(ticket=ticket, license=chosen, context=context, user=user)
            )

        return tuple([await self._transfer(container, code, asked(code)) for code in sorted(firms)])

    async def _firms(self, ticket: str, named: Sequence[str]) -> dict[int, list[str]]:
        """Give the licences of a ticket, or those of them that are named, by firm code."""
        overview = await self.get_ticket(ticket)
        if set(named) - {x.license_id for x in overview.license}:
            raise LookupError("the ticket does not have all of the licences that were named; get_ticket lists them")
        firms: dict[int, list[str]] = {}
        for license_ in overview.license:
            if not named or license_.license_id in named:
                firms.setdefault(license_.firm_code, []).append(license_.license_id)
        return firms

    async def _transfer(self, container: Container, firm_code: int, ask: Ask) -> Collected:
        """Export, ask, import and confirm, until the server has nothing more to say about it."""
        applied, confirmed = 0, False
        for _ in range(MOST_EXPORTS):
            result = await ask(container.context(firm_code))
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
            if result.state not in AGAIN or (result.state != "ExportAgain" and result.update is None):
                raise SupportNeeded(
                    f"the server says {result.state} of container {container.serial}; ask the vendor's support"
                )
        raise SupportNeeded(f"the server asked for a new context {MOST_EXPORTS} times; ask the vendor's support")
