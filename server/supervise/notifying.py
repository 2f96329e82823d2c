"""systemd's notify protocol (sd_notify(3)): ready, reloading, stopping, and the watchdog."""

import socket
from collections.abc import Mapping


class Notifier:
    """Tells the service manager how it goes; nobody, when there is none."""

    def __init__(self, environment: Mapping[str, str], *, process: int) -> None:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; `process` is this process's id."""
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(process)) == str(process)
        self.watchdog_seconds: float | None = int(microseconds) / 1e6 if meant and microseconds.isdigit() else None

    def tell(self, *lines: str) -> bool:
        """Send assignments such as `READY=1`; False when nobody listens."""
        if self._address[:1] not in {"/", "@"}:
            return False
        # A name with @ is in the abstract namespace, which the system marks by a NUL.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False
        return True
