"""Structured events: one for each exchange, filled along the way, and those of the process.

Tickets, keys and personal data never stand in an event; a ticket is named by its last five symbols at most.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, WrappedLogger

Clock = Callable[[], datetime]
# `json.dumps` would make an encoder for each event.
_encode = json.JSONEncoder(default=repr).encode


class LogFormat(StrEnum):
    """How events are written: one JSON object a line, or text for people."""

    JSON = "json"
    TEXT = "text"


class EventLog:
    """Writes events to a stream, with the time of the injected clock.

    Those of exchanges that end in the same turn of the event loop go out as one, before any other event that comes
    later: a call of the system for each costs as much as all else about it, and lets another thread in between.
    """

    def __init__(self, stream: TextIO, *, format: LogFormat, clock: Clock) -> None:  # noqa: A002  the word users know
        self._written = written = _Written()

        def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
            return {"time": written(clock()), **event}

        renderer: structlog.typing.Processor
        if format is LogFormat.JSON:
            renderer = structlog.processors.JSONRenderer(serializer=lambda event, **_: _line(event))
        else:
            renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time", sort_keys=False)
        self._stream = stream
        self._clock = clock
        self._json = format is LogFormat.JSON
        self._waiting: deque[str] = deque()
        self._logger: structlog.BoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[structlog.processors.add_log_level, stamp, structlog.processors.format_exc_info, renderer],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
            # Bound once: what `wrap_logger` gives binds itself anew for each event.
        ).bind()

    def exchange(self, **fields: object) -> None:
        """Write the event of an exchange that is over."""
        if not self._json:
            self._logger.info("exchange", **fields)
            return
        fields["event"], fields["level"] = "exchange", "info"
        self._waiting.append(f'{{"time":"{self._written(self._clock())}",{_line(fields)[1:]}')
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write the events of exchanges that wait for the end of this turn."""
        lines: list[str] = []
        with suppress(IndexError):
            while self._waiting:
                # One by one, since another thread may do so at the same time.
                lines.append(self._waiting.popleft())
        if lines:
            self._stream.write("\n".join([*lines, ""]))
            self._stream.flush()

    def info(self, event: str, **fields: object) -> None:
        """Write an event of the ordinary course."""
        self.flush()
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Write an event that an operator should look at."""
        self.flush()
        self._logger.warning(event, **fields)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Write an event for a bug or a broken part, with the traceback of `error`."""
        self.flush()
        self._logger.error(event, exc_info=error, **fields)


class _Written:
    """Writes moments of UTC in ISO 8601 to the millisecond, quickly where the one before was in the same second."""

    def __init__(self) -> None:
        self._of_second = (datetime.fromtimestamp(0, UTC), "1970-01-01T00:00:00")

    def __call__(self, moment: datetime) -> str:
        """Write one; `moment` is aware."""
        # Taken at once, since another thread may write, too.
        second, text = self._of_second
        since = moment - second
        if since.days or since.seconds:
            second = moment.astimezone(UTC).replace(microsecond=0)
            since, text = moment - second, second.isoformat()[:-6]
            self._of_second = second, text
        return f"{text}.{since.microseconds // 1000:03}+00:00"


def _line(event: Mapping[str, object]) -> str:
    """Write an event as one line of JSON in ASCII, whatever the encoding of the stream."""
    try:
        line = to_json(event, fallback=repr).decode()
    except ValueError:
        # A text with half of a surrogate pair.
        return _encode(event)
    return line if line.isascii() else _encode(event)
