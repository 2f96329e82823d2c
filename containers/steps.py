"""Steps: their canonical bytes, and the form that is signed once, for ever (transfer protocol, section 1)."""

import hashlib
import re
from base64 import b64decode
from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509
from lxml import etree

from containers.blocks import LARGEST_BLOCK, block_digest
from containers.box import FirmSecurityBox
from containers.canonical import LONG, XMLNS, firm_code, moment, number, octets, serial, text, wrong
from containers.certificates import firm_certificate_key
from containers.model import ContainerError, Counter, Seen, SignedStep, Step, StepKind
from containers.reading import UPDATE_LIMITS, read_tree, require_canonical
from containers.scanning import past, scan_step
from containers.signatures import (
    SIGNATURE_BYTES,
    SignatureParts,
    read_signature,
    scan_signature,
    signature_element,
    signed_info,
    verify_raw,
)
from containers.states import check_order, content, entry_of, license_element, moment_of, octets_of

_STEP_ALONE = f"<step{XMLNS}"
_SIGNED_ALONE = f"<signedStep{XMLNS}>".encode()
_SIGNED_INSIDE, _SIGNED_TAIL = "<signedStep>", "</signedStep>"
_SIGNED_HEAD = _SIGNED_ALONE + _STEP_ALONE.encode()
_HEAD = re.compile(
    rf'{_STEP_ALONE} Id="(step-[0-9]+-[0-9]+)"><serial>[0-9-]+</serial><firmCode>([0-9]+)</firmCode>'.encode()
)
_TAIL = b"</step>"
_VALUE = b"<ds:SignatureValue>"
_SHORTEST_BLOCK = 4
"""Bytes, as `container.xsd` has it."""


def render_step(step: Step) -> bytes:
    """Return the canonical `<step>`, with its namespace: the content that is reserved and signed.

    Raises ContainerError `ValueWrong` for values that a file cannot hold, for counters that do not rise, for changes
    that are not sorted or contradict each other, for blocks that no licence names, and for a reset that removes.
    """
    _check(step)
    put = "".join(license_element("put", entry) for entry in step.put)
    remove = "".join(f"<remove>{text(license_id, 'remove')}</remove>" for license_id in step.remove)
    blocks = "".join(f"<block>{octets(block, 'block')}</block>" for block in step.blocks)
    return (
        f'{_STEP_ALONE} Id="{step_id(step)}"><serial>{serial(step.serial)}</serial>'
        f"<firmCode>{firm_code(step.firm_code)}</firmCode><kind>{step.kind.value}</kind>"
        f"<from>{counter_content(step.from_counter)}</from><to>{counter_content(step.to_counter)}</to>"
        f"<digestBefore>{octets(step.digest_before, 'digestBefore', length=32)}</digestBefore>"
        f"<digestAfter>{octets(step.digest_after, 'digestAfter', length=32)}</digestAfter>"
        f"<seen>{seen_content(step.seen)}</seen><issued>{moment(step.issued, 'issued')}</issued>"
        f"<changes>{put}{remove}{blocks}</changes></step>"
    ).encode()


def parse_step(data: bytes) -> Step:
    """Return the step of canonical bytes, as `render_step` makes them.

    Raises ContainerError `StepMalformed` or `StepInvalid`.
    """
    element = read_tree(data, root="step", what="Step", limits=UPDATE_LIMITS)
    step = _step_of(element)
    require_canonical(element, lambda: render_step(step), what="Step")
    return step


def sign_step(content: bytes, *, firm_code: int, box: FirmSecurityBox) -> bytes:
    """Return the `<signedStep>` of a step's canonical bytes, signed by the box for the firm code.

    Raises ContainerError `StepInvalid` when the bytes are no step of that firm code, `BoxWrong` when the box answers
    with something that is no raw signature.
    """
    head = _HEAD.match(content)
    if head is None or not content.endswith(_TAIL) or int(head[2]) != firm_code:
        raise ContainerError("StepInvalid", "the content to sign is not a canonical step of this firm code")
    reference = head[1].decode("ascii")
    digest = hashlib.sha256(content).digest()
    value = box.sign(firm_code, signed_info(reference, digest))
    if len(value) != SIGNATURE_BYTES:
        raise ContainerError("BoxWrong", f"the Firm Security Box must answer with {SIGNATURE_BYTES} bytes, r and s")
    parts = SignatureParts(digest=digest, value=value, certificate=box.certificate(firm_code))
    return _signed_bytes(content, reference, parts)


def read_signed_step(data: bytes) -> SignedStep:
    """Return the signed step of `sign_step`'s bytes. Its signature is not verified.

    Raises ContainerError `StepMalformed`, `StepInvalid` or `SignatureWrong`.
    """
    element = read_tree(data, root="signedStep", what="Step", limits=UPDATE_LIMITS)
    signed = signed_step_of(element, what="Step")
    require_canonical(element, lambda: _SIGNED_ALONE + _inside(signed.data), what="Step")
    return signed


def verify_step(signed: SignedStep, *, trust: Sequence[x509.Certificate]) -> None:
    """Return if a trusted root certified, for the step's firm code and at its issue time, the key that signed it.

    Raises ContainerError: `SignatureWrong` when the signature is not of the one accepted form or does not fit,
    `CertificateWrong` when the certificate is not one for this firm code under one of `trust` (transfer protocol,
    section 5: certificates are judged at issue time).
    """
    step = signed.step
    step_bytes, reference = render_step(step), step_id(step)
    digest = hashlib.sha256(step_bytes).digest()
    parts = SignatureParts(digest=digest, value=_value_of(signed.data), certificate=signed.certificate)
    if _signed_bytes(step_bytes, reference, parts) != signed.data:
        raise ContainerError("SignatureWrong", "a step's signature does not fit its content; get the file again")
    key = firm_certificate_key(signed.certificate, firm_code=step.firm_code, at=step.issued, trust=trust)
    if not verify_raw(key, value=parts.value, data=signed_info(reference, digest)):
        raise ContainerError("SignatureWrong", "a step's signature is not by its certificate's key; get the file again")


