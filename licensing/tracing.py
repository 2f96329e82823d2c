"""The whole life of a ticket on one page, for support: what stands now, and what the audit has of it."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from licensing.depot import Depot
from licensing.errors import VaultError
from licensing.overview import TicketDetails
from licensing.tickets import normalise_ticket
from licensing.vault import Vault
from storage import Storage
from storage.commands import FindHistory
from storage.records import AuditRow

UNREADABLE = "(sealed with another key)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One thing that happened. `reason`: what the shop gave; `details`: the rest that the audit has."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketLife:
    """A ticket as it stands, and everything that happened to it and to the containers of its licences."""

    now: TicketDetails
    history: tuple[Happening, ...]


class Tracer:
    """Tells the lives of tickets."""

    def __init__(self, *, storage: Storage, vault: Vault, depot: Depot) -> None:
        self._storage = storage
        self._vault = vault
        self._depot = depot

    async def trace(self, ticket: str) -> TicketLife:
        """Give the life of a ticket. Raises TicketUnknown."""
        details = await self._depot.show_ticket(ticket)
        lookup = self._vault.index("ticket", normalise_ticket(ticket))
        rows = await self._storage.query(FindHistory(lookup=lookup))
        return TicketLife(now=details, history=tuple(map(self._happening, rows)))

    def _happening(self, row: AuditRow) -> Happening:
        details = json.loads(row.details)
        sealed = details.pop("reason_sealed", None)
        return Happening(
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            reason=None if sealed is None else self._opened(sealed),
            details=details,
        )

    def _opened(self, sealed: str) -> str:
        try:
            return self._vault.open("reason", b64decode(sealed)).decode()
        except VaultError:
            return UNREADABLE
