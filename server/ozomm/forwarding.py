"""OZOMM of another computer: a Depot that extensions are asked of passes them on, once it knows the ticket.

Where it has a certificate it speaks on behalf of who asks it, so that filters and limits over there are theirs. Wrong
tickets are refused here: over there they would be those of this computer, whose requests would be slowed down for them.
"""

import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from licensing.errors import (
    CentralUnavailable,
    Erased,
    ExtensionUnknown,
    LicenseUnknown,
    LicensingError,
    TicketUnknown,
    TransactionConflict,
)
from licensing.extensions.values import (
    Asker,
    ExtensionAnswer,
    ExtensionQuestion,
    ExtensionRequest,
    Reason,
    SeenLicense,
    State,
    Update,
)
from licensing.marketing.offers import Offer
from opendepot import AnswerInvalid, FaultReceived, FrontClient, OzommClient, ServiceUnreachable
from soap.messages import ozomm

REFUSALS: dict[str, type[LicensingError]] = {
    kind.code: kind for kind in (TicketUnknown, LicenseUnknown, TransactionConflict, Erased, ExtensionUnknown)
}
"""What OZOMM refuses, and what the Depot's caller is told of it; anything else is OZOMM's own trouble."""

TROUBLES = (FaultReceived, ServiceUnreachable, AnswerInvalid, ValueError)


class ForwardedExtensions:
    """Asks OZOMM at its address. One HTTP session lives inside: use it as an async context manager.

    `known` raises TicketUnknown for a ticket that is not this central's. `refused` hears the codes of OZOMM's trouble.
    """

    def __init__(
        self,
        url: str,
        *,
        known: Callable[[str], Awaitable[object]],
        refused: Callable[[str], None],
        timeout_seconds: float = 50.0,
        tls: ssl.SSLContext | None = None,
        speaks_for_others: bool = False,
    ) -> None:
        self._client = OzommClient(url, timeout_seconds=timeout_seconds, attempts=2, tls=tls)
        self._known = known
        self._refused = refused
        self._speaks_for_others = speaks_for_others

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def extend(self, request: ExtensionRequest) -> ExtensionAnswer:
        """Pass an ExtendLicense on. Raises its refusals, CentralUnavailable, and what `known` raises."""
        await self._known(request.ticket)
        message = ozomm.ExtendLicenseRequest(
            transaction_id=request.transaction_id,
            ticket=request.ticket,
            license=tuple(ozomm.ExtendedLicense(license_id=each) for each in request.license_ids),
            context=None if request.context is None else ozomm.ContainerContext(file=request.context),
            language=request.language,
            period=None if request.days is None else ozomm.WishedPeriod(days=request.days),
            pieces=None if request.quantity is None else ozomm.WishedPieces(quantity=request.quantity),
        )
        client = self._client_of(request.asker)
        try:
            return answer_of(await self._client.extend_license(message, on_behalf_of=client))
        except TROUBLES as error:
            raise self._refusal(error) from error

    async def get(self, question: ExtensionQuestion) -> ExtensionAnswer:
        """Pass a GetExtension on. Raises its refusals, CentralUnavailable, and what `known` raises."""
        await self._known(question.ticket)
        message = ozomm.GetExtensionRequest(
            transaction_id=question.transaction_id,
            ticket=question.ticket,
            context=None if question.context is None else ozomm.ContainerContext(file=question.context),
            language=question.language,
        )
        client = self._client_of(question.asker)
        try:
            return answer_of(await self._client.get_extension(message, on_behalf_of=client))
        except TROUBLES as error:
            raise self._refusal(error) from error

    def _client_of(self, asker: Asker | None) -> FrontClient | None:
        if asker is None or not self._speaks_for_others:
            return None
        return FrontClient(client_address=asker.address, account=asker.account)

    def _refusal(self, error: Exception) -> LicensingError:
        code = error.code if isinstance(error, FaultReceived) else type(error).__name__
        if isinstance(error, FaultReceived) and code in REFUSALS:
            return REFUSALS[code](error.message, path=error.path)
        self._refused(code or "Fault")
        return CentralUnavailable("OZOMM cannot be reached now; send the same request again")


def answer_of(found: ozomm.Extension) -> ExtensionAnswer:
    """Give an answer of OZOMM as the rules have it. Raises ValueError for a state of a later version."""
    return ExtensionAnswer(
        state=State(found.state),
        reason=Reason(found.reason),
        text=found.text,
        retry_seconds=None if found.retry_after is None else found.retry_after.seconds,
        licenses=tuple(
            SeenLicense(
                license_id=each.license_id,
                item_number=each.item_number,
                firm_code=0,
                quantity=0,
                expires_at=None if each.expiration is None else each.expiration.time,
            )
            for each in found.license
        ),
        update=None if found.update is None else Update(state=found.update.state, file=found.update.file),
        offers=tuple(
            Offer(campaign=each.offer_id, item_number=each.item_number, title=each.title, text=each.text, url=each.url)
            for each in found.offer
        ),
    )
