"""What an operation asks of its caller: a right of the shop, or one of some roles of the administrator."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from licensing.errors import RightMissing
from licensing.rights import ADMIN_ALL, holds
from server.errors import RoleMissing
from storage.records import Administrator, Shop


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """What the operations of a service ask.

    `rights`: of shops, by operation. `roles`: of administrators, by operation; what does not stand there is for the
    role `all` alone. `identified`: operations of a service that anybody may use, where a shop that shows a credential
    is asked who it is.
    """

    rights: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    identified: frozenset[str] = frozenset()

    def require_right(self, shop: Shop, operation: str) -> None:
        """Raise RightMissing unless a shop may use an operation."""
        right = self.rights.get(operation)
        if right is not None and not holds(shop, right):
            raise RightMissing(f"{operation} needs the right {right}, which this shop does not hold; ask the vendor")

    def require_role(self, administrator: Administrator, operation: str) -> None:
        """Raise RoleMissing unless an administrator may use an operation."""
        enough = self.roles.get(operation, frozenset()) | {ADMIN_ALL}
        if enough.isdisjoint(administrator.roles.split()):
            raise RoleMissing(f"{operation} needs one of the roles {', '.join(sorted(enough))}")
