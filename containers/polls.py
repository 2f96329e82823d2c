"""The poll file: a container asks whether something is waiting, and changes nothing in itself by asking (section 3).

It names no export, so a step can be bound to none of it: what is pushed in answer begins at the confirmed point.
"""

import hashlib
import re
from collections.abc import Callable

from containers.canonical import XMLNS, firm_code, moment, octets, serial
from containers.model import ContainerError, Poll
from containers.reading import CONTEXT_LIMITS, read_tree, require_canonical
from containers.serials import UNIVERSAL, kind_of, software_serial
from containers.signatures import (
    SignatureParts,
    public_key_of,
    read_signature,
    signature_element,
    signed_info,
    verify_raw,
)
from containers.states import content, moment_of, octets_of

_ID = "poll"
_HEAD = f"<poll{XMLNS}>".encode()
_BODY_ALONE = f"<body{XMLNS}".encode()
_ROOT = re.compile(rb"<poll[\s>]")
_LOOKED_AT = 400


def is_poll(data: bytes) -> bool:
    """Return whether bytes look like a poll rather than a context; `read_poll` judges."""
    return _ROOT.search(data, 0, _LOOKED_AT) is not None


def render_poll(poll: Poll, *, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a poll file. `sign` returns r and s, 64 bytes, by the container's key.

    Raises ContainerError `ValueWrong` for values that a file cannot hold.
    """
    body = _body(poll)
    digest = hashlib.sha256(_BODY_ALONE + body).digest()
    parts = SignatureParts(digest=digest, value=sign(signed_info(_ID, digest)), certificate=None)
    return _rendered(body, parts)


def read_poll(data: bytes) -> Poll:
    """Return what a poll file says, once its signature by the key inside it is verified.

    As for a context, that proves who speaks only for a software container. Raises ContainerError: `PollMalformed`,
    `PollInvalid`, `SignatureWrong`, `SerialWrong`.
    """
    root = read_tree(data, root="poll", what="Poll", limits=CONTEXT_LIMITS)
    body, signature = root
    container, firm, public_key, nonce, time = body
    poll = Poll(
        serial=content(container),
        firm_code=int(content(firm)),
        public_key=octets_of(public_key),
        nonce=octets_of(nonce),
        time=moment_of(time),
    )
    parts = read_signature(signature, certified=False)
    require_canonical(root, lambda: _rendered(_body(poll), parts), what="Poll")
    key = public_key_of(poll.public_key)
    if key is None:
        raise ContainerError("PollInvalid", "publicKey must be an uncompressed P-256 key, SubjectPublicKeyInfo in DER")
    digest = hashlib.sha256(_BODY_ALONE + _body(poll)).digest()
    if digest != parts.digest or not verify_raw(key, value=parts.value, data=signed_info(_ID, digest)):
        raise ContainerError("SignatureWrong", "the poll's signature does not fit; make a new one")
    if kind_of(poll.serial) == UNIVERSAL and poll.serial != software_serial(poll.public_key):
        raise ContainerError("SerialWrong", "the serial does not belong to the poll's key")
    return poll


def _rendered(body: bytes, parts: SignatureParts) -> bytes:
    return _HEAD + b"<body" + body + signature_element(_ID, parts) + b"</poll>"


def _body(poll: Poll) -> bytes:
    return (
        f' Id="{_ID}"><serial>{serial(poll.serial)}</serial><firmCode>{firm_code(poll.firm_code)}</firmCode>'
        f"<publicKey>{octets(poll.public_key, 'publicKey')}</publicKey>"
        f"<nonce>{octets(poll.nonce, 'nonce', length=16)}</nonce><time>{moment(poll.time, 'time')}</time></body>"
    ).encode()
