"""Section 4 of the transfer protocol rule by rule, and the container's side of the traces of its section 7."""

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import vendor

from containers import (
    START,
    Container,
    ContainerError,
    Context,
    Counter,
    Seen,
    SoftwareBox,
    StepKind,
    read_context,
)

Refused = Callable[..., ContainerError]

_A, _B, _C = (vendor.entry(name) for name in "ABC")


def _copied(container_folder: Path, name: str) -> Container:
    shutil.copy(container_folder / "container", container_folder / name)
    return Container.open(container_folder / name, clock=vendor.clock, random=vendor.seeded(hash(name) % 1000))


@pytest.fixture
def context(container: Container) -> Context:
    return vendor.context_of(container)


def test_another_containers_file_is_refused(refused: Refused, container: Container, box: SoftwareBox) -> None:
    other = vendor.Vendor(box=box, serial="130-" + "0" * 36)
    file = other.file(other.reset(vendor.context_of(container), ()))
    assert refused(container.import_update, file).code == "SerialWrong"


def test_the_first_file_may_be_a_delta_from_the_start(
    container: Container, seller: vendor.Vendor, context: Context
) -> None:
    container.import_update(seller.file(seller.delta(context, (_A,))))
    assert container.counter(vendor.FIRM) == Counter(0, 1)


def test_a_delta_whose_predecessor_is_missing_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context
) -> None:
    first = seller.reset(context, (_A,))
    seller.delta(context, (_A, _B))
    third = seller.delta(context, (_B,))
    assert refused(container.import_update, seller.file(third)).code == "StepMissing"
    assert refused(container.import_update, seller.file(first, third)).code == "StepMissing"
    assert container.counter(vendor.FIRM) == START


def test_a_delta_for_another_state_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context
) -> None:
    container.import_update(seller.file(seller.reset(context, (_A,))))
    wrong = seller.delta(context, (_A, _B), digest_before=bytes(32))
    assert refused(container.import_update, seller.file(wrong)).code == "DigestWrong"


@pytest.mark.parametrize("make", ["delta", "reset"])
def test_a_step_that_does_not_lead_to_the_state_it_says_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context, make: str
) -> None:
    wrong = getattr(seller, make)(context, (_A,), digest_after=bytes(32))
    assert refused(container.import_update, seller.file(wrong)).code == "DigestWrong"


def test_a_reset_applies_at_every_lower_counter_and_at_no_other(
    container: Container, seller: vendor.Vendor, context: Context
) -> None:
    reset = seller.reset(context, (_C,), epoch=5000)
    for state in ((_A,), (_B,)):
        early = vendor.Vendor(box=seller.box, serial=seller.serial, end=container.counter(vendor.FIRM))
        early.state = container.listing(vendor.FIRM)
        container.import_update(early.file(early.delta(context, state)))
    assert container.import_update(seller.file(reset)).applied == 1
    assert (container.listing(vendor.FIRM), container.counter(vendor.FIRM)) == ((_C,), Counter(5000, 1))
    late = seller.reset(context, (_A,), epoch=6000)
    container.import_update(seller.file(late))
    assert container.import_update(seller.file(reset)).applied == 0
    assert container.listing(vendor.FIRM) == (_A,)


def test_another_step_for_a_counter_that_was_applied_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context
) -> None:
    container.import_update(seller.file(seller.reset(context, (_A,))))
    container.import_update(seller.file(seller.delta(context, (_B,))))
    for step in seller.steps:
        twin = seller.sign(replace(step, issued=step.issued.replace(second=1)))
        assert refused(container.import_update, seller.file(twin)).code == "StepConflict"


def test_a_step_between_two_that_were_applied_is_a_conflict(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context
) -> None:
    container.import_update(seller.file(seller.reset(context, (_A,))))
    step = replace(seller.steps[0], kind=StepKind.DELTA, put=(_A,))
    container.import_update(seller.file(seller.delta(context, (_B,), to_counter=Counter(1000, 5))))
    stray = seller.sign(replace(step, from_counter=Counter(1000, 1), to_counter=Counter(1000, 3)))
    assert refused(container.import_update, seller.file(stray)).code == "StepConflict"


def test_a_step_that_a_reset_leapt_over_is_skipped_unknown(
    container: Container, seller: vendor.Vendor, context: Context
) -> None:
    steps = [seller.reset(context, (_A,)), seller.delta(context, (_A, _B))]
    steps.append(seller.reset(context, (_C,)))
    container.import_update(seller.file(steps[2]))
    result = container.import_update(seller.file(*steps))
    assert (result.applied, result.skipped, container.listing(vendor.FIRM)) == (0, 3, (_C,))


