import hashlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import vendor
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

import containers.box
from containers import (
    START,
    ContainerError,
    Counter,
    FirmSecurityBox,
    Seen,
    SoftwareBox,
    Step,
    StepKind,
    load_trust,
    read_signed_step,
    render_step,
    sign_step,
    state_digest,
    verify_step,
)
from containers.certificates import firm_certificate_key
from containers.signatures import verify_raw

Refused = Callable[..., ContainerError]
_SEALING_KEY = bytes(range(32))


class FirmSecurityBoxConformance:
    """What every Firm Security Box must do. A subclass gives the fixtures `subject` and `roots`."""

    @pytest.fixture
    def subject(self) -> FirmSecurityBox:
        raise NotImplementedError

    @pytest.fixture
    def roots(self) -> tuple[x509.Certificate, ...]:
        raise NotImplementedError

    @pytest.mark.parametrize("firm_code", [1, vendor.FIRM, 2**32 - 1])
    def test_its_certificate_binds_its_key_to_the_firm_code(
        self, subject: FirmSecurityBox, roots: tuple[x509.Certificate, ...], firm_code: int
    ) -> None:
        key = firm_certificate_key(subject.certificate(firm_code), firm_code=firm_code, at=vendor.NOW, trust=roots)
        assert isinstance(key, EllipticCurvePublicKey)
        assert verify_raw(key, value=subject.sign(firm_code, b"data"), data=b"data")
        assert not verify_raw(key, value=subject.sign(firm_code, b"data"), data=b"Data")

    def test_its_certificate_is_always_the_same(self, subject: FirmSecurityBox) -> None:
        with ThreadPoolExecutor(4) as pool:
            minted = set(pool.map(subject.certificate, [77] * 16))
        assert minted == {subject.certificate(77)}

    def test_each_firm_code_has_its_own_certificate(self, subject: FirmSecurityBox) -> None:
        found = [x509.load_der_x509_certificate(subject.certificate(code)) for code in range(1, 20)]
        assert len({certificate.serial_number for certificate in found}) == len(found)

    def test_its_signature_is_r_and_s(self, subject: FirmSecurityBox) -> None:
        assert {len(subject.sign(vendor.FIRM, bytes([number]))) for number in range(100)} == {64}

    def test_a_step_that_it_signed_verifies(
        self, subject: FirmSecurityBox, roots: tuple[x509.Certificate, ...]
    ) -> None:
        step = Step(
            serial="130-1",
            firm_code=vendor.FIRM,
            kind=StepKind.RESET,
            from_counter=START,
            to_counter=Counter(1, 1),
            digest_before=state_digest(()),
            digest_after=state_digest(()),
            seen=Seen(export=1, nonce=bytes(16)),
            issued=vendor.NOW,
            put=(),
            remove=(),
        )
        signed = read_signed_step(sign_step(render_step(step), firm_code=vendor.FIRM, box=subject))
        verify_step(signed, trust=roots)
        with pytest.raises(ContainerError):
            verify_step(signed, trust=())


