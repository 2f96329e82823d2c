import errno
import json
import os
import stat
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import vendor
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import containers.container
from containers import (
    START,
    Container,
    ContainerError,
    Counter,
    Options,
    SoftwareBox,
    StepKind,
    read_context,
    software_serial,
)

Refused = Callable[..., ContainerError]


def _reopened(path: Path, seed: int = 5, **named: int) -> Container:
    return Container.open(path, clock=vendor.clock, random=vendor.seeded(seed), **named)


def test_a_new_container_holds_nothing(container: Container, box: SoftwareBox) -> None:
    assert container.serial == software_serial(container.public_key)
    assert container.firm_codes() == ()
    assert container.listing(vendor.FIRM) == ()
    assert container.counter(vendor.FIRM) == START
    described = container.describe()
    assert (described["kind"], described["certifiedTime"], described["firmCodes"]) == ("Universal", None, [])
    assert [root["subject"] for root in described["trust"]] == ["CN=OpenDepot vendor root"]


def test_a_container_is_created_once_and_opened_as_the_same(
    refused: Refused, container: Container, box: SoftwareBox, tmp_path: Path
) -> None:
    path = tmp_path / "container"
    before = path.read_bytes()
    named = {"trust_pem": box.root_certificate_pem, "clock": vendor.clock, "random": vendor.seeded(1)}
    assert refused(Container.create, path, **named).code == "ContainerExists"
    assert path.read_bytes() == before
    assert (_reopened(path).serial, _reopened(path).public_key) == (container.serial, container.public_key)
    assert Container.create(tmp_path / "other", **named).serial != container.serial


def test_a_container_trusts_somebody(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "container"
    error = refused(Container.create, path, trust_pem=b"", clock=vendor.clock, random=vendor.seeded(1))
    assert (error.code, path.exists()) == ("TrustWrong", False)


def test_what_is_no_container_is_not_opened(refused: Refused, container: Container, tmp_path: Path) -> None:
    path = tmp_path / "container"
    assert refused(_reopened, tmp_path / "nothing").code == "ContainerMissing"
    whole = path.read_bytes()
    damaged = [b"", b"\n", whole[:-1], whole + b" ", b"x" + whole]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 7)]
    for data in damaged:
        path.write_bytes(data)
        assert refused(_reopened, path).code == "ContainerDamaged"


