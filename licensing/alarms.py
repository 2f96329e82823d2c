"""What the vendor has to hear of at once: told to whoever listens, a log, a metric, a test."""

from collections.abc import Callable

Listener = Callable[[str, dict[str, object]], None]
"""Gets the name of the alarm and its fields; neither holds tickets or personal data."""


class Alarms:
    """Passes alarms on to its listeners."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def raise_alarm(self, name: str, **fields: object) -> None:
        """Tell all listeners."""
        for listener in self._listeners:
            listener(name, dict(fields))
