"""ExtendLicense and GetExtension at OZOMM's address and at the Depot's: their messages are alike."""

from types import ModuleType
from typing import Any

from licensing.extensions.values import ExtensionAnswer, ExtensionQuestion, ExtensionRequest
from soap.messages import depot, ozomm


def request_of(message: ozomm.ExtendLicenseRequest | depot.ExtendLicenseRequest) -> ExtensionRequest:
    """Give a request as the rules take it."""
    return ExtensionRequest(
        transaction_id=message.transaction_id,
        ticket=message.ticket,
        license_ids=tuple(each.license_id for each in message.license),
        context=None if message.context is None else message.context.file,
        language=message.language,
        days=None if message.period is None else message.period.days,
        quantity=None if message.pieces is None else message.pieces.quantity,
    )


def question_of(message: ozomm.GetExtensionRequest | depot.GetExtensionRequest) -> ExtensionQuestion:
    """Give a question as the rules take it."""
    return ExtensionQuestion(
        transaction_id=message.transaction_id,
        ticket=message.ticket,
        context=None if message.context is None else message.context.file,
        language=message.language,
    )


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
