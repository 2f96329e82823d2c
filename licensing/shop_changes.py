"""What of a shop is to change, all of it at once: an administrator never sees, nor leaves, a half of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from licensing.errors import PolicyInvalid, ShopUnknown
from licensing.rights import rights_text
from storage import Storage
from storage.commands import SetAccessPolicy, SetDepotPolicy, SetRights, SetShopActive
from storage.records import AccessPolicy, AuditRow
from storage.together import AllOrNone, NoneDone

DEPOT_POLICIES = (
    AccessPolicy.CREDENTIAL,
    AccessPolicy.MTLS,
    AccessPolicy.SIGNATURE,
    AccessPolicy.IP_AND_CREDENTIAL,
    AccessPolicy.IP_AND_MTLS,
    AccessPolicy.IP_AND_SIGNATURE,
)

ShopCommand = SetRights | SetAccessPolicy | SetDepotPolicy | SetShopActive


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopChange:
    """What a shop shall be; None: as it is."""

    rights: tuple[str, ...] | None = None
    policy: AccessPolicy | None = None
    depot_policy: AccessPolicy | None = None
    active: bool | None = None


class ShopChanges:
    """Changes shops."""

    def __init__(self, *, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock

    async def change(self, name: str, change: ShopChange, *, actor: str = "cli") -> None:
        """Change a shop whole or not at all. Raises ShopUnknown, RightUnknown, PolicyInvalid."""
        commands = self._commands(name, change, actor)
        if not commands:
            return
        outcome = await self._storage.execute(AllOrNone(commands=commands))
        if isinstance(outcome, NoneDone):
            raise ShopUnknown(f"there is no shop {name}; `opendepot shop list` has their names", path="shopName")

    def _commands(self, name: str, change: ShopChange, actor: str) -> tuple[ShopCommand, ...]:
        def audit(action: str, details: dict[str, object]) -> AuditRow:
            return AuditRow(at=self._clock(), actor=actor, action=action, subject=name, details=json.dumps(details))

        made: list[ShopCommand] = []
        if change.depot_policy is not None:
            check_depot_policy(change.depot_policy)
            row = audit("SetDepotPolicy", {"policy": change.depot_policy.value})
            made.append(SetDepotPolicy(name=name, policy=change.depot_policy, audit=row))
        if change.rights is not None:
            text = rights_text(change.rights)
            made.append(SetRights(name=name, rights=text, audit=audit("SetRights", {"rights": text})))
        if change.policy is not None:
            row = audit("SetAccessPolicy", {"policy": change.policy.value})
            made.append(SetAccessPolicy(name=name, policy=change.policy, audit=row))
        if change.active is not None:
            row = audit("SetShopActive", {"active": change.active})
            made.append(SetShopActive(name=name, active=change.active, audit=row))
        return tuple(made)


def check_depot_policy(policy: AccessPolicy) -> None:
    """Raise PolicyInvalid for a policy by address alone: at the Depot an address proves no shop."""
    if policy not in DEPOT_POLICIES:
        allowed = ", ".join(DEPOT_POLICIES)
        raise PolicyInvalid(f"at the Depot an address proves no shop; the policy is {allowed}", path="policy")
