"""What must not be seen twice: signatures and nonces of messages, each until it would be refused for its age anyway."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """32 bytes that stand for something that is used once; it may be forgotten after `until`."""

    mark: bytes
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class UseMarks:
    """Use marks up, and carry out a command in the same transaction; None: nothing else.

    Answered `MarksUsed` with the command's own answer, `MarkSeen` where one of them was used before (nothing is
    written then), or `MarksKept` where the command took back what it had written, and the marks with it. `command` is
    one of `storage.commands.Command`, but none of these.
    """

    marks: tuple[Mark, ...]
    command: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MarksUsed:
    """The marks are used up, durably."""

    answer: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MarksKept:
    """The command changed nothing, and the marks are as they were before."""

    answer: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkSeen:
    """A mark was used before; nothing was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetMarks:
    """Forget up to `limit` marks whose time is over. Answered with how many they were."""

    at: datetime
    limit: int


MarkCommand = UseMarks | ForgetMarks
"""The commands about marks."""
