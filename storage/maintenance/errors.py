"""What the operator's work on a whole database is refused with. The message names the place and the mend."""


class MaintenanceError(Exception):
    """A backup, a restore or a move cannot be done, or was found to be wrong."""
