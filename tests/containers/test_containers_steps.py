from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import vendor
from cryptography import x509

from containers import (
    START,
    Container,
    ContainerError,
    Counter,
    Seen,
    SignedStep,
    SoftwareBox,
    Step,
    StepKind,
    parse_step,
    read_signed_step,
    render_state,
    render_step,
    sign_step,
    verify_step,
)
from containers.signatures import sign_raw, verify_raw

Refused = Callable[..., ContainerError]
Trust = tuple[x509.Certificate, ...]

_STEP = Step(
    serial="130-1",
    firm_code=vendor.FIRM,
    kind=StepKind.DELTA,
    from_counter=START,
    to_counter=Counter(7, 1),
    digest_before=bytes(32),
    digest_after=bytes(range(32)),
    seen=Seen(export=1, nonce=bytes(16)),
    issued=vendor.NOW,
    put=(vendor.entry("A"),),
    remove=("B",),
)


@pytest.fixture
def signed(box: SoftwareBox) -> SignedStep:
    return read_signed_step(sign_step(render_step(_STEP), firm_code=vendor.FIRM, box=box))


def test_a_signed_step_verifies_under_its_vendors_root(signed: SignedStep, trust: Trust) -> None:
    verify_step(signed, trust=trust)
    with pytest.raises(ContainerError):
        verify_step(signed, trust=())


def test_a_step_signed_twice_gives_the_same_bytes(signed: SignedStep, box: SoftwareBox) -> None:
    assert sign_step(render_step(_STEP), firm_code=vendor.FIRM, box=box) == signed.data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        render_state(()),
        render_step(_STEP)[:-1],
        render_step(_STEP).replace(b" Id=", b"  Id="),
        render_step(replace(_STEP, firm_code=vendor.FIRM + 1)),
        b"<!-- -->" + render_step(_STEP),
    ],
    ids=["nothing", "listing", "cut", "space", "firm code", "before"],
)
def test_only_a_step_of_the_firm_code_is_signed(refused: Refused, box: SoftwareBox, content: bytes) -> None:
    assert refused(sign_step, content, firm_code=vendor.FIRM, box=box).code == "StepInvalid"


def test_a_box_that_answers_with_another_form_of_signature_is_refused(refused: Refused, box: SoftwareBox) -> None:
    class DerBox:
        def certificate(self, firm_code: int) -> bytes:
            return box.certificate(firm_code)

        def sign(self, firm_code: int, data: bytes) -> bytes:
            return bytes(70)

    assert refused(sign_step, render_step(_STEP), firm_code=vendor.FIRM, box=DerBox()).code == "BoxWrong"


def test_a_step_of_another_root_is_refused_as_malformed_or_invalid(refused: Refused, signed: SignedStep) -> None:
    assert refused(parse_step, signed.data).code == "StepInvalid"
    assert refused(parse_step, b"<step").code == "StepMalformed"
    assert refused(read_signed_step, render_step(_STEP)).code == "StepInvalid"
    assert refused(read_signed_step, b"\x00").code == "StepMalformed"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"<kind>Delta<", b"<kind>Other<", "StepInvalid"),
        (b'Id="step-7-1"', b'Id="step-7-2"', "StepInvalid"),
        (b"<from><epoch>0<", b"<from><epoch>8<", "StepInvalid"),
        (b"2026-11-24T12", b"2026-02-30T12", "StepInvalid"),
        (b"<remove>B</remove>", b"<remove>B</remove><remove>A</remove>", "StepInvalid"),
        (b"xmldsig-more#ecdsa-sha256", b"xmldsig-more#ecdsa-sha384", "StepInvalid"),
        (b"#sha256", b"#sha512", "StepInvalid"),
        (b"xml-exc-c14n#", b"xml-exc-c14n#WithComments", "StepInvalid"),
        (b"ds:KeyInfo>", b"ds:keyInfo>", "SignatureWrong"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>\n", "SignatureWrong"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>AAAA", "SignatureWrong"),
        (b"<ds:DigestValue>", b"<ds:DigestValue>AAAA", "SignatureWrong"),
        (b"<ds:X509Certificate>", b"<ds:X509Certificate>=", "SignatureWrong"),
        (b"</ds:X509Certificate>", b"</ds:X509Certificate><ds:X509CRL></ds:X509CRL>", "StepInvalid"),
        (b"</ds:Signature>", b"<ds:Object></ds:Object></ds:Signature>", "StepInvalid"),
        (
            b"</signedStep>",
            b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></signedStep>',
            "StepInvalid",
        ),
        (b"<ds:SignedInfo>", b'<ds:SignedInfo Id="x">', "StepInvalid"),
    ],
)
def test_a_signed_step_is_read_only_in_its_one_form(
    refused: Refused, signed: SignedStep, old: bytes, new: bytes, code: str
) -> None:
    data = signed.data.replace(old, new)
    assert data != signed.data
    assert refused(read_signed_step, data).code == code


