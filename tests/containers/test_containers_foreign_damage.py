"""One changed byte, region by region, before three verifiers: xmlsec1, signxml and ours."""

import random
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
import vendor
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from signxml import SignatureConfiguration, XMLVerifier

from containers import Container, ContainerError, SoftwareBox, load_trust, read_context, read_update, verify_step

_SEED = 20261124
_EACH = 6
_TIME = vendor.NOW
_STEP = "urn:opendepot:container:1:step"
_BODY = "urn:opendepot:container:1:body"
_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_REGIONS = {
    "content": (b"<licenseId>", b"</licenseId>"),
    "digest": (b"<ds:DigestValue>", b"</ds:DigestValue>"),
    "value": (b"<ds:SignatureValue>", b"</ds:SignatureValue>"),
    "certificate": (b"<ds:X509Certificate>", b"</ds:X509Certificate>"),
}


def _xmlsec1(data: bytes, folder: Path, *arguments: str) -> bool:
    file = folder / "file.xml"
    file.write_bytes(data)
    command = ["xmlsec1", "--verify", "--enabled-reference-uris", "same-doc", *arguments]
    command += ["--node-xpath", "//*[local-name()='Signature']", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _step_by_xmlsec1(data: bytes, folder: Path, root: bytes) -> bool:
    trusted = folder / "root.pem"
    trusted.write_bytes(root)
    when = f"{_TIME:%Y-%m-%d %H:%M:%S}"
    return _xmlsec1(data, folder, "--id-attr:Id", _STEP, "--trusted-pem", str(trusted), "--verification-gmt-time", when)


def _step_by_signxml(data: bytes, folder: Path, root: bytes) -> bool:
    trusted = folder / "root.pem"
    trusted.write_bytes(root)
    config = SignatureConfiguration(location=f"./{{{vendor.NAMESPACE}}}signedStep/", verification_time=_TIME)
    try:
        XMLVerifier().verify(data, ca_pem_file=str(trusted), expect_config=config)
    except Exception:  # noqa: BLE001  a foreign verifier may fail in any way, as long as it fails
        return False
    return True


def _step_by_us(data: bytes, folder: Path, root: bytes) -> bool:
    try:
        for signed in read_update(data).steps:
            verify_step(signed, trust=load_trust(root))
    except ContainerError:
        return False
    return True


_VERIFIERS = (_step_by_xmlsec1, _step_by_signxml, _step_by_us)


def _changes(data: bytes, region: str, count: int) -> list[bytes]:
    """`count` copies with another letter or digit somewhere in the region; of base64 its last four are left alone."""
    begin, end = _REGIONS[region]
    first = data.index(begin) + len(begin)
    last = data.index(end, first) - (0 if region == "content" else 4)
    chance = random.Random(f"{_SEED} {region}")
    places = chance.sample(range(first, last), min(count, last - first))
    print(f"seed {_SEED}, {region}: {places}")
    found = []
    for place in places:
        other = chance.choice([each for each in _CHARACTERS if each != data[place]])
        found.append(data[:place] + bytes([other]) + data[place + 1 :])
    return found


@pytest.fixture
def update(container: Container, seller: vendor.Vendor) -> bytes:
    return seller.file(seller.reset(vendor.context_of(container), (vendor.entry("LICENCE-0001"),)))


@pytest.mark.parametrize("region", _REGIONS)
def test_a_change_in_each_part_of_a_signed_step_fails_in_all_three(
    box: SoftwareBox, tmp_path: Path, update: bytes, region: str
) -> None:
    root = box.root_certificate_pem
    assert [verifier(update, tmp_path, root) for verifier in _VERIFIERS] == [True, True, True]
    for damaged in _changes(update, region, _EACH):
        assert [verifier(damaged, tmp_path, root) for verifier in _VERIFIERS] == [False, False, False]


@pytest.mark.parametrize("region", ["content", "digest", "value"])
def test_a_change_in_each_part_of_a_fresh_context_fails_in_xmlsec1_and_ours(
    container: Container, tmp_path: Path, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_REGIONS, "content", (b"<serial>", b"</serial>"))
    data = container.context(vendor.FIRM)
    key = tmp_path / "key.pem"
    public = load_der_public_key(container.public_key)
    key.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    arguments = ("--id-attr:Id", _BODY, "--pubkey-pem", str(key))
    assert _xmlsec1(data, tmp_path, *arguments)
    assert read_context(data).serial == container.serial
    for damaged in _changes(data, region, _EACH):
        assert not _xmlsec1(damaged, tmp_path, *arguments)
        with pytest.raises(ContainerError):
            read_context(damaged)


def test_all_three_refuse_another_vendors_root(update: bytes, tmp_path: Path) -> None:
    root = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(6)).root_certificate_pem
    assert [verifier(update, tmp_path, root) for verifier in _VERIFIERS] == [False, False, False]


def test_all_three_refuse_a_certificate_of_another_box_with_the_same_names(
    box: SoftwareBox, update: bytes, tmp_path: Path
) -> None:
    other = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(6)).certificate(vendor.FIRM)
    forged = update.replace(b64encode(box.certificate(vendor.FIRM)), b64encode(other))
    assert forged != update
    results = [verifier(forged, tmp_path, box.root_certificate_pem) for verifier in _VERIFIERS]
    assert results == [False, False, False]


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_bit_of_the_certificate_in_a_step_can_be_turned(
    box: SoftwareBox, trust: tuple[x509.Certificate, ...], update: bytes
) -> None:
    (signed,) = read_update(update).steps
    der = signed.certificate
    text = b64encode(der)
    signature = len(x509.load_der_x509_certificate(der).signature)
    # All of the frame around the signature, where what is signed ends, and some of everything else.
    edge = range(len(der) - signature - 8, len(der) - signature + 8)
    chance = random.Random(_SEED)
    print(f"seed {_SEED}")
    for place in {*edge, *chance.sample(range(len(der)), 40)}:
        for bit in range(8):
            changed = der[:place] + bytes([der[place] ^ 1 << bit]) + der[place + 1 :]
            damaged = update.replace(text, b64encode(changed))
            assert b64decode(text) != changed
            assert not _step_by_us(damaged, Path(), box.root_certificate_pem), (place, bit)
