"""A new epoch for a database that was restored or moved.

Containers may be ahead of it (transfer protocol, section 5): with a new epoch each gets a reset at its first context.
"""

import json
from datetime import datetime

from storage.maintenance.links import Link, place
from storage.maintenance.schema import check_statements
from storage.rows import from_time


def next_epoch(now: datetime, highest: int) -> int:
    """The wall clock in milliseconds, or one more than the highest epoch known (transfer protocol, section 1)."""
    return max(int(now.timestamp() * 1000), highest + 1)


async def begin_epoch(link: Link, *, epoch: int, action: str, now: datetime, details: dict[str, object]) -> None:
    """Begin an epoch and write it into the audit. Inside of a transaction. An uninitialised server stays so."""
    statements = check_statements(link.dialect)
    await link.execute(statements["begin_epoch"].replace(":epoch", place(link, 1)), epoch)
    audit = statements["audit_epoch"]
    for number, name in enumerate((":at", ":action", ":details"), start=1):
        audit = audit.replace(name, place(link, number))
    await link.execute(audit, from_time(now), action, json.dumps({**details, "epoch": epoch}))
