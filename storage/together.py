"""Several changes as one: all of them are written, or none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storage.outcomes import Withdrawn
from storage.plans import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class AllOrNone:
    """Carry out commands that are answered True or False, one after the other, in one transaction.

    Answered `AllDone`, or `NoneDone` where one of them was answered False: nothing is written then. They are values of
    `storage.commands.Command` without locks of their own: changes of shops and their credentials.
    """

    commands: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AllDone:
    """Everything is written, durably."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoneDone:
    """Nothing was written; the command at this place, from 0, could not be carried out."""

    place: int


def plan_all_or_none(command: AllOrNone, plan_inner: Callable[..., Plan[object]]) -> Plan[AllDone]:
    """The plan; `plan_inner` makes that of a command inside."""
    for place, inner in enumerate(command.commands):
        try:
            answer = yield from plan_inner(inner)
        except Withdrawn as withdrawn:
            answer = withdrawn.answer
        if answer is not True:
            raise Withdrawn(NoneDone(place=place))
    return AllDone()
