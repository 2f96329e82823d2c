"""The mails that an extension is told by, as messages of the outbox under names of their own.

They are written with the step that they tell of. A step that is taken again writes the same names, and only one write
of a step counts, so each mail leaves the server under one Message-ID.
"""

from licensing.extensions.saga import Content, Step
from licensing.extensions.values import Reason
from licensing.marketing.mails import Mail, Mailer, MailKind, MailLicense
from storage.outbox import OutboxMessage


def mails_of(
    mailer: Mailer, extension_id: str, content: Content, after: Step, *, text: str
) -> tuple[OutboxMessage, ...]:
    """Give what is told when an extension comes to a step; nothing where nobody can be told."""
    kind = _kind(content, after)
    address = content.customer.address
    if kind is None or address is None:
        return ()
    mail = Mail(
        kind=kind,
        address=address,
        name=content.customer.name,
        language=content.language or content.customer.language,
        licenses=tuple(
            MailLicense(license_id=each.license_id, item_number=each.item_number, expires_at=each.expires_at)
            for each in content.after or content.licenses
        ),
        offers=content.offers,
        reason=text,
    )
    message_id = f"{extension_id}-{kind.template}"
    return (mailer.message(mail, ticket_id=content.ticket_id, order_id=content.order_id, message_id=message_id),)


def _kind(content: Content, after: Step) -> MailKind | None:
    if after is Step.CHECK:
        return None if content.told else MailKind.EXTENSION_PENDING
    if after is not Step.DONE:
        return None
    if content.extension_order_id is not None:
        return MailKind.EXTENDED
    withdrawn = content.bridged and bool(content.after)
    if withdrawn and content.reason is not Reason.NOT_POSSIBLE:
        return MailKind.EXTENSION_WITHDRAWN
    return MailKind.EXTENSION_REFUSED
