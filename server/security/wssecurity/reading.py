"""The form of a Security header block, judged whole before any key is asked for and anything is computed.

What a signature covers is found by place and never by search: the Body that is the Envelope's, the Timestamp that is
the header block's. An id only has to agree. So nothing that was signed can be moved elsewhere (signature wrapping).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from lxml import etree

from server.security.wssecurity.elements import (
    algorithm,
    children,
    leaf,
    local,
    octets,
    only_attributes,
    sequence,
)
from server.security.wssecurity.freshness import read_moment
from server.security.wssecurity.limits import (
    LEAST_NONCE_BYTES,
    MOST_HEADER_ELEMENTS,
    MOST_ID_CHARACTERS,
    MOST_IDS,
    MOST_NAME_CHARACTERS,
    MOST_NAMESPACES,
    MOST_NONCE_BYTES,
    MOST_REFERENCES,
    MOST_SIGNATURE_BYTES,
)
from server.security.wssecurity.names import (
    BASE64,
    DSIG,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    PASSWORD_DIGEST,
    PASSWORD_TEXT,
    RSA_SHA256,
    SHA256,
)
from server.security.wssecurity.references import KeyName, read_reference, token_bytes
from server.security.wssecurity.refusals import SecurityInvalid, SecurityUnsupported
from soap.names import WSSE, WSU

SECURITY = f"{{{WSSE}}}Security"
_TIMESTAMP, _CREATED, _EXPIRES = f"{{{WSU}}}Timestamp", f"{{{WSU}}}Created", f"{{{WSU}}}Expires"
_TOKEN, _BINARY = f"{{{WSSE}}}UsernameToken", f"{{{WSSE}}}BinarySecurityToken"
_USERNAME, _PASSWORD, _NONCE = f"{{{WSSE}}}Username", f"{{{WSSE}}}Password", f"{{{WSSE}}}Nonce"
_SIGNATURE, _INFO, _VALUE = f"{{{DSIG}}}Signature", f"{{{DSIG}}}SignedInfo", f"{{{DSIG}}}SignatureValue"
_KEY_INFO, _REFERENCE = f"{{{DSIG}}}KeyInfo", f"{{{DSIG}}}Reference"
_C14N, _METHOD = f"{{{DSIG}}}CanonicalizationMethod", f"{{{DSIG}}}SignatureMethod"
_TRANSFORMS, _TRANSFORM = f"{{{DSIG}}}Transforms", f"{{{DSIG}}}Transform"
_DIGEST_METHOD, _DIGEST = f"{{{DSIG}}}DigestMethod", f"{{{DSIG}}}DigestValue"
_KINDS_OF_ID = frozenset({"id", "assertionid"})
_METHODS = (RSA_SHA256, ECDSA_SHA256)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timestamp:
    """When a message was made, and until when its sender wants it taken."""

    created: datetime
    expires: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Username:
    """A UsernameToken. `password` is a text, or a digest (20 bytes) that `nonce` and `created` went into."""

    name: str
    password: str | bytes = field(repr=False)
    nonce: bytes | None
    created_text: str | None
    created: datetime | None


class Covered(NamedTuple):
    """An element that a signature claims to cover, and the digest it claims for it."""

    element: etree._Element
    digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A signature of the one form. `info` is SignedInfo, `covered` what its references name, in their order."""

    info: etree._Element
    method: str
    value: bytes
    covered: tuple[Covered, ...]
    key: KeyName


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a header block claims. Nothing of it is proven yet."""

    body: etree._Element
    timestamp: Timestamp | None
    username: Username | None
    signature: Signature | None


def read_claims(security: etree._Element, body: etree._Element) -> Claims:
    """Read the Security header block of a message, whose Body stands at its place.

    Raises SecurityInvalid, SecurityUnsupported.
    """
    _bound(security)
    found = children(security, {_TIMESTAMP: 1, _TOKEN: 1, _BINARY: 1, _SIGNATURE: 1})
    timestamp, username, token, signature = (each[0] if each else None for each in found.values())
    if username is None and signature is None:
        raise SecurityInvalid("Security must hold a UsernameToken or a Signature")
    _check_ids(body)
    if token is not None:
        token_bytes(token)
    return Claims(
        body=body,
        timestamp=None if timestamp is None else _timestamp(timestamp),
        username=None if username is None else _username(username),
        signature=None if signature is None else _signature(signature, token, timestamp, body),
    )


def _bound(security: etree._Element) -> None:
    """Count before anything else looks."""
    for count, element in enumerate(security.iter(), start=1):
        if count > MOST_HEADER_ELEMENTS:
            raise SecurityInvalid(f"Security may hold {MOST_HEADER_ELEMENTS} elements at most")
        if len(element.nsmap) > MOST_NAMESPACES:
            raise SecurityInvalid(f"at most {MOST_NAMESPACES} namespaces may be in scope inside Security")


def _check_ids(body: etree._Element) -> None:
    """Refuse a message in which two elements have one id, of whatever kind, or one element has two."""
    seen: set[str] = set()
    for element in body.getroottree().getroot().iter():
        if not element.attrib:
            continue
        ids = [value for name, value in element.attrib.items() if local(str(name)).lower() in _KINDS_OF_ID]
        if len(ids) > 1:
            raise SecurityInvalid(f"line {element.sourceline}: an element may have one id")
        for value in ids:
            if str(value) in seen:
                raise SecurityInvalid(f"line {element.sourceline}: an id stands twice in the message")
            seen.add(str(value))
            if len(seen) > MOST_IDS:
                raise SecurityInvalid(f"a message may have {MOST_IDS} ids at most")


def _places(signature: etree._Element, body: etree._Element) -> Mapping[str, etree._Element]:
    """Give what may be signed, by its id: the Body, the header blocks, and the tokens beside the signature."""
    security = next(signature.iterancestors())
    header = next(security.iterancestors())
    blocks = [block for block in header if block is not security]
    tokens = [child for child in security if child is not signature]
    return {element.attrib[ID]: element for element in (body, *blocks, *tokens) if ID in element.attrib}


def _timestamp(element: etree._Element) -> Timestamp:
    found = children(element, {_CREATED: 1, _EXPIRES: 1})
    if not found[_CREATED]:
        raise SecurityInvalid("Timestamp must hold Created")
    created = read_moment(leaf(found[_CREATED][0], most=MOST_NAME_CHARACTERS), name="Created")
    expires = None
    if found[_EXPIRES]:
        expires = read_moment(leaf(found[_EXPIRES][0], most=MOST_NAME_CHARACTERS), name="Expires")
    return Timestamp(created=created, expires=expires)


def _username(element: etree._Element) -> Username:
    found = children(element, {_USERNAME: 1, _PASSWORD: 1, _NONCE: 1, _CREATED: 1})
    if not found[_USERNAME] or not found[_PASSWORD]:
        raise SecurityInvalid("UsernameToken must hold Username and Password")
    password = found[_PASSWORD][0]
    kind = password.get("Type", PASSWORD_TEXT)
    if kind not in {PASSWORD_TEXT, PASSWORD_DIGEST}:
        raise SecurityUnsupported("Password must have the Type of PasswordText or PasswordDigest")
    nonce = None
    for each in found[_NONCE]:
        if each.get("EncodingType", BASE64) != BASE64:
            raise SecurityUnsupported("Nonce must hold Base64")
        nonce = octets(each, least=LEAST_NONCE_BYTES, most=MOST_NONCE_BYTES)
    texts = [leaf(each, most=MOST_NAME_CHARACTERS) for each in found[_CREATED]]
    created_text = texts[0] if texts else None
    digest = kind == PASSWORD_DIGEST
    if digest and (nonce is None or created_text is None):
        raise SecurityInvalid("a UsernameToken with PasswordDigest must hold Nonce and Created")
    return Username(
        name=leaf(found[_USERNAME][0], most=MOST_NAME_CHARACTERS),
        password=octets(password, least=20, most=20) if digest else leaf(password, most=MOST_NAME_CHARACTERS),
        nonce=nonce,
        created_text=created_text,
        created=None if created_text is None else read_moment(created_text, name="Created"),
    )


def _signature(
    element: etree._Element, token: etree._Element | None, timestamp: etree._Element | None, body: etree._Element
) -> Signature:
    only_attributes(element, ("Id",))
    info, value, key_info = sequence(element, (_INFO, _VALUE, _KEY_INFO))
    only_attributes(info, ("Id",))
    only_attributes(value, ("Id",))
    count = max(1, sum(child.tag == _REFERENCE for child in info))
    if count > MOST_REFERENCES:
        raise SecurityInvalid(f"SignedInfo may hold {MOST_REFERENCES} references at most")
    method_of_info, method, *references = sequence(info, (_C14N, _METHOD, *(_REFERENCE,) * count))
    algorithm(method_of_info, (EXCLUSIVE,))
    named = algorithm(method, _METHODS)
    if timestamp is None:
        raise SecurityInvalid("Security with a Signature must hold a Timestamp, signed with the Body")
    places = _places(element, body)
    covered = tuple(_covered(reference, places) for reference in references)
    elements = [each.element for each in covered]
    if len(set(elements)) != len(elements):
        raise SecurityInvalid("two references name the same element")
    if body not in elements or timestamp not in elements:
        raise SecurityInvalid("the signature must cover the Body and the Timestamp, by their wsu:Id")
    return Signature(
        info=info,
        method=named,
        value=octets(value, most=MOST_SIGNATURE_BYTES),
        covered=covered,
        key=read_reference(key_info, token),
    )


def _covered(reference: etree._Element, places: Mapping[str, etree._Element]) -> Covered:
    only_attributes(reference, ("URI", "Id"))
    transforms, method, digest = sequence(reference, (_TRANSFORMS, _DIGEST_METHOD, _DIGEST))
    only_attributes(transforms, ())
    algorithm(sequence(transforms, (_TRANSFORM,))[0], (EXCLUSIVE,))
    algorithm(method, (SHA256,))
    uri = reference.get("URI", "")
    if not uri.startswith("#") or len(uri) > MOST_ID_CHARACTERS + 1:
        raise SecurityUnsupported("a Reference must name an element of this message, as #id")
    element = places.get(uri[1:])
    if element is None:
        raise SecurityInvalid(
            "a Reference must name, by its wsu:Id, the Body, a header block, or what stands in Security itself"
        )
    return Covered(element=element, digest=octets(digest, least=32, most=32))
