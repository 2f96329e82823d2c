"""The update file: stored, signed steps in order (transfer protocol, sections 1 and 3)."""

from collections.abc import Sequence

from lxml import etree

from containers.canonical import XMLNS, firm_code, serial, wrong
from containers.model import ContainerError, SignedStep, Update
from containers.reading import UPDATE_LIMITS, read_tree, require_canonical
from containers.states import content
from containers.steps import signed_step_inside, signed_step_of
from xmlgate import Limits

_TAIL = b"</update>"


def render_update(*, serial: str, firm_code: int, signed_steps: Sequence[bytes]) -> bytes:
    """Return an update file (`.rau.xml`) of `<signedStep>` elements, as `sign_step` makes them, in the order given.

    The same steps always give the same bytes. Raises ContainerError `ValueWrong` for a serial or firm code that a file
    cannot hold, and for no step at all.
    """
    if not signed_steps:
        raise wrong("update", "a file of one step or more")
    return b"".join((_head(serial, firm_code), *signed_steps, _TAIL))


def read_update(data: bytes, *, limits: Limits = UPDATE_LIMITS) -> Update:
    """Return the steps of an update file. Their signatures are not verified: `verify_step` does.

    Raises ContainerError: `UpdateMalformed` for what is no XML within the limits, `UpdateInvalid` for what the schema
    or the one accepted form refuses, for steps of another serial or firm code and for counters that do not rise;
    `SignatureWrong` for a signature that cannot be read.
    """
    root = read_tree(data, root="update", what="Update", limits=limits)
    container, firm, *elements = root
    update = Update(
        serial=content(container),
        firm_code=int(content(firm)),
        steps=tuple(signed_step_of(element, what="Update") for element in elements),
    )
    require_canonical(root, lambda: _canonical(update), what="Update")
    _check(update.steps, elements, update=update)
    return update


def _check(steps: Sequence[SignedStep], elements: Sequence[etree._Element], *, update: Update) -> None:
    before = None
    for signed, element in zip(steps, elements, strict=True):
        step = signed.step
        if (step.serial, step.firm_code) != (update.serial, update.firm_code):
            raise ContainerError(
                "UpdateInvalid", "a step is for another container or firm code than its file", line=element.sourceline
            )
        if before is not None and step.to_counter <= before:
            raise ContainerError("UpdateInvalid", "the steps are not in their order", line=element.sourceline)
        before = step.to_counter


def _canonical(update: Update) -> bytes:
    steps = (signed_step_inside(signed.data) for signed in update.steps)
    return b"".join((_head(update.serial, update.firm_code), *steps, _TAIL))


def _head(container: str, firm: int) -> bytes:
    return f"<update{XMLNS}><serial>{serial(container)}</serial><firmCode>{firm_code(firm)}</firmCode>".encode()
