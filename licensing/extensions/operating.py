"""What an operator does with extensions: looks at them, and has those taken up again that wait or are stuck."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from licensing.errors import ExtensionUnknown
from licensing.extensions.saga import Content, from_bytes
from licensing.tickets import ending
from licensing.vault import Vault
from storage import Storage
from storage.extensions import ExtensionRow, FindExtension, ListExtensions, RetryExtensions
from storage.records import AuditRow

PURPOSE = "extension"
ALL = 2**31


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownExtension:
    """An extension with what is kept of it, None once that was erased."""

    row: ExtensionRow
    content: Content | None

    @property
    def ticket_ending(self) -> str | None:
        """The last five symbols of the ticket, all that is shown of it."""
        return None if self.content is None else ending(self.content.ticket)


class ExtensionDesk:
    """Lists, shows and retries extensions. A retry leaves an audit row."""

    def __init__(self, *, storage: Storage, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock

    async def list(
        self, *, state: str | None = None, step: str | None = None, limit: int = ALL
    ) -> tuple[ExtensionRow, ...]:
        """Give the extensions, newest first; only those of a state or step where one is given."""
        return await self._storage.query(ListExtensions(limit=limit, state=state, step=step))

    async def show(self, extension_id: str) -> ShownExtension:
        """Give one. Raises ExtensionUnknown."""
        row = await self._storage.query(FindExtension(extension_id=extension_id))
        if row is None:
            raise ExtensionUnknown(_NOT_THERE)
        content = from_bytes(self._vault.open(PURPOSE, row.content_sealed)) if row.content_sealed else None
        return ShownExtension(row=row, content=content)

    async def retry(self, extension_id: str | None, *, actor: str = "cli") -> int:
        """Make an extension due now, or all that are stuck; how many. Raises ExtensionUnknown for one."""
        now = self._clock()
        audit = AuditRow(at=now, actor=actor, action="RetryExtensions", subject=extension_id or "all", details="{}")
        found = await self._storage.execute(RetryExtensions(extension_id=extension_id, now=now, audit=audit))
        if extension_id is not None and not found:
            raise ExtensionUnknown(_NOT_THERE)
        return found


_NOT_THERE = "no such extension, or it is done or just being worked on; `opendepot extension list` shows them"