def test_every_signature_is_checked_also_of_steps_that_are_skipped(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context
) -> None:
    first = seller.reset(context, (_A,))
    container.import_update(seller.file(first))
    stranger = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(3))
    forged = vendor.Vendor(box=stranger, serial=seller.serial).sign(seller.steps[0])
    assert refused(container.import_update, seller.file(forged, seller.delta(context, ()))).code == "CertificateWrong"


@pytest.mark.parametrize("seen", [Seen(export=1, nonce=bytes(16)), Seen(export=2, nonce=b"x" * 16)])
def test_a_step_for_a_context_that_was_never_exported_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context, seen: Seen
) -> None:
    file = seller.file(seller.reset(context, (), seen=seen))
    assert refused(container.import_update, file).code == "RestoredCopy"


def test_a_restored_backup_gets_no_later_file(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context, tmp_path: Path
) -> None:
    container.import_update(seller.file(seller.reset(context, (_A,))))
    backup = _copied(tmp_path, "backup")
    later = seller.delta(vendor.context_of(container), (_A, _B))
    assert refused(backup.import_update, seller.file(later)).code == "RestoredCopy"
    assert container.import_update(seller.file(later)).applied == 1


def test_a_copy_may_load_a_file_that_was_out_when_it_was_made_and_nothing_after(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context, tmp_path: Path
) -> None:
    out = seller.reset(context, (_A,))
    copy = _copied(tmp_path, "copy")
    receipts = [read_context(each.import_update(seller.file(out)).receipt) for each in (container, copy)]
    assert receipts[0].export == receipts[1].export
    assert receipts[0].nonce != receipts[1].nonce
    later = seller.delta(receipts[0], (_A, _B))
    assert refused(copy.import_update, seller.file(later)).code == "RestoredCopy"
    assert container.import_update(seller.file(later)).applied == 1


def test_a_copy_that_support_accepts_gets_a_reset_that_the_other_refuses(
    refused: Refused, container: Container, seller: vendor.Vendor, context: Context, tmp_path: Path
) -> None:
    container.import_update(seller.file(seller.reset(context, (_A,))))
    copy = _copied(tmp_path, "copy")
    vendor.context_of(container)
    healing = seller.reset(vendor.context_of(copy), (_A,))
    assert refused(container.import_update, seller.file(healing)).code == "RestoredCopy"
    assert copy.import_update(seller.file(healing)).applied == 1


# --- section 7 -------------------------------------------------------------------------------------------------------


def test_trace_13_a_push_file_whose_predecessor_was_lost_still_loads(
    container: Container, seller: vendor.Vendor, context: Context
) -> None:
    confirmed = seller.reset(context, (_A,))
    receipt = read_context(container.import_update(seller.file(confirmed)).receipt)
    lost = seller.delta(receipt, (_A, _B))
    pushed = seller.delta(receipt, (_A, _B, _C))
    assert seller.file(lost) != seller.file(lost, pushed)
    result = container.import_update(seller.file(lost, pushed))
    assert (result.applied, container.listing(vendor.FIRM)) == (2, (_A, _B, _C))


def test_trace_13_it_loads_too_where_the_predecessor_arrived_after_all(
    container: Container, seller: vendor.Vendor, context: Context
) -> None:
    container.import_update(seller.file(seller.reset(context, (_A,))))
    first, second = seller.delta(context, (_A, _B)), seller.delta(context, (_B,))
    container.import_update(seller.file(first))
    result = container.import_update(seller.file(first, second))
    assert (result.applied, result.skipped) == (1, 1)
    assert container.import_update(seller.file(first)).applied == 0
    assert container.listing(vendor.FIRM) == (_B,)


def test_trace_18_all_orders_of_two_parallel_files_and_their_successor(
    refused: Refused, container: Container, seller: vendor.Vendor, tmp_path: Path
) -> None:
    container.import_update(seller.file(seller.reset(vendor.context_of(container), (_A,))))
    one, two = vendor.context_of(container), vendor.context_of(container)
    first = seller.delta(one, (_A, _B))
    second = seller.delta(two, (_A, _B, _C))
    third = seller.delta(two, (_C,))
    # Both contexts stand before `first`; the successor starts behind it, at the receipt for it.
    files = [(seller.file(first), 0, 1), (seller.file(first, second), 0, 2), (seller.file(second, third), 1, 3)]
    states = [(_A,), (_A, _B), (_A, _B, _C), (_C,)]
    orders = list(itertools.product(files, repeat=4))
    assert len(orders) == 81
    for number, order in enumerate(orders):
        subject = _copied(tmp_path, f"subject{number}")
        at = 0
        for data, needs, leads in (*order, *files):
            if at < needs:
                assert refused(subject.import_update, data).code == "StepMissing"
            else:
                assert subject.import_update(data).applied == max(0, leads - at)
                at = max(at, leads)
            assert subject.listing(vendor.FIRM) == states[at]
        assert at == 3
