"""What `opendepot doctor` says: one finding for each check, a problem always with its mend."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SUBJECTS = 5
"""How many of the violations of a check are named."""


class Level(StrEnum):
    """How bad a finding is. Only problems make `doctor` fail."""

    OK = "ok"
    NOT_APPLICABLE = "not applicable"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check found. `mend` is a command, or what to do where no command can; None where nothing is wrong.

    `count` violations were found, of which `subjects` names the first ones, by ids. `invariant` is I1 to I10 for a
    check of the data.
    """

    check: str
    level: Level
    message: str
    mend: str | None = None
    invariant: str | None = None
    count: int = 0
    subjects: tuple[str, ...] = ()

    def described(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return {
            "check": self.check,
            "level": self.level.value,
            "message": self.message,
            "mend": self.mend,
            "invariant": self.invariant,
            "count": self.count,
            "subjects": list(self.subjects),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All findings, in the order of the checks."""

    version: str
    deep: bool
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that must be mended."""
        return tuple(finding for finding in self.findings if finding.level is Level.PROBLEM)

    def described(self) -> Mapping[str, Any]:
        """The report as JSON has it."""
        return {
            "healthy": self.healthy,
            "version": self.version,
            "deep": self.deep,
            "findings": [finding.described() for finding in self.findings],
        }


def ok(check: str, message: str) -> Finding:
    """Nothing is wrong."""
    return Finding(check=check, level=Level.OK, message=message)


def problem(check: str, message: str, *, mend: str) -> Finding:
    """Something must be mended."""
    return Finding(check=check, level=Level.PROBLEM, message=message, mend=mend)


def warning(check: str, message: str, *, mend: str) -> Finding:
    """Something should be mended before it becomes a problem."""
    return Finding(check=check, level=Level.WARNING, message=message, mend=mend)
