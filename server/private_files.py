"""Whether a file that holds a secret is open to others."""

import os
from pathlib import Path

OTHERS = 0o077
GROUP_READS = 0o040


def open_to_others(path: Path) -> bool:
    """Whether others than its owner can read or change a file. Raises OSError.

    What the service manager hands over may have the mode 0440: it lies in a folder for the service alone, and the
    group's bit is the mask of an access list that names the service's user (systemd.exec(5), credentials).
    """
    mode = path.stat().st_mode & OTHERS
    handed_over = os.environ.get("CREDENTIALS_DIRECTORY")
    if handed_over and path.absolute().parent == Path(handed_over).absolute():
        mode &= ~GROUP_READS
    return mode != 0
