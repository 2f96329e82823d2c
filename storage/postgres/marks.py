"""Marks of messages that change nothing else: one statement for all that wait."""

from collections.abc import Sequence
from functools import partial

from storage import rows
from storage.marks import MarkSeen, MarksUsed, UseMarks
from storage.outcomes import Answered, Failed, Outcome
from storage.postgres.running import Connection, fetch
from storage.postgres.transactions import Transactions


class MarkWriter:
    """Uses up the marks of batches in transactions."""

    def __init__(self, *, transactions: Transactions) -> None:
        self._transactions = transactions

    async def use(self, commands: Sequence[UseMarks]) -> list[Outcome]:
        """The outcome of each command, each with one mark. One that two of them have is the first one's."""
        untils = {mark.mark: rows.from_time(mark.until) for command in commands for mark in command.marks}
        outcome = await self._transactions.write(partial(_use, untils))
        if isinstance(outcome, Failed):
            return [Failed(error=type(outcome.error)(*outcome.error.args)) for _ in commands]
        fresh: set[bytes] = set(outcome.answer)
        answers: list[Outcome] = []
        for command in commands:
            (mark,) = command.marks
            answers.append(Answered(answer=MarksUsed() if mark.mark in fresh else MarkSeen()))
            fresh.discard(mark.mark)
        return answers


async def _use(untils: dict[bytes, int], connection: Connection) -> list[bytes]:
    found = await fetch(connection, "use_marks", mark=list(untils), until=list(untils.values()))
    return [bytes(row["mark"]) for row in found]
