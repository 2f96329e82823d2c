"""What a connection is doing, and what may follow on what, as tables."""

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """What a connection is doing."""

    PROXIED = "waiting for the PROXY protocol header"
    OPENED = "silent since it was opened"
    IDLE = "silent since the last answer"
    HEAD = "a head has begun"
    BODY = "a body is awaited"
    RUNNING = "a request is being answered"
    SENDING = "an answer is being taken"
    LINGERING = "the last answer is out, the rest that comes in is thrown away"
    CLOSED = "gone"


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.PROXIED: frozenset({Phase.OPENED, Phase.CLOSED}),
    Phase.OPENED: frozenset({Phase.HEAD, Phase.BODY, Phase.SENDING, Phase.CLOSED}),
    Phase.IDLE: frozenset({Phase.HEAD, Phase.BODY, Phase.SENDING, Phase.CLOSED}),
    Phase.HEAD: frozenset({Phase.BODY, Phase.SENDING, Phase.CLOSED}),
    Phase.BODY: frozenset({Phase.RUNNING, Phase.SENDING, Phase.CLOSED}),
    Phase.RUNNING: frozenset({Phase.SENDING, Phase.CLOSED}),
    Phase.SENDING: frozenset({Phase.IDLE, Phase.LINGERING, Phase.CLOSED}),
    Phase.LINGERING: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}

BEFORE_HEAD = frozenset({Phase.OPENED, Phase.IDLE, Phase.HEAD})
SILENT = frozenset({Phase.OPENED, Phase.IDLE})
TOO_SLOW: Mapping[Phase, str] = {
    Phase.PROXIED: "no PROXY protocol header came in time",
    Phase.OPENED: "no request came in time",
    Phase.SENDING: "the answer was not taken in time",
}
READING = frozenset({Phase.PROXIED, Phase.OPENED, Phase.IDLE, Phase.HEAD, Phase.BODY})
