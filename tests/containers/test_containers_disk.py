"""The disk fails at each of its calls in turn, or for a while: what stands is old or new, and no number comes twice."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import vendor
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from containers import START, Container, ContainerError, Context, Counter, SoftwareBox, State, read_context
from containers.memory import recall

_CALLS = ("open", "unlink", "write", "fsync", "rename", "close")
_DEAD = 42


class _Disk:
    """Fails once, at the n-th call from now on. A close that fails has closed; a write may have done its half."""

    def __init__(self, after: int, *, torn: bool = False, fatal: bool = False) -> None:
        self.left = after
        self._torn = torn
        self._fatal = fatal
        self._real = {name: getattr(os, name) for name in _CALLS}

    @contextmanager
    def failing(self) -> Iterator[None]:
        for name in _CALLS:
            setattr(os, name, self._replacement(name))
        try:
            yield
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)

    def _replacement(self, name: str) -> Callable[..., object]:
        real = self._real[name]

        def call(*arguments: object, **named: object) -> object:
            self.left -= 1
            if self.left != -1:
                return real(*arguments, **named)
            if name == "close":
                real(*arguments)
            if name == "write" and self._torn:
                descriptor, data = arguments
                real(descriptor, data[: len(data) // 2])
            if self._fatal:
                os._exit(_DEAD)
            raise OSError(errno.EIO, "the disk failed")

        return call


def _opened(path: Path, seed: int) -> Container:
    return Container.open(path, clock=vendor.clock, random=vendor.seeded(seed))


@pytest.mark.parametrize("torn", [False, True], ids=["before", "torn"])
@pytest.mark.parametrize("call", ["context", "import"])
def test_a_call_that_the_disk_fails_leaves_old_or_new_and_can_be_repeated(
    container: Container, seller: vendor.Vendor, tmp_path: Path, *, call: str, torn: bool
) -> None:
    path = tmp_path / "container"
    state = (vendor.entry("A"),)
    context = vendor.context_of(container)
    container.import_update(seller.file(seller.reset(context, state)))
    file = seller.file(seller.delta(context, (vendor.entry("A"), vendor.entry("B"))))
    before = path.read_bytes()
    exports = recall(before).of(vendor.FIRM).exports
    failures, ends = 0, set()
    for after in range(100):
        path.write_bytes(before)
        # The object lives on after the failure, as a service does.
        subject = _opened(path, seed=after)
        disk = _Disk(after, torn=torn)
        told = b""
        try:
            with disk.failing():
                told = subject.import_update(file).receipt if call == "import" else subject.context(vendor.FIRM)
        except OSError as error:
            assert error.errno == errno.EIO  # noqa: PT017  the last turn of the loop does not fail
            failures += 1
        memory = recall(path.read_bytes()).of(vendor.FIRM)
        ends.add((memory.exports, memory.state))
        assert (memory.exports, memory.state) in (
            (exports, state),
            (exports + 1, seller.state if call == "import" else state),
        )
        if told:
            assert (read_context(told).export, memory.exports) == (exports + 1, exports + 1)
        assert vendor.context_of(subject).export == memory.exports + 1
        subject.import_update(file)
        assert _opened(path, seed=200).listing(vendor.FIRM) == seller.state
        if disk.left >= 0:
            break
    assert told
    # Lock, unlink, open, write, sync, close, rename, open, sync, close, unlock.
    assert failures >= 11
    assert len(ends) == 2


@pytest.mark.parametrize("how", ["failed", "torn", "killed"])
def test_a_container_is_created_whole_or_not_at_all(
    refused: Callable[..., ContainerError], box: SoftwareBox, tmp_path: Path, how: str
) -> None:
    path = tmp_path / "fresh"

    def create(disk: _Disk | None) -> str:
        named = {"trust_pem": box.root_certificate_pem, "clock": vendor.clock, "random": vendor.seeded(1)}
        if disk is None:
            return Container.create(path, **named).serial
        with disk.failing():
            return Container.create(path, **named).serial

    made = set()
    for after in range(100):
        for left in tmp_path.iterdir():
            left.unlink()
        if how == "killed":
            whole = _exit_code(lambda after=after: create(_Disk(after, fatal=True))) == 0
        else:
            try:
                whole = bool(create(_Disk(after, torn=how == "torn")))
            except OSError:
                whole = False
        made.add(path.exists())
        if path.exists():
            assert vendor.context_of(_opened(path, seed=2)).export == 1
            assert refused(create, None).code == "ContainerExists"
        else:
            assert not whole
            assert refused(_opened, path, seed=2).code == "ContainerMissing"
            assert create(None) == _opened(path, seed=2).serial
        if whole:
            break
    assert after >= 11
    assert made == {False, True}


def _exit_code(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- two vendors, a disk that fails now and then, and a model --------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What is known for certain of one firm code: what stands on the disk."""

    counter: Counter = START
    state: State = ()
    exports: int = 0


