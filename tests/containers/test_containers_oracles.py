"""Two foreign programs, xmlsec1 and signxml, on our signatures, whole and damaged."""

import random
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import vendor
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from examples import examples
from signxml import SignatureConfiguration, XMLVerifier

from containers import (
    Container,
    ContainerError,
    Options,
    SoftwareBox,
    load_trust,
    read_context,
    read_update,
    verify_step,
)
from containers.blocks import block_digest

_C = f"{{{vendor.NAMESPACE}}}"
_TIME = vendor.NOW + timedelta(hours=1)
_BLOCK = bytes(range(256))
_STATE = (
    vendor.entry("A", options=Options(text="Zwölf & <drei>\r\n\t\"'", expiration_time=vendor.NOW, unit_counter=9)),
    vendor.entry("B", quantity=3, options=Options(hidden_data=block_digest(_BLOCK))),
)


@pytest.fixture
def update(container: Container, seller: vendor.Vendor) -> bytes:
    context = vendor.context_of(container)
    return seller.file(
        seller.reset(context, _STATE, blocks=(_BLOCK,)), seller.delta(context, _STATE[1:]), seller.delta(context, ())
    )


@pytest.fixture
def receipt(container: Container, update: bytes) -> bytes:
    return container.import_update(update).receipt


class Oracles:
    """Each answers whether it accepts the n-th signature of a document."""

    def __init__(self, folder: Path, box: SoftwareBox) -> None:
        self._folder = folder
        self._trust = load_trust(box.root_certificate_pem)
        self._root = folder / "root.pem"
        self._root.write_bytes(box.root_certificate_pem)

    def xmlsec_step(self, data: bytes, number: int) -> bool:
        moment = f"{_TIME:%Y-%m-%d %H:%M:%S}"
        trusted = ("--trusted-pem", str(self._root), "--verification-gmt-time", moment)
        ids = ("--id-attr:Id", f"{vendor.NAMESPACE}:step")
        return vendor.xmlsec1(data, self._folder, *ids, *trusted, signature=number)

    def signxml_step(self, data: bytes, number: int) -> bytes:
        config = SignatureConfiguration(location=f"./{_C}signedStep[{number}]/", verification_time=_TIME)
        return XMLVerifier().verify(data, ca_pem_file=str(self._root), expect_config=config).signed_data

    def ours(self, data: bytes) -> None:
        for signed in read_update(data).steps:
            verify_step(signed, trust=self._trust)

    def xmlsec_context(self, data: bytes, public_key: bytes, *, signature: int = 1) -> bool:
        file = self._folder / "public.pem"
        pem = load_der_public_key(public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        file.write_bytes(pem)
        ids = ("--id-attr:Id", f"{vendor.NAMESPACE}:body")
        return vendor.xmlsec1(data, self._folder, *ids, "--pubkey-pem", str(file), signature=signature)

    def signxml_context(self, data: bytes, public_key: bytes) -> bytes:
        config = SignatureConfiguration(location="./", verification_time=_TIME)
        return XMLVerifier().verify(data, x509_cert=_around(public_key), expect_config=config).signed_data


def _around(public_key: bytes) -> x509.Certificate:
    """A certificate of no weight: signxml takes a bare key only inside one."""
    name = x509.Name([])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(load_der_public_key(public_key))
        .serial_number(1)
        .not_valid_before(vendor.NOW)
        .not_valid_after(vendor.NOW + timedelta(days=1))
        .sign(ec.derive_private_key(1, ec.SECP256R1()), hashes.SHA256())
    )


@pytest.fixture
def oracles(tmp_path: Path, box: SoftwareBox) -> Oracles:
    return Oracles(tmp_path, box)


def test_both_accept_each_step_of_an_update_as_we_do(oracles: Oracles, seller: vendor.Vendor, update: bytes) -> None:
    oracles.ours(update)
    for number in (1, 2, 3):
        assert oracles.xmlsec_step(update, number)
        assert oracles.signxml_step(update, number) == vendor.canonical(update, f"c:signedStep[{number}]/c:step")


def test_both_accept_a_context_with_and_without_a_last_step(
    oracles: Oracles, container: Container, receipt: bytes
) -> None:
    first = container.context(vendor.FIRM + 1)
    assert read_context(first).last_step is None
    assert read_context(receipt).last_step is not None
    for data, signature in ((first, 1), (receipt, 2)):
        assert oracles.xmlsec_context(data, container.public_key, signature=signature)
        assert oracles.signxml_context(data, container.public_key) == vendor.canonical(data, "c:body")


def test_both_accept_the_last_step_inside_a_context(oracles: Oracles, receipt: bytes, tmp_path: Path) -> None:
    assert oracles.xmlsec_step(receipt, 1)
    config = SignatureConfiguration(location=f"./{_C}body/{_C}lastStep/{_C}signedStep/", verification_time=_TIME)
    root = str(tmp_path / "root.pem")
    assert XMLVerifier().verify(receipt, ca_pem_file=root, expect_config=config).signed_data.startswith(b"<step")


def _positions(data: bytes, begin: bytes, end: bytes, count: int, seed: int) -> list[int]:
    first, last = data.index(begin), data.rindex(end) + len(end)
    return sorted(random.Random(seed).sample(range(first, last), count))


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.examples
def test_one_changed_byte_in_a_step_or_its_signature_fails_everywhere(
    oracles: Oracles, container: Container, seller: vendor.Vendor
) -> None:
    update = seller.file(seller.reset(vendor.context_of(container), _STATE))
    assert oracles.xmlsec_step(update, 1)
    for position in _positions(update, b"<step", b"</ds:SignatureValue>", examples(40), seed=5):
        damaged = _flipped(update, position)
        assert not oracles.xmlsec_step(damaged, 1), position
        assert _raises(lambda data=damaged: oracles.signxml_step(data, 1)), position
        with pytest.raises(ContainerError):
            oracles.ours(damaged)


@pytest.mark.examples
def test_one_changed_byte_in_a_context_or_its_signature_fails_everywhere(
    oracles: Oracles, container: Container, receipt: bytes
) -> None:
    for position in _positions(receipt, b"<body", b"</ds:SignatureValue>", examples(40), seed=6):
        damaged = _flipped(receipt, position)
        assert not oracles.xmlsec_context(damaged, container.public_key, signature=2), position
        assert _raises(lambda data=damaged: oracles.signxml_context(data, container.public_key)), position
        with pytest.raises(ContainerError):
            read_context(damaged)


def _raises(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001  a foreign verifier may fail in any way, as long as it fails
        return True
    return False


@pytest.mark.parametrize("name", ["update", "receipt"])
def test_every_single_changed_byte_of_a_file_is_refused(
    request: pytest.FixtureRequest, oracles: Oracles, name: str
) -> None:
    data: bytes = request.getfixturevalue(name)
    check = oracles.ours if name == "update" else read_context
    check(data)
    for position in range(len(data)):
        with pytest.raises(ContainerError):
            check(_flipped(data, position))


def test_openssl_chains_the_certificate_to_the_root(box: SoftwareBox, tmp_path: Path) -> None:
    leaf = tmp_path / "leaf.pem"
    root = tmp_path / "root.pem"
    leaf.write_bytes(x509.load_der_x509_certificate(box.certificate(vendor.FIRM)).public_bytes(Encoding.PEM))
    root.write_bytes(box.root_certificate_pem)
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(_TIME.timestamp())), "-CAfile", str(root)]
    assert subprocess.run([*command, str(leaf)], capture_output=True, check=False).returncode == 0