class TestNewSoftwareBox(FirmSecurityBoxConformance):
    @pytest.fixture
    def subject(self, box: SoftwareBox) -> SoftwareBox:
        return box

    @pytest.fixture
    def roots(self, trust: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
        return trust


class TestReopenedSoftwareBox(TestNewSoftwareBox):
    @pytest.fixture
    def subject(self, box: SoftwareBox) -> SoftwareBox:
        return SoftwareBox.open(box.seal(_SEALING_KEY, random=vendor.seeded(4)), sealing_key=_SEALING_KEY)


def test_a_sealed_box_opens_as_the_same_box(box: SoftwareBox) -> None:
    again = SoftwareBox.open(box.seal(_SEALING_KEY, random=vendor.seeded(4)), sealing_key=_SEALING_KEY)
    assert again.root_certificate_pem == box.root_certificate_pem
    assert again.certificate(vendor.FIRM) == box.certificate(vendor.FIRM)
    assert again.sign(vendor.FIRM, b"x") == box.sign(vendor.FIRM, b"x")


def test_another_process_mints_the_same_certificate(box: SoftwareBox, tmp_path: Path) -> None:
    sealed = tmp_path / "box"
    sealed.write_bytes(box.seal(_SEALING_KEY, random=vendor.seeded(4)))
    program = (
        "import sys, hashlib, pathlib; from containers import SoftwareBox;"
        "box = SoftwareBox.open(pathlib.Path(sys.argv[1]).read_bytes(), sealing_key=bytes(range(32)));"
        "print(hashlib.sha256(box.certificate(int(sys.argv[2]))).hexdigest())"
    )
    command = [sys.executable, "-c", program, str(sealed), str(vendor.FIRM)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert answer == hashlib.sha256(box.certificate(vendor.FIRM)).hexdigest()


def test_two_boxes_have_nothing_in_common(box: SoftwareBox) -> None:
    other = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(1))
    assert other.root_certificate_pem != box.root_certificate_pem
    assert other.sign(1, b"x") != box.sign(1, b"x")


def test_a_sealed_box_shows_no_key_and_no_second_time_the_same(box: SoftwareBox) -> None:
    first, second = (box.seal(_SEALING_KEY, random=vendor.seeded(seed)) for seed in (1, 2))
    assert first.startswith(b"OpenDepot box 1\n")
    assert first != second
    assert b"rootKey" not in first


def test_every_changed_byte_of_a_sealed_box_is_refused(refused: Refused, box: SoftwareBox) -> None:
    sealed = box.seal(_SEALING_KEY, random=vendor.seeded(4))
    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        assert refused(SoftwareBox.open, changed, sealing_key=_SEALING_KEY).code == "BoxSealWrong"


@pytest.mark.parametrize("length", [0, 1, 15, 16, 31, 32, 43, 44, 59, 60, 100])
def test_a_cut_sealed_box_is_refused(refused: Refused, box: SoftwareBox, length: int) -> None:
    sealed = box.seal(_SEALING_KEY, random=vendor.seeded(4))
    assert refused(SoftwareBox.open, sealed[:length], sealing_key=_SEALING_KEY).code == "BoxSealWrong"


@pytest.mark.parametrize("key", [bytes(32), b"", bytes(range(31)), bytes(range(33))])
def test_another_sealing_key_is_refused(refused: Refused, box: SoftwareBox, key: bytes) -> None:
    sealed = box.seal(_SEALING_KEY, random=vendor.seeded(4))
    assert refused(SoftwareBox.open, sealed, sealing_key=key).code == "BoxSealWrong"


def test_a_box_is_not_sealed_with_a_short_key(refused: Refused, box: SoftwareBox) -> None:
    assert refused(box.seal, bytes(16), random=vendor.seeded(4)).code == "BoxSealWrong"


def test_a_sealed_key_of_another_kind_is_refused(
    refused: Refused, box: SoftwareBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = box.seal(_SEALING_KEY, random=vendor.seeded(4))
    monkeypatch.setattr(containers.box, "load_der_private_key", lambda *_, **__: object())
    assert refused(SoftwareBox.open, sealed, sealing_key=_SEALING_KEY).code == "BoxSealWrong"


def test_what_is_no_firm_code_has_no_certificate_and_no_signature(refused: Refused, box: SoftwareBox) -> None:
    for code in (0, -1, 2**32):
        assert refused(box.certificate, code).code == "ValueWrong"
        assert refused(box.sign, code, b"x").code == "ValueWrong"


def test_the_root_is_a_certificate_authority_for_twenty_years_and_the_leaves_share_its_dates(
    box: SoftwareBox, trust: tuple[x509.Certificate, ...]
) -> None:
    (root,) = trust
    leaf = x509.load_der_x509_certificate(box.certificate(vendor.FIRM))
    assert root.not_valid_before_utc == vendor.NOW - timedelta(days=1)
    assert root.not_valid_after_utc >= vendor.NOW.replace(year=vendor.NOW.year + 20)
    assert leaf.not_valid_before_utc == root.not_valid_before_utc
    assert leaf.not_valid_after_utc == root.not_valid_after_utc
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(root.public_key(), ec.EllipticCurvePublicKey)
    for certificate in (root, leaf):
        assert 0 < certificate.serial_number < 2**159
    assert load_trust(box.root_certificate_pem) == trust
