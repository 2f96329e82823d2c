"""RevokeCredential: a credential holds no more."""

from server.handlers.base import Call, Services
from soap.messages import admin


async def revoke_credential(
    call: Call[admin.RevokeCredentialRequest], services: Services
) -> admin.RevokeCredentialAnswer:
    """Revoke a credential of a shop."""
    message = call.message
    await services.credentials.revoke(message.shop_name, message.credential_id, actor=call.caller.administrator)
    return admin.RevokeCredentialAnswer(
        receipt=admin.RevokedCredential(credential_id=message.credential_id, state="Revoked")
    )
