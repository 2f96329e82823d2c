"""What is wrong with a text of rules, every place at once."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Problem:
    """One thing to mend; `line` counts from 1, `message` says what is wrong and what to write."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """Write the problem, such as `filters.toml:12: 10.0.0.1/24 has host bits set; write 10.0.0.0/24`."""
        return f"{self.file}:{self.line}: {self.message}"


class RulesRefused(Exception):
    """A text of rules was not read. `problems` are all that were found, by line; the message is one line for each.

    The messages repeat what stands in the text: they are for whoever wrote it.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
