"""A container's process dies: at each boundary of a write, at any moment, and beside another process."""

import fcntl
import os
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import vendor

from containers import Container, ContainerError, Seen, SoftwareBox, read_context, state_digest
from containers.memory import recall

_DEAD = 42
_BOUNDARIES = ("open", "unlink", "write", "fsync", "rename", "close")


def _forked(work: Callable[[int], None]) -> tuple[int, int]:
    """Run `work(descriptor)` in a child process; return its id and the descriptor that what it writes comes out of."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    try:
        os.close(reading)
        work(writing)
        status = 0
    except BaseException:  # noqa: BLE001  nothing may come back into the test runner of the parent
        traceback.print_exc()
    finally:
        os._exit(status)


def _lines(descriptor: int) -> Iterator[list[str]]:
    with os.fdopen(descriptor) as stream:
        for line in stream:
            if line.endswith("\n"):
                yield line.split()


def _opened(path: Path, seed: int) -> Container:
    return Container.open(path, clock=vendor.clock, random=vendor.seeded(seed))


def _die_at(boundary: int, *, torn: bool) -> None:
    """Let this process end just before its n-th system call on files; of a torn write, one half is done."""
    left = [boundary]
    real_write = os.write

    def dying(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                if torn and name == "write":
                    descriptor, data = arguments
                    real_write(descriptor, data[: len(data) // 2])
                os._exit(_DEAD)
            left[0] -= 1
            return real(*arguments, **named)

        return call

    for name in _BOUNDARIES:
        setattr(os, name, dying(name, getattr(os, name)))
    fcntl.flock = dying("flock", fcntl.flock)  # type: ignore[assignment]


@pytest.mark.parametrize("torn", [False, True], ids=["before", "torn"])
@pytest.mark.parametrize("call", ["context", "import"])
def test_killed_at_any_boundary_it_is_old_or_new_and_repeats_no_export(
    container: Container, seller: vendor.Vendor, tmp_path: Path, *, call: str, torn: bool
) -> None:
    path = tmp_path / "container"
    context = vendor.context_of(container)
    container.import_update(seller.file(seller.reset(context, (vendor.entry("A"),))))
    file = seller.file(seller.delta(context, (vendor.entry("A"), vendor.entry("B"))))
    before = path.read_bytes()
    old, new = recall(before).of(vendor.FIRM).state, (seller.state if call == "import" else (vendor.entry("A"),))
    exports = recall(before).of(vendor.FIRM).exports
    deaths, ends = 0, set()
    for boundary in range(100):
        path.write_bytes(before)

        def work(left: int, boundary: int = boundary) -> None:
            subject = _opened(path, seed=boundary)
            say = os.write
            _die_at(boundary, torn=torn)
            told = subject.import_update(file).receipt if call == "import" else subject.context(vendor.FIRM)
            say(left, told)

        child, descriptor = _forked(work)
        with os.fdopen(descriptor, "rb") as stream:
            told = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        subject = _opened(path, seed=1000 + boundary)
        memory = recall(path.read_bytes()).of(vendor.FIRM)
        ends.add(memory.exports)
        assert memory.state in (old, new)
        assert memory.exports in (exports, exports + 1)
        if call == "import":
            assert memory.exports == exports + (memory.state == new)
        following = vendor.context_of(subject)
        if told:
            said = read_context(told)
            assert memory.exported(Seen(export=said.export, nonce=said.nonce))
            assert following.export == said.export + 1
        assert subject.import_update(file).counter == seller.end
        assert subject.listing(vendor.FIRM) == seller.state
        if status == 0:
            break
        assert (status, told) == (_DEAD, b"")
        deaths += 1
    assert status == 0
    assert deaths >= 9
    assert len(ends) == 2


def _worker(path: Path, box: SoftwareBox, seed: int) -> Callable[[int], None]:
    """Export and import for ever, and say what left and what is about to change."""

    def work(left: int) -> None:
        subject = _opened(path, seed)
        for turn in range(10_000):
            context = read_context(subject.context(vendor.FIRM))
            _say(left, "left", context.export, context.nonce.hex())
            seller = vendor.Vendor(box=box, serial=subject.serial, end=context.counter, state=context.listing)
            file = seller.file(seller.delta(context, (vendor.entry("A", quantity=turn + 1, generation=seed),)))
            _say(left, "begin", state_digest(seller.state).hex())
            receipt = read_context(subject.import_update(file).receipt)
            _say(left, "done", state_digest(seller.state).hex())
            _say(left, "left", receipt.export, receipt.nonce.hex())

    return work


def _say(descriptor: int, *words: object) -> None:
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())


def test_killed_at_any_moment_it_opens_and_repeats_no_export(
    container: Container, box: SoftwareBox, tmp_path: Path
) -> None:
    path = tmp_path / "container"
    chance = random.Random(20)
    left: dict[int, str] = {}
    state = state_digest(()).hex()
    for kill in range(20):
        child, descriptor = _forked(_worker(path, box, seed=kill))
        patience = chance.randrange(1, 60)
        begun = state
        for number, words in enumerate(_lines(descriptor)):
            if number == patience:
                os.kill(child, signal.SIGKILL)
            match words:
                case ["left", export, nonce]:
                    assert int(export) not in left
                    assert int(export) > max(left, default=0)
                    left[int(export)] = nonce
                case ["begin", digest]:
                    begun = digest
                case ["done", digest]:
                    state = digest
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        memory = recall(path.read_bytes()).of(vendor.FIRM)
        assert state_digest(memory.state).hex() in {state, begun}
        state = state_digest(memory.state).hex()
        assert all(memory.nonces[16 * number - 16 : 16 * number].hex() == nonce for number, nonce in left.items())
    assert len(left) > 40
    assert vendor.context_of(_opened(path, seed=99)).export > max(left)


def test_trace_15_an_export_that_was_counted_and_never_sent_does_no_harm(
    container: Container, seller: vendor.Vendor, tmp_path: Path
) -> None:
    container.import_update(seller.file(seller.reset(vendor.context_of(container), (vendor.entry("A"),))))
    path = tmp_path / "container"
    exports = recall(path.read_bytes()).of(vendor.FIRM).exports

    def counted(left: int) -> None:
        _opened(path, seed=3).context(vendor.FIRM)

    child, descriptor = _forked(counted)
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    again = vendor.context_of(container)
    assert again.export == exports + 2
    # To the server: a higher export at the same counter with the same listing. That is one honest container.
    assert (again.counter, again.listing) == (seller.end, seller.state)
    assert container.import_update(seller.file(seller.delta(again, ()))).applied == 1


def test_two_processes_can_use_one_container(container: Container, tmp_path: Path) -> None:
    path = tmp_path / "container"

    def work(seed: int) -> Callable[[int], None]:
        def run(left: int) -> None:
            subject = _opened(path, seed)
            for _ in range(25):
                context = read_context(subject.context(vendor.FIRM))
                _say(left, context.export, context.nonce.hex())

        return run

    running = [_forked(work(seed)) for seed in (1, 2)]
    said = [words for _, descriptor in running for words in _lines(descriptor)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in running] == [0, 0]
    assert sorted(int(export) for export, _ in said) == list(range(1, 51))
    nonces = recall(path.read_bytes()).of(vendor.FIRM).nonces
    assert nonces.hex() == "".join(nonce for _, nonce in sorted(said, key=lambda words: int(words[0])))


def test_two_processes_that_create_one_container_get_one(box: SoftwareBox, tmp_path: Path) -> None:
    path = tmp_path / "fresh"

    def create(left: int) -> None:
        subject = Container.create(
            path, trust_pem=box.root_certificate_pem, clock=vendor.clock, random=vendor.seeded(1)
        )
        _say(left, subject.serial)

    running = [_forked(lambda left: _quietly(create, left)) for _ in range(2)]
    said = [words for _, descriptor in running for words in _lines(descriptor)]
    for child, _ in running:
        os.waitpid(child, 0)
    assert sorted(said) == sorted([["ContainerExists"], [_opened(path, seed=1).serial]])


def _quietly(work: Callable[[int], None], left: int) -> None:
    try:
        work(left)
    except ContainerError as error:
        _say(left, error.code)