_BOX = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(41))
_FIRMS = (vendor.FIRM, vendor.FIRM + 1)
_failures = st.one_of(st.none(), st.integers(0, 11))


class FailingDisk(RuleBasedStateMachine):
    """Whatever fails when, each vendor's part is as before or as after, the other's is untouched, no number repeats."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.known = dict.fromkeys(_FIRMS, Known())
        self.left: dict[tuple[int, int], bytes] = {}
        self.seen: dict[int, Context] = {}
        self.seed = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def start(self) -> None:
        path = self.folder / "container"
        self.container = Container.create(
            path, trust_pem=_BOX.root_certificate_pem, clock=vendor.clock, random=vendor.seeded(0)
        )
        self.sellers = {firm: vendor.Vendor(box=_BOX, serial=self.container.serial, firm_code=firm) for firm in _FIRMS}
        self.files: dict[int, list[bytes]] = {firm: [] for firm in _FIRMS}

    def _under(self, failure: int | None, work: Callable[[], bytes]) -> bytes:
        try:
            with _Disk(1000 if failure is None else failure, torn=True).failing():
                return work()
        except OSError:
            assert failure is not None
            return b""

    def _judge(self, firm: int, told: bytes, *, after: Known) -> None:
        before = self.known[firm]
        memory = recall((self.folder / "container").read_bytes())
        found = {code: memory.of(code) for code in _FIRMS}
        now = {
            code: Known(counter=part.counter, state=part.state, exports=part.exports) for code, part in found.items()
        }
        assert now[firm] in (before, after)
        for other in set(_FIRMS) - {firm}:
            assert now[other] == self.known[other]
        self.known = now
        if told:
            assert now[firm] == after
            context = read_context(told)
            assert (context.counter, context.listing) == (after.counter, after.state)
            assert (firm, context.export) not in self.left
            self.left[firm, context.export] = context.nonce
            self.seen[firm] = context
        for (code, export), nonce in self.left.items():
            assert found[code].nonces[16 * export - 16 : 16 * export] == nonce

    @rule(firm=st.sampled_from(_FIRMS), failure=_failures)
    def export(self, firm: int, failure: int | None) -> None:
        known = self.known[firm]
        after = Known(counter=known.counter, state=known.state, exports=known.exports + 1)
        self._judge(firm, self._under(failure, lambda: self.container.context(firm)), after=after)

    @rule(firm=st.sampled_from(_FIRMS), failure=_failures, names=st.sets(st.sampled_from("ABC")), reset=st.booleans())
    def load(self, firm: int, failure: int | None, names: set[str], reset: bool) -> None:
        """A step is made and the whole chain is delivered, also after a failure."""
        seller = self.sellers[firm]
        if firm in self.seen:
            state = tuple(vendor.entry(name) for name in sorted(names))
            make = seller.reset if reset else seller.delta
            self.files[firm].append(make(self.seen[firm], state))
        if self.files[firm]:
            file = seller.file(*self.files[firm])
            after = Known(counter=seller.end, state=seller.state, exports=self.known[firm].exports + 1)
            self._judge(firm, self._under(failure, lambda: self.container.import_update(file).receipt), after=after)

    @rule()
    def open_again(self) -> None:
        self.seed += 1
        self.container = _opened(self.folder / "container", self.seed)


FailingDisk.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=40, stateful_step_count=20)
TestFailingDisk = FailingDisk.TestCase
