"""AddCredential: one more way for a shop to prove who it is."""

from datetime import timedelta

from licensing.credentials import API_KEY, AUTHORITY, USERNAME, NewSecret
from licensing.errors import CertificateInvalid, NameInvalid
from server.handlers.base import Call, Services
from server.security.certificates import CertificateUnreadable, read_pem
from soap.messages import admin

USUAL_HOURS = 72


async def add_credential(call: Call[admin.AddCredentialRequest], services: Services) -> admin.AddCredentialAnswer:
    """Add what the message says."""
    message, label, actor = call.message, call.message.label or "", call.caller.administrator
    name, credentials = message.shop_name, services.credentials
    made: NewSecret | None = None
    if message.kind == API_KEY:
        hours = USUAL_HOURS if message.overlap is None else message.overlap.hours
        made, _ = await credentials.rotate_key(name, overlap=timedelta(hours=hours), label=label, actor=actor)
        added = made.credential
    elif message.kind == USERNAME:
        if message.user_name is None:
            raise NameInvalid("a credential of the kind username needs a name", path="userName")
        made = await credentials.add_username(name, message.user_name, label=label, actor=actor)
        added = made.credential
    else:
        try:
            certificate = read_pem((message.certificate or "").encode())
        except CertificateUnreadable as unreadable:
            raise CertificateInvalid(str(unreadable), path="certificate") from None
        authority = message.kind == AUTHORITY
        added = await credentials.add_certificate(name, certificate, authority=authority, label=label, actor=actor)
    return admin.AddCredentialAnswer(
        receipt=admin.NewCredential(
            credential_id=added.credential_id, kind=added.kind, secret=None if made is None else made.secret
        )
    )
