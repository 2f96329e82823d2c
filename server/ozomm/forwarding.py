"""OZOMM of another computer: a Depot that extensions are asked of passes them on."""

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
    ExtensionAnswer,
    ExtensionQuestion,
    ExtensionRequest,
    Reason,
    SeenLicense,
    State,
    Update,
)
from licensing.marketing.offers import Offer
from opendepot import AnswerInvalid, FaultReceived, OzommClient, ServiceUnreachable
from soap.messages import ozomm

REFUSALS: dict[str, type[LicensingError]] = {
    kind.code: kind for kind in (TicketUnknown, LicenseUnknown, TransactionConflict, Erased, ExtensionUnknown)
}
"""What OZOMM refuses, and what the Depot's caller is told of it; anything else is OZOMM's own trouble."""


class ForwardedExtensions:
    """Asks OZOMM at its address. One HTTP session lives inside: use it as an async context manager."""

    def __init__(self, url: str, *, timeout_seconds: float = 50.0) -> None:
        self._client = OzommClient(url, timeout_seconds=timeout_seconds, attempts=2)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def extend(self, request: ExtensionRequest) -> ExtensionAnswer:
        """Pass an ExtendLicense on. Raises its refusals, CentralUnavailable."""
        message = ozomm.ExtendLicenseRequest(
            transaction_id=request.transaction_id,
            ticket=request.ticket,
            license=tuple(ozomm.ExtendedLicense(license_id=each) for each in request.license_ids),
            context=None if request.context is None else ozomm.ContainerContext(file=request.context),
            language=request.language,
            period=None if request.days is None else ozomm.WishedPeriod(days=request.days),
            pieces=None if request.quantity is None else ozomm.WishedPieces(quantity=request.quantity),
        )
        try:
            return answer_of(await self._client.extend_license(message))
        except (FaultReceived, ServiceUnreachable, AnswerInvalid, ValueError) as error:
            raise _refusal(error) from error

    async def get(self, question: ExtensionQuestion) -> ExtensionAnswer:
        """Pass a GetExtension on. Raises its refusals, CentralUnavailable."""
        message = ozomm.GetExtensionRequest(
            transaction_id=question.transaction_id,
            ticket=question.ticket,
            context=None if question.context is None else ozomm.ContainerContext(file=question.context),
            language=question.language,
        )
        try:
            return answer_of(await self._client.get_extension(message))
        except (FaultReceived, ServiceUnreachable, AnswerInvalid, ValueError) as error:
            raise _refusal(error) from error


def _refusal(error: Exception) -> LicensingError:
    if isinstance(error, FaultReceived) and error.code in REFUSALS:
        return REFUSALS[error.code](error.message, path=error.path)
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