def test_only_its_owner_can_read_the_private_key(container: Container, tmp_path: Path) -> None:
    container.context(vendor.FIRM)
    for name in ("container", "container.lock"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_private_key_stays_inside(container: Container, seller: vendor.Vendor) -> None:
    key = container._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    scalar = container._key.private_numbers().private_value.to_bytes(32, "big")
    receipt = container.import_update(seller.file(seller.reset(vendor.context_of(container), ()))).receipt
    shown = json.dumps(container.describe()).encode() + receipt
    for secret in (key.hex(), scalar.hex(), str(int.from_bytes(scalar, "big"))):
        assert secret.encode() not in shown


def test_each_context_has_the_next_number_and_a_new_nonce(container: Container, tmp_path: Path) -> None:
    contexts = [vendor.context_of(container) for _ in range(3)]
    contexts.append(vendor.context_of(_reopened(tmp_path / "container")))
    assert [context.export for context in contexts] == [1, 2, 3, 4]
    assert len({context.nonce for context in contexts}) == 4
    assert vendor.context_of(container, vendor.FIRM + 1).export == 1
    assert container.firm_codes() == (vendor.FIRM, vendor.FIRM + 1)


def test_a_context_says_what_the_container_holds(container: Container, seller: vendor.Vendor) -> None:
    state = (vendor.entry("A"), vendor.entry("B"))
    container.import_update(seller.file(seller.reset(vendor.context_of(container), state)))
    context = vendor.context_of(container)
    assert (context.serial, context.public_key) == (container.serial, container.public_key)
    assert (context.counter, context.listing) == (seller.end, state)
    assert (context.firm_code, context.time) == (vendor.FIRM, vendor.NOW)
    assert context.last_step is not None
    assert context.last_step.step == seller.steps[-1]


def test_what_is_no_firm_code_has_no_context(refused: Refused, container: Container) -> None:
    assert refused(container.context, 0).code == "ValueWrong"
    assert container.firm_codes() == ()


def test_an_import_answers_with_what_it_did(container: Container, seller: vendor.Vendor) -> None:
    context = vendor.context_of(container)
    first = seller.reset(context, (vendor.entry("A"),))
    second = seller.delta(context, (vendor.entry("A", quantity=2),))
    result = container.import_update(seller.file(first))
    assert (result.firm_code, result.applied, result.skipped) == (vendor.FIRM, 1, 0)
    result = container.import_update(seller.file(first, second))
    assert (result.applied, result.skipped, result.counter) == (1, 1, seller.end)
    receipt = read_context(result.receipt)
    assert (receipt.export, receipt.counter, receipt.listing) == (3, seller.end, seller.state)


def test_nothing_new_is_success_with_a_fresh_receipt(container: Container, seller: vendor.Vendor) -> None:
    file = seller.file(seller.reset(vendor.context_of(container), ()))
    first, second = (container.import_update(file) for _ in range(2))
    assert (second.applied, second.skipped, second.counter) == (0, 1, first.counter)
    assert read_context(second.receipt).export == read_context(first.receipt).export + 1


def test_two_vendors_do_not_touch_each_other(container: Container, seller: vendor.Vendor, box: SoftwareBox) -> None:
    other = vendor.Vendor(box=box, serial=container.serial, firm_code=vendor.FIRM + 1)
    container.import_update(seller.file(seller.reset(vendor.context_of(container), (vendor.entry("A"),))))
    before = container.describe()["firmCodes"][0]
    context = vendor.context_of(container, other.firm_code)
    container.import_update(other.file(other.reset(context, (vendor.entry("B"),), epoch=9)))
    assert container.describe()["firmCodes"][0] == before
    assert container.listing(other.firm_code) == (vendor.entry("B"),)
    assert (container.counter(vendor.FIRM), container.counter(other.firm_code)) == (seller.end, other.end)


def test_certified_time_rises_only_by_signed_issue_times(container: Container, seller: vendor.Vendor) -> None:
    def certified() -> str | None:
        time: str | None = container.describe()["certifiedTime"]
        return time

    context = vendor.context_of(container)
    late = seller.reset(context, (), issued=vendor.NOW + timedelta(hours=2))
    assert certified() is None
    container.import_update(seller.file(late))
    assert certified() == "2026-11-24T14:00:00Z"
    container.import_update(seller.file(seller.delta(context, (vendor.entry(),))))
    assert certified() == "2026-11-24T14:00:00Z"
    last = seller.delta(context, (), issued=vendor.NOW + timedelta(hours=3))
    container.import_update(seller.file(last))
    assert certified() == "2026-11-24T15:00:00Z"


def test_describe_shows_licences_as_plain_values(container: Container, seller: vendor.Vendor) -> None:
    options = Options(
        activation_time=datetime(2027, 1, 1, tzinfo=UTC), usage_days=0, feature_map=3, text="t", customer_information=""
    )
    state = (vendor.entry("A", quantity=2, options=options), vendor.entry("B"))
    container.import_update(seller.file(seller.reset(vendor.context_of(container), state)))
    described = container.describe()["firmCodes"]
    assert json.loads(json.dumps(described)) == [
        {
            "firmCode": vendor.FIRM,
            "counter": {"epoch": 1000, "number": 1},
            "exports": 2,
            "licenses": [
                {
                    "licenseId": "A",
                    "generation": 1,
                    "itemNumber": "CAD-PRO",
                    "productCode": 13,
                    "quantity": 2,
                    "options": {
                        "activationTime": "2027-01-01T00:00:00Z",
                        "usageDays": 0,
                        "featureMap": 3,
                        "text": "t",
                        "customerInformation": "",
                    },
                },
                {
                    "licenseId": "B",
                    "generation": 1,
                    "itemNumber": "CAD-PRO",
                    "productCode": 13,
                    "quantity": 1,
                    "options": {},
                },
            ],
        }
    ]


def test_a_full_container_can_load_the_chain_that_makes_room(
    refused: Refused, container: Container, seller: vendor.Vendor, tmp_path: Path
) -> None:
    small = _reopened(tmp_path / "container", capacity=2)
    full = (vendor.entry("A"), vendor.entry("B"))
    context = vendor.context_of(small)
    small.import_update(seller.file(seller.reset(context, full)))
    more = seller.delta(context, (*full, vendor.entry("C")))
    assert refused(small.import_update, seller.file(more)).code == "ContainerFull"
    assert small.listing(vendor.FIRM) == full
    room = seller.delta(context, (vendor.entry("B"), vendor.entry("C")))
    assert small.import_update(seller.file(more, room)).applied == 2
    assert small.listing(vendor.FIRM) == (vendor.entry("B"), vendor.entry("C"))


def test_a_state_whose_context_would_be_too_large_is_refused(
    refused: Refused, container: Container, seller: vendor.Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers.container, "LARGEST_CONTEXT", 4000)
    context = vendor.context_of(container)
    state = tuple(vendor.entry(f"L{number:02d}") for number in range(12))
    file = seller.file(seller.reset(context, state))
    assert refused(container.import_update, file).code == "ContainerFull"
    assert (container.counter(vendor.FIRM), container.describe()["firmCodes"][0]["exports"]) == (START, 1)


def test_the_largest_state_fits_into_a_context(container: Container, seller: vendor.Vendor) -> None:
    # Each licence stands in the listing and in the last step, so the context holds everything twice.
    state = tuple(vendor.entry(f"{number:04d}") for number in range(containers.container.CAPACITY))
    result = container.import_update(seller.file(seller.reset(vendor.context_of(container), state)))
    assert read_context(result.receipt).listing == state
    assert len(b64encode(container.context(vendor.FIRM))) < 250 * 1024


def test_another_container_at_the_same_path_is_noticed(
    refused: Refused, container: Container, box: SoftwareBox, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    Container.create(other, trust_pem=box.root_certificate_pem, clock=vendor.clock, random=vendor.seeded(1))
    other.rename(tmp_path / "container")
    assert refused(container.context, vendor.FIRM).code == "ContainerDamaged"


def test_a_key_of_another_kind_is_no_containers(
    refused: Refused, container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers.container, "load_der_private_key", lambda *_, **__: object())
    assert refused(_reopened, tmp_path / "container").code == "ContainerDamaged"


@pytest.mark.parametrize("call", ["context", "import_update"])
@pytest.mark.parametrize("fails", ["open", "write", "fsync", "rename"])
def test_a_full_disk_changes_nothing_and_passes(
    container: Container,
    seller: vendor.Vendor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fails: str,
    call: str,
) -> None:
    argument = vendor.FIRM if call == "context" else seller.file(seller.reset(vendor.context_of(container), ()))
    before = (tmp_path / "container").read_bytes()
    real = getattr(os, fails)

    def refuse(*arguments: object, **named: object) -> object:
        if fails == "open" and not str(arguments[0]).endswith(".new"):
            return real(*arguments, **named)
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, fails, refuse)
        with pytest.raises(OSError, match="no space left"):
            getattr(container, call)(argument)
    assert (tmp_path / "container").read_bytes() == before
    getattr(container, call)(argument)
    assert (tmp_path / "container").read_bytes() != before


def test_short_writes_are_continued(container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:100]))
    container.context(vendor.FIRM)
    assert _reopened(tmp_path / "container").firm_codes() == (vendor.FIRM,)