def step_id(step: Step) -> str:
    """Return the Id that a step has in a file, from the counter it leads to."""
    return f"step-{step.to_counter.epoch}-{step.to_counter.number}"


def signed_step_of(element: etree._Element, *, what: str) -> SignedStep:
    """Return the values of a valid `<signedStep>`; its form is still to be compared with `signed_step_inside`.

    Raises ContainerError `SignatureWrong` or `<what>Invalid`.
    """
    step_element, signature = element
    step = _step_of(step_element)
    parts = read_signature(signature, certified=True)
    try:
        step_bytes = render_step(step)
    except ContainerError as error:
        raise ContainerError(f"{what}Invalid", str(error), line=step_element.sourceline) from None
    data = _signed_bytes(step_bytes, step_id(step), parts)
    return SignedStep(step=step, data=data, certificate=parts.certificate or b"")


def scan_signed_step(text: str, place: int) -> tuple[SignedStep, int]:
    """Return the signed step that stands at a place where its namespace is declared around it, and where it ends.

    Its form is still to be compared with `signed_step_inside`. Raises ValueError for anything else, and ContainerError
    for values that no step has.
    """
    step, place = scan_step(text, past(_SIGNED_INSIDE, text, place))
    parts, place = scan_signature(text, place)
    if not parts.certificate or any(not _SHORTEST_BLOCK <= len(block) <= LARGEST_BLOCK for block in step.blocks):
        raise ValueError("a step has no certificate, or a block of a length that the schema refuses")
    data = _signed_bytes(render_step(step), step_id(step), parts)
    return SignedStep(step=step, data=data, certificate=parts.certificate), past(_SIGNED_TAIL, text, place)


def signed_step_inside(data: bytes) -> bytes:
    """Return the canonical form that a `<signedStep>` has where its namespace is declared around it."""
    return b"<signedStep>" + _inside(data)


def counter_content(counter: Counter) -> str:
    """Return what stands inside an element that holds a counter."""
    return (
        f"<epoch>{number(counter.epoch, 'epoch', lowest=0, highest=LONG)}</epoch>"
        f"<number>{number(counter.number, 'number', lowest=0, highest=LONG)}</number>"
    )


def counter_of(element: etree._Element) -> Counter:
    """Return the counter of a valid element."""
    epoch, ordinal = element
    return Counter(int(content(epoch)), int(content(ordinal)))


def seen_content(seen: Seen) -> str:
    """Return the export number and the nonce that name a context, as elements."""
    return (
        f"<export>{number(seen.export, 'export', lowest=1, highest=LONG)}</export>"
        f"<nonce>{octets(seen.nonce, 'nonce', length=16)}</nonce>"
    )


def _step_of(element: etree._Element) -> Step:
    container, firm, kind, start, end, before, after, seen, issued, changes = element
    export, nonce = seen
    put = [child for child in changes if str(child.tag).endswith("}put")]
    remove = [child for child in changes if str(child.tag).endswith("}remove")]
    return Step(
        serial=content(container),
        firm_code=int(content(firm)),
        kind=StepKind(content(kind)),
        from_counter=counter_of(start),
        to_counter=counter_of(end),
        digest_before=octets_of(before),
        digest_after=octets_of(after),
        seen=Seen(export=int(content(export)), nonce=octets_of(nonce)),
        issued=moment_of(issued),
        put=tuple(entry_of(child) for child in put),
        remove=tuple(content(child) for child in remove),
        blocks=tuple(octets_of(child) for child in changes[len(put) + len(remove) :]),
    )


def _check(step: Step) -> None:
    put = [entry.license_id for entry in step.put]
    check_order(put, "put")
    check_order(step.remove, "remove")
    if not set(put).isdisjoint(step.remove):
        raise wrong("remove", "of licences that the same step does not put")
    if step.kind is StepKind.RESET and step.remove:
        raise wrong("remove", "left out of a reset, which is the whole state")
    digests = [block_digest(block) for block in step.blocks]
    if any(first >= second for first, second in pairwise(digests)):
        raise wrong("block", "sorted by digest, each once")
    if not set(digests) <= {digest for entry in step.put for digest in entry.options.blocks()}:
        raise wrong("block", "one that a licence of the same step names")
    if step.to_counter <= step.from_counter:
        raise wrong("to", "a higher counter than from")


def _signed_bytes(step_bytes: bytes, reference: str, parts: SignatureParts) -> bytes:
    return _SIGNED_ALONE + step_bytes + signature_element(reference, parts) + b"</signedStep>"


def _inside(data: bytes) -> bytes:
    return b"<step" + data.removeprefix(_SIGNED_HEAD)


def _value_of(data: bytes) -> bytes:
    # The last one: text in the step cannot hold a `<`, and what follows the value is base64.
    begin = data.rfind(_VALUE) + len(_VALUE)
    try:
        return b64decode(data[begin : data.find(b"<", begin)])
    except ValueError:
        # Bytes of another making. An empty value verifies nothing.
        return b""
