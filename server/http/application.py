"""What stands behind the shell. The shell knows when; the application knows what."""

from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from server.http.answers import Answer
from server.http.head import Head


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Who is at the other end of a connection.

    `address` is the TCP peer's, or what a trusted proxy told by PROXY protocol; `certificate` is the TLS client
    certificate (DER) that the listener's own authorities have verified.
    """

    address: str
    port: int = 0
    secure: bool = False
    certificate: bytes | None = None


class Trouble(Enum):
    """Why a request that was let in gets no run, or no end, of its own."""

    BODY_TOO_LARGE = "the body is larger than was admitted"
    BODY_TOO_SLOW = "the body did not arrive in time"
    DEADLINE_PASSED = "the exchange took too long"


class CutShort(Exception):
    """The application cannot go on with an answer that has begun, and has told whoever should know: cut it."""


class Exchange(Protocol):
    """One admitted request, from its head to the end of its answer.

    The shell calls `run` or `refuse` once, and at the end `sent` or `aborted` once.
    """

    @property
    def most(self) -> int:
        """The greatest body that is admitted, in bytes."""
        ...

    def run(self, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        """Answer the request: at once, or by what is then run as a task. An exception cuts the connection."""
        ...

    def refuse(self, trouble: Trouble) -> Answer:
        """Give the answer to a trouble that the shell met. After DEADLINE_PASSED the task has been cancelled."""
        ...

    def sent(self) -> None:
        """Hear that the whole answer was taken by the network."""
        ...

    def aborted(self) -> None:
        """Hear that the connection ended before that."""
        ...


class Application(Protocol):
    """Opens an exchange for each head, or answers it without reading a body."""

    def open(self, head: Head, peer: Peer) -> Exchange | Answer:
        """Admit a request by its head alone, or answer it."""
        ...

    def refused(self, peer: Peer, *, status: int, reason: str) -> None:
        """Hear of bytes that were refused before they were a request, or of a connection ended for being slow."""
        ...
