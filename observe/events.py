"""Structured events: one for each exchange, filled along the way, and those of the process.

Tickets, keys and personal data never stand in an event; a ticket is named by its last five symbols at most.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

Clock = Callable[[], datetime]


class LogFormat(StrEnum):
    """How events are written: one JSON object a line, or text for people."""

    JSON = "json"
    TEXT = "text"


class EventLog:
    """Writes events to a stream, with the time of the injected clock."""

    def __init__(self, stream: TextIO, *, format: LogFormat, clock: Clock) -> None:  # noqa: A002  the word users know
        def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
            return {"time": clock().astimezone(UTC).isoformat(timespec="milliseconds"), **event}

        renderer: structlog.typing.Processor
        if format is LogFormat.JSON:
            # `json.dumps` would make an encoder for each event.
            encode = json.JSONEncoder(default=repr).encode
            renderer = structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event))
        else:
            renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time", sort_keys=False)
        self._logger: structlog.BoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[structlog.processors.add_log_level, stamp, structlog.processors.format_exc_info, renderer],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
            # Bound once: what `wrap_logger` gives binds itself anew for each event.
        ).bind()

    def info(self, event: str, **fields: object) -> None:
        """Write an event of the ordinary course."""
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Write an event that an operator should look at."""
        self._logger.warning(event, **fields)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Write an event for a bug or a broken part, with the traceback of `error`."""
        self._logger.error(event, exc_info=error, **fields)
