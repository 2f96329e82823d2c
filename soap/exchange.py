"""The states of one exchange. Law of this file: a fault before the first byte, an abort after it, never both.

A shell moves an exchange along as its stages pass; the last stage reached stands in the exchange's event.
"""

from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """How far an exchange has come (design section 3)."""

    RECEIVED = "received"
    ADMITTED = "admitted"
    AUTHENTICATED = "authenticated"
    VALIDATED = "validated"
    RUNNING = "running"
    ANSWERING = "answering"
    SENT = "sent"
    FAULTING = "faulting"
    ABORTED = "aborted"


TRANSITIONS: Mapping[Stage, frozenset[Stage]] = {
    Stage.RECEIVED: frozenset({Stage.ADMITTED, Stage.FAULTING, Stage.ABORTED}),
    Stage.ADMITTED: frozenset({Stage.AUTHENTICATED, Stage.FAULTING, Stage.ABORTED}),
    Stage.AUTHENTICATED: frozenset({Stage.VALIDATED, Stage.FAULTING, Stage.ABORTED}),
    Stage.VALIDATED: frozenset({Stage.RUNNING, Stage.FAULTING, Stage.ABORTED}),
    Stage.RUNNING: frozenset({Stage.ANSWERING, Stage.FAULTING, Stage.ABORTED}),
    Stage.ANSWERING: frozenset({Stage.SENT, Stage.ABORTED}),
    Stage.FAULTING: frozenset({Stage.SENT, Stage.ABORTED}),
    Stage.SENT: frozenset(),
    Stage.ABORTED: frozenset(),
}


_NO_FURTHER = frozenset({Stage.FAULTING, Stage.ABORTED, Stage.SENT})


class Exchange:
    """One request and its answer. `reached` is the furthest stage before a fault or an abort."""

    __slots__ = ("reached", "stage")

    def __init__(self) -> None:
        self.stage = Stage.RECEIVED
        self.reached = Stage.RECEIVED

    def to(self, stage: Stage) -> None:
        """Move on. Raises AssertionError for a move that the table does not have: a bug of the shell."""
        if stage not in TRANSITIONS[self.stage]:
            raise AssertionError(f"an exchange cannot go from {self.stage} to {stage}")
        self.stage = stage
        if stage not in _NO_FURTHER:
            self.reached = stage
