"""Whether an update file may be imported, and what the container remembers afterwards (transfer protocol, section 4).

Pure: nothing here reads or writes. The whole file is accepted or refused.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography import x509

from containers.blocks import block_digest
from containers.memory import FirmMemory
from containers.model import ContainerError, SignedStep, Step, StepKind, Update
from containers.states import apply_step, state_digest
from containers.steps import render_step, verify_step


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What an import leads to: the memory after it, the steps applied, and how many were there already."""

    memory: FirmMemory
    applied: tuple[Step, ...]
    skipped: int


def import_steps(
    memory: FirmMemory, update: Update, *, serial: str, trust: Sequence[x509.Certificate], capacity: int
) -> Outcome:
    """Return what importing the file leads to; `capacity` is how many licences of a firm code fit in.

    Raises ContainerError: `SerialWrong` for another container's file, `SignatureWrong` or `CertificateWrong` for a step
    that no trusted vendor signed, `StepConflict` for a step that differs from the one applied at its counter,
    `RestoredCopy` for a step made against a context that this container never exported, `StepMissing` for a step whose
    predecessor is missing, `DigestWrong` for a step that does not fit the state or lead to the state it says,
    `DataMissing` for a licence whose data is neither in the step nor in the container, `ContainerFull` when the state
    after the whole file does not fit in.
    """
    if update.serial != serial:
        raise ContainerError("SerialWrong", "the update is for another container; import it there")
    for signed in update.steps:
        verify_step(signed, trust=trust)
    after, applied = memory, []
    for signed in update.steps:
        if signed.step.to_counter <= memory.counter:
            _check_skipped(memory, signed.step)
            continue
        after = _applied(after, signed)
        applied.append(signed.step)
    # In a container that was opened smaller than it is full, nothing new is success, and what makes room is let in.
    if applied and len(after.state) > capacity and len(after.state) >= len(memory.state):
        raise ContainerError(
            "ContainerFull",
            f"the container holds at most {capacity} licences of a firm code; return some licences first",
        )
    return Outcome(memory=after, applied=tuple(applied), skipped=len(update.steps) - len(applied))


def _check_skipped(memory: FirmMemory, step: Step) -> None:
    known = memory.applied.get(step.to_counter)
    # A reset leaps over steps that this container never saw; between the last reset and now it applied every one.
    conflict = step.to_counter >= memory.base if known is None else known != _hash(step)
    if conflict:
        raise ContainerError(
            "StepConflict",
            "the update holds another step than the one applied at its counter; export a context and ask again",
        )


def _applied(memory: FirmMemory, signed: SignedStep) -> FirmMemory:
    step = signed.step
    if not memory.exported(step.seen):
        raise ContainerError(
            "RestoredCopy",
            "the update was made for a context that this container never exported: this is a copy or a restored backup;"
            " ask the vendor to accept it by a fresh context",
        )
    if step.kind is StepKind.DELTA:
        if step.from_counter != memory.counter:
            raise ContainerError(
                "StepMissing", "a step before this update is missing; import the earlier file, or export and ask again"
            )
        if step.digest_before != state_digest(memory.state):
            raise ContainerError(
                "DigestWrong", "the update was made for another state than this; export a context and ask again"
            )
    state = apply_step(memory.state, step)
    if state_digest(state) != step.digest_after:
        raise ContainerError(
            "DigestWrong", "the update does not lead to the state it says; export a context and ask again"
        )
    known = {**memory.blocks, **{block_digest(block): block for block in step.blocks}}
    named = {digest for entry in state for digest in entry.options.blocks()}
    if not named <= known.keys():
        raise ContainerError("DataMissing", "the update lacks data of a licence; ask the vendor for a new one")
    return replace(
        memory,
        blocks={digest: known[digest] for digest in sorted(named)},
        counter=step.to_counter,
        base=step.to_counter if step.kind is StepKind.RESET else memory.base,
        state=state,
        last_step=signed,
        applied={**memory.applied, step.to_counter: _hash(step)},
    )


def _hash(step: Step) -> bytes:
    return hashlib.sha256(render_step(step)).digest()
