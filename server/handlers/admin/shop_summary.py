"""What UpdateShop and ListShops have in common: a shop as a message."""

from datetime import datetime

from licensing.credentials import fingerprint_text
from soap.messages import admin
from storage.commands import ShopView
from storage.records import Credential


def shop_summary(view: ShopView) -> admin.ShopSummary:
    """Give a shop as it is answered, without keys and secrets."""
    return admin.ShopSummary(
        shop_name=view.shop.name,
        active=view.shop.active,
        policy=view.shop.access_policy.value,
        depot_policy=view.shop.depot_policy.value,
        right=tuple(view.shop.rights.split()),
        credential=tuple(map(_credential, view.credentials)),
    )


def _credential(credential: Credential) -> admin.CredentialSummary:
    return admin.CredentialSummary(
        credential_id=credential.credential_id,
        kind=credential.kind,
        state=_state(credential.revoked_at, credential.valid_until),
        created_at=credential.created_at,
        valid_until=None if credential.valid_until is None else credential.valid_until.isoformat(),
        label=credential.label or None,
        fingerprint=None if credential.material is None else fingerprint_text(credential.material),
    )


def _state(revoked_at: datetime | None, valid_until: datetime | None) -> str:
    if revoked_at is not None:
        return "Revoked"
    return "Holds" if valid_until is None else "Ending"