def test_the_order_of_a_write_is_safe_against_power_loss(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    names: dict[int, str] = {}
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "rename")}

    def opened(path: object, *rest: object) -> int:
        descriptor: int = real["open"](path, *rest)
        names[descriptor] = Path(str(path)).name
        return descriptor

    def watched(name: str) -> Callable[..., object]:
        def call(first: object, *rest: object) -> object:
            done.append(f"{name} {names[first] if isinstance(first, int) else Path(str(first)).name}")
            return real[name](first, *rest)

        return call

    monkeypatch.setattr(os, "open", opened)
    for name in ("write", "fsync", "rename"):
        monkeypatch.setattr(os, name, watched(name))
    container.context(vendor.FIRM)
    assert done == [
        "write container.new",
        "fsync container.new",
        "rename container.new",
        f"fsync {tmp_path.name}",
    ]


def test_what_a_killed_process_left_is_never_written_through(container: Container, tmp_path: Path) -> None:
    innocent = tmp_path / "innocent"
    innocent.write_text("mine")
    (tmp_path / "container.new").symlink_to(innocent)
    container.context(vendor.FIRM)
    assert innocent.read_text() == "mine"
    assert not (tmp_path / "container").is_symlink()


def test_a_refused_import_leaves_every_byte_as_it_was(
    refused: Refused, container: Container, seller: vendor.Vendor, tmp_path: Path
) -> None:
    context = vendor.context_of(container)
    good = seller.reset(context, (vendor.entry("A"),))
    gap = {"kind": StepKind.DELTA, "from_counter": Counter(1000, 2), "to_counter": Counter(1000, 3)}
    bad = seller.sign(replace(seller.steps[-1], **gap))
    before = (tmp_path / "container").read_bytes()
    for file in (seller.file(good, bad), b"", seller.file(bad)):
        refused(container.import_update, file)
        assert (tmp_path / "container").read_bytes() == before
