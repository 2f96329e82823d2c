"""What holds for the whole server, as a plan."""

from storage import rows
from storage.plans import Plan, many
from storage.records import ServerRow


def load_server() -> Plan[ServerRow | None]:
    """The server's row, None before it was initialised."""
    (row,) = yield from many("server", {})
    return rows.server(row)
