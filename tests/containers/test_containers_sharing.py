"""One container used through several objects, names and processes at once, and what a restored copy is left with."""

import os
import shutil
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import vendor

from containers import Container, ContainerError, Options, SoftwareBox, read_context
from containers.memory import recall

Refused = Callable[..., ContainerError]

_A, _B, _C = (vendor.entry(name) for name in "ABC")


def _opened(path: Path, seed: int, **named: int) -> Container:
    return Container.open(path, clock=vendor.clock, random=vendor.seeded(seed), **named)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "container"


def test_objects_in_threads_never_repeat_an_export_number(
    container: Container, seller: vendor.Vendor, path: Path
) -> None:
    file = seller.file(seller.reset(vendor.context_of(container), (_A,)))
    # Two threads share one object; the others have their own. All import and export.
    shared = _opened(path, 1)
    subjects = [shared, shared, _opened(path, 2), _opened(path, 3)]
    barrier = threading.Barrier(len(subjects))
    said: list[bytes] = []

    def work(subject: Container) -> None:
        barrier.wait()
        for _ in range(6):
            said.append(subject.context(vendor.FIRM))
            said.append(subject.import_update(file).receipt)

    threads = [threading.Thread(target=work, args=(subject,)) for subject in subjects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contexts = sorted((read_context(data) for data in said), key=lambda context: context.export)
    assert [context.export for context in contexts] == list(range(2, 2 + 4 * 12))
    assert recall(path.read_bytes()).of(vendor.FIRM).nonces[16:] == b"".join(each.nonce for each in contexts)
    # The counter rises with the numbers: no export says less than one before it.
    assert [context.counter for context in contexts] == sorted(context.counter for context in contexts)


def test_processes_that_import_and_export_together_apply_each_step_once(
    container: Container, seller: vendor.Vendor, path: Path
) -> None:
    context = vendor.context_of(container)
    signed = [seller.reset(context, ())]
    signed += [seller.delta(context, (replace(_A, quantity=number),)) for number in range(1, 11)]
    files = [seller.file(*signed[:end]) for end in range(1, len(signed) + 1)]
    reading, writing = os.pipe()
    children = []
    for seed in (1, 2):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                subject = _opened(path, seed)
                for file in files:
                    applied = subject.import_update(file).applied
                    export = read_context(subject.context(vendor.FIRM)).export
                    os.write(writing, f"{applied} {export}\n".encode())
                status = 0
            except BaseException:  # noqa: BLE001  nothing may come back into the test runner of the parent
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = [tuple(map(int, line.split())) for line in stream]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert sum(applied for applied, _ in said) == len(signed)
    assert len({export for _, export in said}) == 2 * len(files)
    memory = recall(path.read_bytes()).of(vendor.FIRM)
    assert (memory.counter, memory.state, memory.exports) == (seller.end, seller.state, 1 + 4 * len(files))


def test_an_object_sees_what_another_did(container: Container, seller: vendor.Vendor, path: Path) -> None:
    other = _opened(path, 9)
    other.import_update(seller.file(seller.reset(vendor.context_of(container), (_A,))))
    assert (container.listing(vendor.FIRM), container.counter(vendor.FIRM)) == ((_A,), seller.end)
    assert vendor.context_of(container).export == 3
    assert container.describe() == other.describe()


def test_a_link_and_its_target_are_one_container(container: Container, tmp_path: Path, path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link"
    link.symlink_to(path)
    linked = _opened(link, 9)
    exports = [vendor.context_of(each).export for each in (linked, container, linked, container)]
    assert exports == [1, 2, 3, 4]
    assert link.is_symlink()
    assert sorted(each.name for each in folder.iterdir()) == ["link"]


def test_a_container_stays_where_it_is_when_its_process_moves(
    box: SoftwareBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    subject = Container.create(
        Path("here"), trust_pem=box.root_certificate_pem, clock=vendor.clock, random=vendor.seeded(1)
    )
    monkeypatch.chdir("/")
    assert vendor.context_of(subject).export == 1
    assert (tmp_path / "here").exists()


def test_nothing_new_is_success_also_in_a_container_that_was_made_smaller(
    refused: Refused, container: Container, seller: vendor.Vendor, path: Path
) -> None:
    context = vendor.context_of(container)
    file = seller.file(seller.reset(context, (_A, _B, _C)))
    container.import_update(file)
    small = _opened(path, 9, capacity=2)
    result = small.import_update(file)
    assert (result.applied, result.skipped) == (0, 1)
    more = vendor.Vendor(box=seller.box, serial=seller.serial, end=seller.end, state=seller.state)
    file = more.file(more.delta(context, (replace(_A, quantity=2), _B, _C)))
    assert refused(small.import_update, file).code == "ContainerFull"
    assert small.import_update(seller.file(seller.delta(context, (_A, _B)))).applied == 1


def test_certified_time_rises_neither_by_what_is_skipped_nor_by_what_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor
) -> None:
    context = vendor.context_of(container)
    old = seller.reset(context, (_A,), issued=vendor.NOW + timedelta(hours=9))
    container.import_update(seller.file(seller.reset(context, (_B,), epoch=9000)))
    assert container.describe()["certifiedTime"] == "2026-11-24T12:00:00Z"
    assert container.import_update(seller.file(old)).skipped == 1
    gap = seller.delta(
        context, (), from_counter=seller.end._replace(number=7), to_counter=seller.end._replace(number=8)
    )
    assert refused(container.import_update, seller.file(gap)).code == "StepMissing"
    assert container.describe()["certifiedTime"] == "2026-11-24T12:00:00Z"


def test_certified_time_is_one_for_all_vendors(container: Container, seller: vendor.Vendor, box: SoftwareBox) -> None:
    other = vendor.Vendor(box=box, serial=container.serial, firm_code=vendor.FIRM + 1)
    late = other.reset(vendor.context_of(container, other.firm_code), (), issued=vendor.NOW + timedelta(hours=1))
    container.import_update(other.file(late))
    container.import_update(seller.file(seller.reset(vendor.context_of(container), ())))
    assert container.describe()["certifiedTime"] == "2026-11-24T13:00:00Z"


# --- section 7 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_trace_14_a_chain_that_ends_within_the_limit_loads_however_full_it_gets_on_the_way(
    refused: Refused, container: Container, seller: vendor.Vendor, path: Path, *, capacity: int
) -> None:
    subject = _opened(path, 9, capacity=capacity)
    context = vendor.context_of(subject)
    crowd = tuple(vendor.entry(f"L{number}") for number in range(6))
    signed = [seller.reset(context, crowd[:capacity])]
    signed += [seller.delta(context, crowd[:size]) for size in (capacity + 1, 6, capacity + 1, capacity)]
    for end in range(2, len(signed)):
        assert refused(subject.import_update, seller.file(*signed[:end])).code == "ContainerFull"
        assert subject.listing(vendor.FIRM) == ()
    assert subject.import_update(seller.file(*signed)).applied == len(signed)
    assert subject.listing(vendor.FIRM) == crowd[:capacity]


def test_trace_16_an_extension_in_a_restored_copy_never_gives_a_later_date(
    refused: Refused, container: Container, seller: vendor.Vendor, path: Path, tmp_path: Path
) -> None:
    def until(days: int) -> tuple:
        return (replace(_A, options=Options(expiration_time=vendor.NOW + timedelta(days=days))),)

    container.import_update(seller.file(seller.reset(vendor.context_of(container), until(30))))
    context = vendor.context_of(container)
    backup = tmp_path / "backup"
    shutil.copy(path, backup)
    extension = seller.file(seller.delta(context, until(60)))
    for _ in range(3):
        container.import_update(extension)
        assert container.listing(vendor.FIRM) == until(60)
    later = seller.file(seller.delta(vendor.context_of(container), until(90)))
    shutil.copy(backup, path)
    restored = _opened(path, 9)
    for _ in range(3):
        restored.import_update(extension)
        assert restored.listing(vendor.FIRM) == until(60)
        assert refused(restored.import_update, later).code == "RestoredCopy"


def test_a_container_with_a_second_name_is_not_written(container: Container, path: Path) -> None:
    other = path.with_name("other")
    other.hardlink_to(path)
    for name in (path, other):
        with pytest.raises(ContainerError) as refused:
            _opened(name, 9).context(vendor.FIRM)
        assert refused.value.code == "ContainerLinked"
    other.unlink()
    assert _opened(path, 9).context(vendor.FIRM)


def test_a_container_opened_too_small_lets_in_what_makes_room(
    container: Container, seller: vendor.Vendor, path: Path
) -> None:
    context = vendor.context_of(container)
    crowd = tuple(vendor.entry(f"L{number}") for number in range(4))
    container.import_update(seller.file(seller.reset(context, crowd)))
    small = _opened(path, 9, capacity=2)
    for left in (3, 1):
        small.import_update(seller.file(seller.delta(context, crowd[:left])))
        assert small.listing(vendor.FIRM) == crowd[:left]
