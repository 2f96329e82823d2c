"""What became of a change."""

from dataclasses import dataclass
from typing import Any

from frozen import quickly_made


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A change was carried out and is durable, or was found to change nothing."""

    answer: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """A change left nothing behind; after a failed COMMIT that is likely, but only a look can tell."""

    error: Exception


Outcome = Answered | Failed


class Withdrawn(Exception):
    """What was written must be taken back, and this is the command's answer."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer
