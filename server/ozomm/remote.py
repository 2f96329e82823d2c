"""Sales and Depot of another computer, over SOAP, with OZOMM's own credential and its right extend-any.

OZOMM orders and collects for itself. Where it has a certificate it looks at tickets on behalf of who asks it, so that
wrong tickets are theirs and not OZOMM's. What a front has passed on it looks at for itself: the front may be a Depot of
that computer, where the asker waits for this very answer, and may be heard one request at a time.
"""

import ssl
from types import TracebackType
from typing import Any, Self

from licensing.errors import TicketUnknown
from licensing.extensions.central import Fate, Line, NotDone, SeenTicket, fate_of
from licensing.extensions.values import Asker, SeenLicense, Update
from licensing.placements import LicenseState
from licensing.tickets import normalise_ticket
from licensing.transfers.planning import Target
from licensing.vault import Vault
from opendepot import AnswerInvalid, DepotClient, FaultReceived, FrontClient, SalesClient, ServiceUnreachable
from soap.messages import depot, sales

UNREACHABLE = "ServiceUnreachable"
ATTEMPTS = 2
"""How often one call is sent before its step is put off."""


class RemoteCentral:
    """The central of another computer. One HTTP session lives inside: use it as an async context manager."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        vault: Vault,
        timeout_seconds: float = 15.0,
        tls: ssl.SSLContext | None = None,
        speaks_for_others: bool = False,
    ) -> None:
        options: dict[str, Any] = {"timeout_seconds": timeout_seconds, "attempts": ATTEMPTS, "tls": tls}
        self._sales = SalesClient(url, api_key=api_key, **options)
        self._depot = DepotClient(url, **options)
        self._speaks_for_others = speaks_for_others
        self._vault = vault

    async def __aenter__(self) -> Self:
        await self._sales.__aenter__()
        await self._depot.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._depot.__aexit__(kind, error, trace)
        await self._sales.__aexit__(kind, error, trace)

    async def look(self, ticket: str, *, asker: Asker | None = None) -> SeenTicket:
        """Look at a ticket; whose it is stays untold. Raises TicketUnknown, NotDone."""
        text = normalise_ticket(ticket)
        client = None
        if self._speaks_for_others and asker is not None and not asker.fronted:
            client = FrontClient(client_address=asker.address, account=asker.account)
        try:
            overview = await self._depot.get_ticket(text, on_behalf_of=client)
        except FaultReceived as fault:
            if fault.code == TicketUnknown.code:
                raise TicketUnknown(fault.message, path="ticket") from None
            raise _not_done(fault) from fault
        except (ServiceUnreachable, AnswerInvalid) as error:
            raise NotDone(UNREACHABLE, Fate.LATER) from error
        return SeenTicket(
            # The other computer's own id stays there; this one is as good for keeping mails in order.
            ticket_id=self._vault.index("ticket-key", text).hex()[:32],
            licenses=tuple(
                SeenLicense(
                    license_id=x.license_id,
                    item_number=x.item_number,
                    firm_code=x.firm_code,
                    quantity=x.quantity,
                    expires_at=None if x.expiration is None else x.expiration.time,
                    alive=x.state != LicenseState.WITHDRAWN,
                )
                for x in overview.license
            ),
        )

    async def order(self, *, ticket: str, transaction_id: str, lines: tuple[Line, ...]) -> str:
        """Extend licences by an order. Raises NotDone."""
        request = sales.CreateOrderRequest(
            transaction_id=transaction_id,
            original_ticket=ticket,
            order_line=tuple(
                sales.OrderLine(item_number=x.item_number, quantity=x.quantity, extends_license_id=x.license_id)
                for x in lines
            ),
        )
        try:
            return (await self._sales.create_order(request)).order_id
        except FaultReceived as fault:
            raise _not_done(fault) from fault
        except (ServiceUnreachable, AnswerInvalid) as error:
            raise NotDone(UNREACHABLE, Fate.LATER) from error

    async def cancel(self, *, order_id: str, transaction_id: str, reason: str) -> None:
        """Take an order back. Raises NotDone."""
        request = sales.CancelOrderRequest(transaction_id=transaction_id, order_id=order_id, reason=reason)
        try:
            await self._sales.call("CancelOrder", request)
        except FaultReceived as fault:
            raise _not_done(fault) from fault
        except (ServiceUnreachable, AnswerInvalid) as error:
            raise NotDone(UNREACHABLE, Fate.LATER) from error

    async def collect(self, *, ticket: str, targets: tuple[Target, ...], context: bytes) -> Update:
        """Make the update file for a container; a refusal is a state. Raises NotDone where the answer stays out."""
        request = depot.GetLicenseUpdateRequest(
            ticket=ticket,
            license=tuple(
                depot.LicenseTarget(
                    license_id=x.license_id,
                    target=None if x.quantity is None else depot.TargetQuantity(quantity=x.quantity),
                )
                for x in targets
            ),
            context=context,
        )
        try:
            answer = await self._depot.get_license_update(request)
        except FaultReceived as fault:
            if fault.retry:
                raise _not_done(fault) from fault
            return Update(state=fault.code)
        except (ServiceUnreachable, AnswerInvalid) as error:
            raise NotDone(UNREACHABLE, Fate.LATER) from error
        return Update(state=answer.state, file=answer.update)


def _not_done(fault: FaultReceived) -> NotDone:
    # A fault without a code comes from something in between.
    return NotDone(fault.code or UNREACHABLE, fate_of(fault.code, retry=fault.retry or not fault.code))