def test_base64_that_only_decodes_to_the_same_is_refused(refused: Refused, signed: SignedStep) -> None:
    head, value, tail = _around(signed.data, b"<ds:SignatureValue>", b"</ds:SignatureValue>")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = value[:-3] + alphabet[alphabet.index(value[-3]) + 1 :][:1] + b"=="
    assert b64decode(twin) == b64decode(value)
    assert refused(read_signed_step, head + twin + tail).code == "StepInvalid"


def test_a_signature_by_another_key_does_not_verify(refused: Refused, signed: SignedStep, trust: Trust) -> None:
    head, value, tail = _around(signed.data, b"<ds:SignatureValue>", b"</ds:SignatureValue>")
    changed = bytearray(b64decode(value))
    changed[5] ^= 1
    forged = read_signed_step(head + b64encode(changed) + tail)
    assert refused(verify_step, forged, trust=trust).code == "SignatureWrong"


def test_r_and_s_out_of_range_do_not_verify(refused: Refused, signed: SignedStep, trust: Trust) -> None:
    head, _, tail = _around(signed.data, b"<ds:SignatureValue>", b"</ds:SignatureValue>")
    for value in (bytes(64), b"\xff" * 64):
        forged = read_signed_step(head + b64encode(value) + tail)
        assert refused(verify_step, forged, trust=trust).code == "SignatureWrong"


def test_another_step_under_the_same_signature_does_not_verify(
    refused: Refused, signed: SignedStep, trust: Trust
) -> None:
    step = replace(_STEP, put=(vendor.entry("A", quantity=2),))
    forged = read_signed_step(signed.data.replace(render_step(_STEP), render_step(step)))
    assert forged.step == step
    for each in (forged, replace(signed, step=step), replace(signed, certificate=b"x")):
        assert refused(verify_step, each, trust=trust).code == "SignatureWrong"


def test_a_step_that_no_trusted_root_certified_is_refused(refused: Refused, signed: SignedStep, trust: Trust) -> None:
    other = SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(9))
    foreign = read_signed_step(sign_step(render_step(_STEP), firm_code=vendor.FIRM, box=other))
    assert refused(verify_step, foreign, trust=trust).code == "CertificateWrong"
    assert refused(verify_step, signed, trust=()).code == "CertificateWrong"


def test_a_certificate_is_for_its_firm_code_alone(refused: Refused, box: SoftwareBox, trust: Trust) -> None:
    class OtherCode:
        def certificate(self, firm_code: int) -> bytes:
            return box.certificate(firm_code + 1)

        def sign(self, firm_code: int, data: bytes) -> bytes:
            return box.sign(firm_code, data)

    signed = read_signed_step(sign_step(render_step(_STEP), firm_code=vendor.FIRM, box=OtherCode()))
    error = refused(verify_step, signed, trust=trust)
    assert (error.code, "firm code" in str(error)) == ("CertificateWrong", True)


@pytest.mark.parametrize("days", [-2, 20 * 366])
def test_the_certificate_is_judged_when_the_step_was_issued(
    refused: Refused, box: SoftwareBox, trust: Trust, days: int
) -> None:
    step = replace(_STEP, issued=vendor.NOW + timedelta(days=days))
    signed = read_signed_step(sign_step(render_step(step), firm_code=vendor.FIRM, box=box))
    error = refused(verify_step, signed, trust=trust)
    assert (error.code, "not valid when" in str(error)) == ("CertificateWrong", True)
    inside = replace(_STEP, issued=step.issued + timedelta(days=1 if days < 0 else -1))
    verify_step(read_signed_step(sign_step(render_step(inside), firm_code=vendor.FIRM, box=box)), trust=trust)


def test_a_container_cannot_sign_for_a_vendor(refused: Refused, box: SoftwareBox, container: Container) -> None:
    own = container._key

    class SelfSigned:
        def certificate(self, firm_code: int) -> bytes:
            return box.certificate(firm_code)

        def sign(self, firm_code: int, data: bytes) -> bytes:
            return sign_raw(own, data)

    seller = vendor.Vendor(box=SelfSigned(), serial=container.serial)
    file = seller.file(seller.reset(vendor.context_of(container), (vendor.entry(),)))
    assert refused(container.import_update, file).code == "SignatureWrong"
    assert verify_raw(own.public_key(), value=sign_raw(own, b"x"), data=b"x")


def _around(data: bytes, begin: bytes, end: bytes) -> tuple[bytes, bytes, bytes]:
    head, _, rest = data.partition(begin)
    value, _, tail = rest.partition(end)
    return head + begin, value, end + tail
