"""Judging a context (transfer protocol, section 3, step 2). Order is the law: the first rule that holds decides."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from containers import START, Context, SignedStep, kind_of, render_state, state_digest
from frozen import quickly_made
from storage.commands import TransferView
from storage.records import ContainerRow, Mark


class Verdict(StrEnum):
    """What a context is."""

    RECEIPT = "receipt"
    LATE = "late"
    SERVER_BEHIND = "server behind"
    TWO_COPIES = "two copies"
    UNKNOWN = "unknown"


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """All that a judgement looks at. `ours`: whether a step carries a signature of this vendor."""

    view: TransferView
    container: ContainerRow
    context: Context
    ours: Callable[[SignedStep], bool]


def _two_copies(case: Case) -> bool:
    """2a: the same export number with other content, or a lower one with a higher counter."""
    context, view = case.context, case.view
    if context.counter < case.container.base:
        return False  # a copy that was told apart by a reset can be late, but cannot mark the other one again
    same, below, above = view.same_export, view.export_below, view.export_above
    if same is not None and (same.nonce, same.counter, same.digest) != (context.nonce, context.counter, context.digest):
        return True
    return (below is not None and below.counter > context.counter) or (
        above is not None and above.counter < context.counter
    )


def _on_chain(case: Case) -> bool:
    """2b: at the confirmed point or at a step after it, with the state that the chain has there."""
    context, container = case.context, case.container
    if context.counter == container.confirmed:
        return hashlib.sha256(container.confirmed_state).digest() == context.digest
    return context.counter > container.confirmed and any(
        step.counter == context.counter and step.digest_after == context.digest for step in case.view.steps
    )


def _late(case: Case) -> bool:
    """2c: behind the confirmed point, where a kept step (or the empty beginning) has left it."""
    context = case.context
    if context.counter >= case.container.confirmed:
        return False
    if context.counter == START:
        return context.digest == state_digest(())
    at = case.view.at_context
    return at is not None and at.digest_after == context.digest


def _server_behind(case: Case) -> bool:
    """2d: off the chain and ahead of the confirmed point, but its last step is ours and fits."""
    return case.context.counter > case.container.confirmed and _ours(case)


def _forgotten(case: Case) -> bool:
    """2c, after a restore: a delayed context from a step that the server no longer knows, behind a newer one."""
    context, container = case.context, case.container
    return context.counter < container.confirmed and context.export < container.newest_export and _ours(case)


def _ours(case: Case) -> bool:
    last, context = case.context.last_step, case.context
    if last is None:
        return False
    step = last.step
    fits = (step.serial, step.firm_code, step.to_counter, step.digest_after) == (
        context.serial,
        context.firm_code,
        context.counter,
        context.digest,
    )
    return fits and case.ours(last)


RULES: tuple[tuple[Callable[[Case], bool], Verdict], ...] = (
    (_two_copies, Verdict.TWO_COPIES),
    (_on_chain, Verdict.RECEIPT),
    (_late, Verdict.LATE),
    (_forgotten, Verdict.LATE),
    (_server_behind, Verdict.SERVER_BEHIND),
    (lambda _: True, Verdict.UNKNOWN),
)


def judge(case: Case) -> Verdict:
    """Give what a context is."""
    return next(verdict for holds, verdict in RULES if holds(case))


def newest(container: ContainerRow, context: Context) -> tuple[int, bytes]:
    """Give export number and nonce of the newest context known: the one with the highest export number from base on.

    A context from below base may be a copy's, however high its number: a step bound to it would load in the copy and
    not in the container that was accepted.
    """
    if context.counter >= container.base and context.export > container.newest_export:
        return context.export, context.nonce
    return container.newest_export, container.newest_nonce


def unknown_container(context: Context) -> ContainerRow:
    """Give the row of a container and firm code that the server has not met before."""
    empty = render_state(())
    return ContainerRow(
        serial=context.serial,
        firm_code=context.firm_code,
        kind=kind_of(context.serial),
        public_key=context.public_key,
        version=0,
        mark=Mark.OK,
        epoch=0,
        base=START,
        confirmed=START,
        confirmed_state=empty,
        end=START,
        end_state=empty,
        newest_export=0,
        newest_nonce=b"",
    )
