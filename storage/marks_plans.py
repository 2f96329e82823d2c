"""Commands about marks as plans."""

from collections.abc import Callable

from storage import rows
from storage.marks import ForgetMarks, Mark, MarkCommand, MarkSeen, MarksKept, MarksUsed, UseMarks
from storage.outcomes import Withdrawn
from storage.plans import Plan, written


def plan_mark_command(command: MarkCommand, plan_inner: Callable[..., Plan[object]]) -> Plan[object]:
    """The plan whose result is the command's own answer; `plan_inner` makes that of the command inside."""
    if isinstance(command, ForgetMarks):
        return written("forget_marks", {"at": rows.from_time(command.at), "limit": command.limit})
    return _use(command, plan_inner)


def use_marks(marks: tuple[Mark, ...]) -> Plan[None]:
    """Use marks up; `Withdrawn` where one was used before.

    In sorted order, so that nodes which use the same ones wait for each other and never in a circle.
    """
    for mark in sorted(marks, key=lambda one: one.mark):
        if (yield from written("use_mark", {"mark": mark.mark, "until": rows.from_time(mark.until)})) == 0:
            raise Withdrawn(MarkSeen())


def _use(command: UseMarks, plan_inner: Callable[..., Plan[object]]) -> Plan[MarksUsed]:
    yield from use_marks(command.marks)
    if command.command is None:
        return MarksUsed()
    try:
        answer = yield from plan_inner(command.command)
    except Withdrawn as withdrawn:
        raise Withdrawn(MarksKept(answer=withdrawn.answer)) from None
    return MarksUsed(answer=answer)
