"""What the checks of the data have at hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.x509 import Certificate

from licensing.vault import Vault
from storage.maintenance.links import Link

Progress = Callable[[str, int, int], None]
"""Called with what is done now, how much of it is done, and how much there is."""


class NotApplicable(Exception):
    """A check has nothing to look at, or lacks what it needs; the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The database, the keys where there are any, and the SQL statements of the checks by name."""

    link: Link
    vault: Vault | None
    trust: tuple[Certificate, ...]
    statements: Mapping[str, str]

    def keys(self) -> Vault:
        """The keys; NotApplicable without them."""
        if self.vault is None:
            raise NotApplicable("the keys are not at hand, so sealed values were not looked into")
        return self.vault
