"""The context file: what a container says about one firm code (transfer protocol, section 2)."""

import hashlib
from collections.abc import Callable

from containers.canonical import XMLNS, firm_code, moment, octets, serial
from containers.model import ContainerError, Context, Seen
from containers.reading import CONTEXT_LIMITS, read_tree, require_canonical
from containers.scanning import MOST_SCANNED, scan_body
from containers.serials import UNIVERSAL, kind_of, software_serial
from containers.signatures import (
    SignatureParts,
    public_key_of,
    read_signature,
    scan_signature,
    signature_element,
    signed_info,
    verify_raw,
)
from containers.states import content, entries_of, listing_content, moment_of, octets_of, state_digest
from containers.steps import (
    counter_content,
    counter_of,
    scan_signed_step,
    seen_content,
    signed_step_inside,
    signed_step_of,
)
from xmlgate import Limits

_HEAD = f"<context{XMLNS}>".encode()
_TAIL = b"</context>"
_BODY_ALONE = f"<body{XMLNS}".encode()
_BODY_INSIDE = b"<body"
_SIGNATURE = b"<ds:Signature "
_START = _HEAD + _BODY_ALONE
PUBLIC_KEY_BYTES = 91
"""As `container.xsd` has it."""


def render_context(context: Context, *, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a context file (`.rac.xml`) without judging it. `sign` returns r and s, 64 bytes, by the container's key.

    Raises ContainerError `ValueWrong` for values that a file cannot hold.
    """
    body, reference = _body_content(context), _body_id(context.export)
    digest = hashlib.sha256(_BODY_ALONE + body).digest()
    value = sign(signed_info(reference, digest))
    parts = SignatureParts(digest=digest, value=value, certificate=None)
    return _HEAD + _BODY_ALONE + body + signature_element(reference, parts) + _TAIL


def read_context(data: bytes, *, limits: Limits = CONTEXT_LIMITS) -> Context:
    """Return what a context file says, once its signature by the key inside it is verified.

    That proves who speaks only for a software container (`130-`), whose serial must be the key's. For every other kind
    the caller must compare `public_key` with the one registered for the serial. The signature of `last_step` is not
    verified: `verify_step` does.

    Raises ContainerError: `ContextMalformed` for what is no XML within the limits, `ContextInvalid` for what the schema
    or the one accepted form refuses, `SignatureWrong`, `SerialWrong` when the serial is not the key's or of no known
    kind, `DigestWrong` when the digest is not the listing's.
    """
    found = _scanned(data) if limits is CONTEXT_LIMITS and len(data) <= MOST_SCANNED else None
    context, parts, body = _parsed(data, limits=limits) if found is None else found
    _verify(context, parts, digest=hashlib.sha256(_BODY_ALONE + body).digest())
    return context


_Found = tuple[Context, SignatureParts, bytes]
"""A context that is in its one form, what varies in its signature, and the content of its body."""


def _scanned(data: bytes) -> _Found | None:
    """Return what a file says that is, byte for byte, as `render_context` makes it, None for any other."""
    if not data.startswith(_START):
        return None
    try:
        text = data.decode()
        context, place = scan_body(text, len(_START), scan_signed_step)
        parts, _ = scan_signature(text, place)
        body = _body_content(context)
        rendered = b"".join((_START, body, signature_element(_body_id(context.export), parts), _TAIL))
    except (ValueError, ContainerError):
        return None
    # The schema alone knows how long a key is, and what is rendered bears a certificate where one was found.
    right = rendered == data and len(context.public_key) == PUBLIC_KEY_BYTES and parts.certificate is None
    return (context, parts, body) if right else None


def _parsed(data: bytes, *, limits: Limits) -> _Found:
    root = read_tree(data, root="context", what="Context", limits=limits)
    body, signature = root
    container, firm, public_key, export, nonce, counter, listing, digest, *last, time = body
    context = Context(
        serial=content(container),
        firm_code=int(content(firm)),
        public_key=octets_of(public_key),
        export=int(content(export)),
        nonce=octets_of(nonce),
        counter=counter_of(counter),
        listing=entries_of(listing),
        digest=octets_of(digest),
        last_step=signed_step_of(last[0][0], what="Context") if last else None,
        time=moment_of(time),
    )
    parts = read_signature(signature, certified=False)
    canonical = require_canonical(root, lambda: _canonical(context, parts), what="Context")
    # The last signature is the context's own, since what follows in it is base64.
    return context, parts, canonical[len(_HEAD + _BODY_INSIDE) : canonical.rindex(_SIGNATURE)]


def _verify(context: Context, parts: SignatureParts, *, digest: bytes) -> None:
    key = public_key_of(context.public_key)
    if key is None:
        raise ContainerError(
            "ContextInvalid", "publicKey must be an uncompressed P-256 key, SubjectPublicKeyInfo in DER"
        )
    info = signed_info(_body_id(context.export), digest)
    if digest != parts.digest or not verify_raw(key, value=parts.value, data=info):
        raise ContainerError("SignatureWrong", "the context's signature does not fit; export a context again")
    if kind_of(context.serial) == UNIVERSAL and context.serial != software_serial(context.public_key):
        raise ContainerError("SerialWrong", "the serial does not belong to the context's key")
    if state_digest(context.listing) != context.digest:
        raise ContainerError("DigestWrong", "the digest is not the listing's; export a context again")


def _canonical(context: Context, parts: SignatureParts) -> bytes:
    signature = signature_element(_body_id(context.export), parts)
    return _HEAD + _BODY_INSIDE + _body_content(context) + signature + _TAIL


def _body_id(export: int) -> str:
    return f"context-{export}"


def _body_content(context: Context) -> bytes:
    last = b""
    if context.last_step is not None:
        last = b"<lastStep>" + signed_step_inside(context.last_step.data) + b"</lastStep>"
    seen = Seen(export=context.export, nonce=context.nonce)
    head = (
        f' Id="{_body_id(context.export)}"><serial>{serial(context.serial)}</serial>'
        f"<firmCode>{firm_code(context.firm_code)}</firmCode>"
        f"<publicKey>{octets(context.public_key, 'publicKey')}</publicKey>{seen_content(seen)}"
        f"<counter>{counter_content(context.counter)}</counter><listing>{listing_content(context.listing)}</listing>"
        f"<digest>{octets(context.digest, 'digest', length=32)}</digest>"
    )
    return head.encode() + last + f"<time>{moment(context.time, 'time')}</time></body>".encode()
