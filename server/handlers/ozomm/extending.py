"""ExtendLicense and GetExtension at OZOMM's address and at the Depot's: their messages are alike."""

from types import ModuleType
from typing import Any

from licensing.extensions.values import Asker, ExtensionAnswer, ExtensionQuestion, ExtensionRequest
from server.handlers.base import Call
from server.security.callers import Caller
from soap.messages import depot, ozomm


def request_of(call: Call[ozomm.ExtendLicenseRequest] | Call[depot.ExtendLicenseRequest]) -> ExtensionRequest:
    """Give a request as the rules take it."""
    message = call.message
    return ExtensionRequest(
        transaction_id=message.transaction_id,
        ticket=message.ticket,
        license_ids=tuple(each.license_id for each in message.license),
        context=None if message.context is None else message.context.file,
        language=message.language,
        days=None if message.period is None else message.period.days,
        quantity=None if message.pieces is None else message.pieces.quantity,
        asker=_asker(call.caller),
    )


def question_of(call: Call[ozomm.GetExtensionRequest] | Call[depot.GetExtensionRequest]) -> ExtensionQuestion:
    """Give a question as the rules take it."""
    message = call.message
    return ExtensionQuestion(
        transaction_id=message.transaction_id,
        ticket=message.ticket,
        context=None if message.context is None else message.context.file,
        language=message.language,
        asker=_asker(call.caller),
    )


def _asker(caller: Caller) -> Asker:
    return Asker(address=caller.address, account=caller.account, fronted=caller.fronted)


def extension_of(answer: ExtensionAnswer, messages: ModuleType) -> Any:
    """Give an answer by the messages of either contract."""
    return messages.Extension(
        state=answer.state.value,
        reason=answer.reason.value,
        text=answer.text,
        retry_after=None if answer.retry_seconds is None else messages.RetryAfter(seconds=answer.retry_seconds),
        license=tuple(
            messages.LicenseExtension(
                license_id=each.license_id,
                item_number=each.item_number,
                expiration=None if each.expires_at is None else messages.LicenseExpiration(time=each.expires_at),
            )
            for each in answer.licenses
        ),
        update=None
        if answer.update is None
        else messages.ExtensionUpdate(state=answer.update.state, file=answer.update.file),
        offer=tuple(
            messages.Offer(
                offer_id=each.campaign, item_number=each.item_number, title=each.title, text=each.text, url=each.url
            )
            for each in answer.offers
        ),
    )
