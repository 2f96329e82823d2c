"""Import against a small pure model: files lost, doubled, reordered and partial, copies made and backups restored.

The real containers live in files and the model is a few lines: what section 4 of the transfer protocol says.
"""

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import vendor
from examples import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from containers import (
    START,
    Container,
    ContainerError,
    Context,
    Counter,
    Seen,
    SoftwareBox,
    State,
    Step,
    StepKind,
    apply_step,
    read_context,
    render_step,
    state_digest,
)

_BOX = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(77))
_IDS = ("A", "B", "C")


@dataclass(frozen=True)
class Model:
    """What one container is, as section 4 sees it."""

    counter: Counter = START
    base: Counter = START
    state: State = ()
    exports: tuple[Seen, ...] = ()
    applied: dict[Counter, bytes] = field(default_factory=dict)

    def told(self, context: Context) -> "Model":
        return replace(self, exports=(*self.exports, Seen(export=context.export, nonce=context.nonce)))

    def imported(self, steps: list[Step]) -> "Model | str":
        """The model after the file, or the code that refuses it."""
        now = self
        for step in steps:
            if step.to_counter <= self.counter:
                known = self.applied.get(step.to_counter)
                if known != render_step(step) and not (known is None and step.to_counter < self.base):
                    return "StepConflict"
                continue
            if step.seen not in self.exports:
                return "RestoredCopy"
            if step.kind is StepKind.DELTA and step.from_counter != now.counter:
                return "StepMissing"
            if step.kind is StepKind.DELTA and step.digest_before != state_digest(now.state):
                return "DigestWrong"
            now = replace(
                now,
                counter=step.to_counter,
                base=step.to_counter if step.kind is StepKind.RESET else now.base,
                state=apply_step(now.state, step),
                applied={**now.applied, step.to_counter: render_step(step)},
            )
        return now


@dataclass
class Device:
    """A container file and what the model says of it."""

    path: Path
    container: Container
    model: Model


