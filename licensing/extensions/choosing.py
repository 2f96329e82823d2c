"""Which licences of a ticket an extension is for."""

from collections.abc import Sequence

from licensing.errors import LicenseUnknown
from licensing.extensions.central import SeenTicket
from licensing.extensions.rules import Rule, rule_for
from licensing.extensions.values import ExtensionRequest, Reason, SeenLicense


def chosen(
    seen: SeenTicket, request: ExtensionRequest, rules: Sequence[Rule]
) -> tuple[tuple[SeenLicense, ...], Reason | None]:
    """Give the licences that shall run longer; a reason where none can. Raises LicenseUnknown."""
    known = {each.license_id: each for each in seen.licenses}
    for number, license_id in enumerate(request.license_ids, start=1):
        if license_id not in known:
            raise LicenseUnknown("the ticket has no such licence", path=f"license[{number}]/licenseId")
    wanted = [known[each] for each in dict.fromkeys(request.license_ids)] or list(known.values())
    expiring = tuple(each for each in wanted if each.alive and each.expires_at is not None)
    if not expiring:
        return tuple(wanted), Reason.NOTHING_TO_EXTEND
    offered = tuple(each for each in expiring if rule_for(each.item_number, rules) is not None)
    return (offered, None) if offered else (expiring, Reason.NOT_OFFERED)
