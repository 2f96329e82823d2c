"""What a context makes of its container, before any wish (transfer protocol, section 3, step 2, and section 5).

Pure: values in, a `Contact` out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from containers import Context, Counter
from frozen import quickly_made
from licensing.transfers.judgement import Verdict
from licensing.transfers.planning import Plan, Steps, plan_receipt, seen_only, settled
from licensing.transfers.rejoining import plan_rejoin
from storage.commands import TransferView
from storage.records import ContainerRow, Mark

_COPIES = {Verdict.TWO_COPIES, Verdict.UNKNOWN}


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """What to write, and the answer where nothing more is done for this context; `state` None: go on with the wish.

    `sends`: whether the answer has the steps from the context's counter on. `alarm` is what the vendor has to hear of.
    """

    plan: Plan
    state: str | None = None
    sends: bool = False
    alarm: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A context with all that is known when it arrives. `epoch` is one above every epoch ever seen."""

    container: ContainerRow
    context: Context
    view: TransferView
    verdict: Verdict
    now: datetime
    epoch: int


def plan_contact(arrival: Arrival) -> Contact:
    """Give what a context makes of its container."""
    return _OF_MARK[arrival.container.mark](arrival)


def rejoins(container: ContainerRow, context: Context) -> bool:
    """Whether a container of whose last step the server knows nothing is believed (section 5, server behind)."""
    if container.mark is Mark.LOST:
        return container.healing_export is not None and context.counter >= container.base
    return container.mark in {Mark.OK, Mark.HEALING}


def epoch_above(container: ContainerRow, context: Context | None, view: TransferView, *, milliseconds: int) -> int:
    """Give an epoch for a chain: of the wall clock, and above every epoch ever seen (section 1)."""
    known = [view.current_epoch, container.epoch, container.end[0], *([context.counter.epoch] if context else [])]
    return max(milliseconds, max(known) + 1)


def _ok(arrival: Arrival) -> Contact:
    container, context = arrival.container, arrival.context
    if arrival.verdict in _COPIES:
        return _marked(arrival)
    if arrival.verdict is Verdict.LATE:
        return Contact(plan=Plan(container=seen_only(container, context)), state="ExportAgain", sends=True)
    if arrival.verdict is Verdict.SERVER_BEHIND:
        return _rejoined(arrival)
    return Contact(plan=Plan(container=container))


def _stays_marked(arrival: Arrival) -> Contact:
    return Contact(plan=Plan(container=arrival.container), state="Marked")


def _healing(arrival: Arrival) -> Contact:
    """The accepted copy's receipt makes it ok; what comes from below its reset changes nothing."""
    container, context = arrival.container, arrival.context
    if context.counter < Counter(*container.base):
        return Contact(plan=Plan(container=container), state="Healing", sends=True)
    if arrival.verdict in _COPIES:
        return _marked(arrival)
    if arrival.verdict is Verdict.SERVER_BEHIND:
        return _rejoined(arrival)
    return _back(arrival, event="Healed")


def _lost(arrival: Arrival) -> Contact:
    """One removal step, made after the loss even if empty; its receipt makes the container ok and frees nothing.

    A step of ours behind the removal, which the server does not know, was made after such a receipt: the server was
    restored since.
    """
    container, context = arrival.container, arrival.context
    if container.healing_export is None:
        row = replace(seen_only(container, context), contact_epoch=arrival.view.current_epoch)
        if not row.newest_export:
            row = replace(row, newest_export=context.export, newest_nonce=context.nonce)
        steps = Steps(row=row, now=arrival.now)
        steps.reset(arrival.epoch, ())
        row = replace(steps.row, healing_export=row.newest_export, healing_nonce=row.newest_nonce)
        plan = Plan(container=row, steps=tuple(steps.steps), event="Removal")
        return Contact(plan=plan, state="Lost", sends=True, alarm="container_back")
    if context.counter < Counter(*container.base):
        return Contact(plan=Plan(container=container), state="Lost", sends=True)
    if arrival.verdict is Verdict.RECEIPT:
        return _back(arrival, event="Found")
    if arrival.verdict is Verdict.SERVER_BEHIND:
        return _rejoined(arrival)
    return _marked(arrival)


def _marked(arrival: Arrival) -> Contact:
    row = replace(arrival.container, mark=Mark.MARKED, healing_export=None, healing_nonce=None)
    plan = Plan(container=row, event=f"Marked: {arrival.verdict}")
    return Contact(plan=plan, state="Marked", alarm="container_marked")


def _rejoined(arrival: Arrival) -> Contact:
    container, current = arrival.container, arrival.view.current_epoch
    # A second rejoining in one epoch of the server must not use the first one's counter again.
    epoch = current if current > max(container.epoch, container.end[0]) else arrival.epoch
    plan = plan_rejoin(settled(container), arrival.context, arrival.view, now=arrival.now, epoch=epoch)
    return Contact(plan=plan, state="ExportAgain", sends=True, alarm="server_behind")


def _back(arrival: Arrival, *, event: str) -> Contact:
    """Make the container ok at the receipt of the step that its mark waited for."""
    plan = plan_receipt(settled(arrival.container), arrival.context, arrival.view)
    return Contact(plan=replace(plan, event=event), state="Again")


_OF_MARK: dict[Mark, Callable[[Arrival], Contact]] = {
    Mark.OK: _ok,
    Mark.MARKED: _stays_marked,
    Mark.HEALING: _healing,
    Mark.LOST: _lost,
}