class Transfers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.seed = 0
        self.restored = 0
        self.backups: list[tuple[bytes, Model]] = []
        self.received: list[Context] = []
        self.steps: list[tuple[Step, bytes]] = []

    def teardown(self) -> None:
        for device in getattr(self, "devices", ()):
            assert device.container.listing(vendor.FIRM) == device.model.state
            assert device.container.counter(vendor.FIRM) == device.model.counter
        shutil.rmtree(self.folder)

    @initialize()
    def start(self) -> None:
        path = self.folder / "0"
        container = Container.create(
            path, trust_pem=_BOX.root_certificate_pem, clock=vendor.clock, random=vendor.seeded(0)
        )
        self.devices = [Device(path, container, Model())]
        self.seller = vendor.Vendor(box=_BOX, serial=container.serial)

    def _pick(self, data: st.DataObject) -> Device:
        return data.draw(st.sampled_from(self.devices), label="device")

    def _open(self, path: Path) -> Container:
        # Each opening has its own source of chance, as two computers have.
        self.seed += 1
        return Container.open(path, clock=vendor.clock, random=vendor.seeded(self.seed))

    @rule(data=st.data(), arrives=st.booleans())
    def export(self, data: st.DataObject, arrives: bool) -> None:
        self._export(self._pick(data), arrives=arrives)

    def _export(self, device: Device, *, arrives: bool) -> None:
        context = vendor.context_of(device.container)
        assert context.export == len(device.model.exports) + 1
        assert (context.counter, context.listing) == (device.model.counter, device.model.state)
        device.model = device.model.told(context)
        if arrives:
            self.received.append(context)

    @rule(data=st.data(), steps=st.integers(1, 3), lost=st.booleans())
    def exchange(self, data: st.DataObject, steps: int, lost: bool) -> None:
        """A context arrives and steps are made for it; the answer is lost or the file is imported."""
        device = self._pick(data)
        self._export(device, arrives=True)
        for _ in range(steps):
            self._issue(data, self.received[-1], reset=device.model.counter.epoch < self.seller.end.epoch)
        if not lost:
            self._catch_up(device)

    @precondition(lambda self: self.received)
    @rule(data=st.data(), reset=st.booleans())
    def issue(self, data: st.DataObject, reset: bool) -> None:
        self._issue(data, data.draw(st.sampled_from(self.received)), reset=reset)

    def _issue(self, data: st.DataObject, context: Context, *, reset: bool) -> None:
        held = data.draw(st.dictionaries(st.sampled_from(_IDS), st.integers(1, 3)))
        state = tuple(vendor.entry(name, quantity=held[name]) for name in sorted(held))
        signed = self.seller.reset(context, state) if reset else self.seller.delta(context, state)
        self.steps.append((self.seller.steps[-1], signed))

    @precondition(lambda self: self.steps)
    @rule(data=st.data())
    def issue_a_second_step_for_a_counter(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.steps) - 1))
        step = self.steps[at][0]
        twin = replace(step, issued=step.issued.replace(second=(step.issued.second + 1) % 60))
        self.steps.append((twin, self.seller.sign(twin)))

    @precondition(lambda self: self.steps)
    @rule(data=st.data(), whole=st.booleans())
    def deliver(self, data: st.DataObject, whole: bool) -> None:
        device = self._pick(data)
        first = data.draw(st.integers(0, len(self.steps) - 1))
        last = data.draw(st.integers(first, len(self.steps) - 1))
        chosen = {step.to_counter: (step, signed) for step, signed in self.steps[first : last + 1]}
        kept = sorted(chosen if whole else data.draw(st.sets(st.sampled_from(sorted(chosen)), min_size=1)))
        self._import(device, [chosen[counter] for counter in kept])

    @precondition(lambda self: self.steps)
    @rule(data=st.data())
    def deliver_what_is_missing(self, data: st.DataObject) -> None:
        self._catch_up(self._pick(data))

    def _catch_up(self, device: Device) -> None:
        newer = {step.to_counter: (step, signed) for step, signed in self.steps}
        newer = {counter: each for counter, each in newer.items() if counter > device.model.counter}
        if newer:
            self._import(device, [newer[counter] for counter in sorted(newer)])

    def _import(self, device: Device, chosen: list[tuple[Step, bytes]]) -> None:
        file = self.seller.file(*(signed for _, signed in chosen))
        expected = device.model.imported([step for step, _ in chosen])
        before = device.path.read_bytes()
        try:
            result = device.container.import_update(file)
        except ContainerError as error:
            assert error.code == expected  # noqa: PT017  both outcomes are judged
            assert device.path.read_bytes() == before
            return
        assert isinstance(expected, Model)
        new = [step for step, _ in chosen if step.to_counter > device.model.counter]
        assert (result.applied, result.skipped) == (len(new), len(chosen) - len(new))
        assert result.counter == expected.counter
        receipt = read_context(result.receipt)
        assert receipt.listing == expected.state
        device.model = expected.told(receipt)
        self.received.append(receipt)

    @precondition(lambda self: len(self.backups) < 2)
    @rule(data=st.data())
    def back_up(self, data: st.DataObject) -> None:
        device = self._pick(data)
        self.backups.append((device.path.read_bytes(), device.model))

    @precondition(lambda self: self.backups and self.restored < 2)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        self.restored += 1
        device = self._pick(data)
        content, device.model = data.draw(st.sampled_from(self.backups))
        device.path.write_bytes(content)
        device.container = self._open(device.path)

    @precondition(lambda self: len(self.devices) < 2)
    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        device = self._pick(data)
        path = self.folder / str(len(self.devices))
        shutil.copy(device.path, path)
        self.devices.append(Device(path, self._open(path), device.model))


Transfers.TestCase.settings = settings(
    derandomize=True, deadline=None, max_examples=examples(30), stateful_step_count=30
)
TestTransfers = pytest.mark.examples(Transfers.TestCase)
