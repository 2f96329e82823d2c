"""The attacks: each a message, what is registered, and the code that it must be refused with."""

import copy
import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signed_messages import (
    HMAC_SHA1,
    HMAC_SHA256,
    INCLUSIVE,
    NOW,
    ORDER,
    RSA_SHA1,
    SHA1_DIGEST,
    Keys,
    Message,
    Signer,
    c14n,
    ds,
    key_reference,
    keyed_by_the_public_key,
    made_by,
    moment,
    signer,
)

from server.security.wssecurity.names import (
    BASE64,
    DSIG,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    PASSWORD_DIGEST,
    RSA_SHA256,
    X509,
)
from soap import Version
from soap.names import WSSE, WSU, XML

EVIL = ORDER.replace("<quantity>1<", "<quantity>9999<")
ALIEN = "urn:alien"
IDS = {"wsu:Id": ID, "Id": "Id", "ID": "ID", "id": "id", "xml:id": f"{{{XML}}}id", "other:Id": f"{{{ALIEN}}}Id"}


@dataclass(frozen=True)
class Attack:
    """`make` gives the bytes; `options` go to `signed_messages.proven`."""

    name: str
    expected: str
    make: Callable[[], bytes]
    keys: Callable[[], Keys] = lambda: Keys.of(signer())
    options: dict[str, Any] = field(default_factory=dict)


def honest(version: Version = Version.SOAP11, by: Signer | None = None, **options: Any) -> Message:
    return Message.of(version=version).timestamp().sign(by or signer(), **options)


def evil_body(message: Message, **attributes: str) -> Any:
    """A Body that orders more."""
    body = etree.Element(message.body.tag)
    body.append(etree.fromstring(EVIL))
    for name, value in attributes.items():
        body.set(name, value)
    return body


def moved(message: Message) -> Any:
    """Take the signed Body away and leave an evil one at its place."""
    signed = message.body
    message.root.replace(signed, evil_body(message))
    return signed


def alien(name: str, *children: Any) -> Any:
    made = etree.Element(f"{{{ALIEN}}}{name}")
    made.extend(children)
    return made


# --- wrapping -------------------------------------------------------------------------------------------------------


def wrapped_in_header(message: Message) -> None:
    message.header.append(alien("Wrapper", moved(message)))


def wrapped_before_security(message: Message) -> None:
    message.header.insert(0, alien("Wrapper", moved(message)))


def wrapped_as_header_block(message: Message) -> None:
    message.header.append(moved(message))


def wrapped_in_security(message: Message) -> None:
    message.security.append(alien("Wrapper", moved(message)))


def wrapped_as_token(message: Message) -> None:
    message.security.append(moved(message))


def wrapped_in_object(message: Message) -> None:
    message.signature.append(ds("Object", None, moved(message)))


def wrapped_in_key_info(message: Message) -> None:
    message.signature[2].append(moved(message))


def wrapped_in_timestamp(message: Message) -> None:
    message.security.find(f"{{{WSU}}}Timestamp").append(moved(message))


def wrapped_in_evil_body(message: Message) -> None:
    signed = moved(message)
    message.body.append(signed)


def wrapped_in_evil_order(message: Message) -> None:
    signed = moved(message)
    message.body[0].append(signed)


def wrapped_before_evil_order(message: Message) -> None:
    signed = moved(message)
    message.body.insert(0, signed)


def evil_before_signed(message: Message) -> None:
    message.root.insert(1, evil_body(message))


def evil_after_signed(message: Message) -> None:
    message.root.append(evil_body(message))


def evil_beside_payload(message: Message) -> None:
    message.body.insert(0, etree.fromstring(EVIL))


def signed_behind_the_envelope(message: Message) -> None:
    message.root.append(alien("Wrapper", moved(message)))


def envelope_in_envelope(message: Message) -> None:
    inner = copy.deepcopy(message.root)
    moved(message)
    message.body.append(inner)


def header_twice(message: Message) -> None:
    message.root.insert(0, etree.Element(message.header.tag))


def payload_replaced(message: Message) -> None:
    message.body.replace(message.body[0], etree.fromstring(EVIL))


def quantity_changed(message: Message) -> None:
    message.body[0][-1][-1].text = "9999"


def attribute_added(message: Message) -> None:
    message.body.set(f"{{{ALIEN}}}evil", "1")


def namespace_moved(message: Message) -> None:
    text = etree.tostring(message.body[0]).replace(b"urn:opendepot:sales:1", b"urn:opendepot:sales:2")
    message.body.replace(message.body[0], etree.fromstring(text))


def fresh_time_beside_the_signed_one(message: Message) -> None:
    message.header.append(alien("Wrapper", message.security.find(f"{{{WSU}}}Timestamp")))
    message.timestamp(NOW, name="fresh")


def fresh_time_of_the_same_id(message: Message) -> None:
    message.header.append(alien("Wrapper", message.security.find(f"{{{WSU}}}Timestamp")))
    message.timestamp(NOW)


def two_times(message: Message) -> None:
    message.timestamp(NOW, name="fresh")


def time_as_header_block(message: Message) -> None:
    message.header.append(message.security.find(f"{{{WSU}}}Timestamp"))


def signed_elsewhere_by_xml_id(message: Message) -> None:
    signed = moved(message)
    del signed.attrib[ID]
    signed.set(IDS["xml:id"], "body")
    message.header.append(signed)


WRAPPING: dict[str, tuple[Callable[[Message], None], str]] = {
    "wrapped in a header block": (wrapped_in_header, "SecurityInvalid"),
    "wrapped in a header block before Security": (wrapped_before_security, "SecurityInvalid"),
    "moved into the header as a block": (wrapped_as_header_block, "SecurityInvalid"),
    "wrapped inside Security": (wrapped_in_security, "SecurityUnsupported"),
    "moved into Security": (wrapped_as_token, "SecurityUnsupported"),
    "wrapped in an Object of the signature": (wrapped_in_object, "SecurityUnsupported"),
    "wrapped in KeyInfo": (wrapped_in_key_info, "SecurityInvalid"),
    "wrapped in the Timestamp": (wrapped_in_timestamp, "SecurityUnsupported"),
    "wrapped behind the order in the evil Body": (wrapped_in_evil_body, "EnvelopeInvalid"),
    "wrapped before the order in the evil Body": (wrapped_before_evil_order, "EnvelopeInvalid"),
    "wrapped in the evil order": (wrapped_in_evil_order, "SecurityInvalid"),
    "an evil Body before the signed one": (evil_before_signed, "EnvelopeInvalid"),
    "an evil Body after the signed one": (evil_after_signed, "EnvelopeInvalid"),
    "an evil order beside the signed one": (evil_beside_payload, "EnvelopeInvalid"),
    "the signed Body behind the envelope's": (signed_behind_the_envelope, "EnvelopeInvalid"),
    "the signed envelope in an evil one": (envelope_in_envelope, "EnvelopeInvalid"),
    "two Headers": (header_twice, "EnvelopeInvalid"),
    "another order in the signed Body": (payload_replaced, "SecurityFailed"),
    "another quantity": (quantity_changed, "SecurityFailed"),
    "an attribute more on the Body": (attribute_added, "SecurityFailed"),
    "a fresh Timestamp beside the signed one": (fresh_time_beside_the_signed_one, "SecurityInvalid"),
    "a fresh Timestamp of the same id": (fresh_time_of_the_same_id, "SecurityInvalid"),
    "two Timestamps": (two_times, "SecurityInvalid"),
    "the Timestamp as a header block": (time_as_header_block, "SecurityInvalid"),
    "the signed Body elsewhere under an xml:id": (signed_elsewhere_by_xml_id, "SecurityInvalid"),
}


def wrapping() -> Iterator[Attack]:
    for version in Version:
        for name, (change, expected) in WRAPPING.items():
            yield Attack(
                name=f"{name}, {version.name}",
                expected=expected,
                make=lambda change=change, version=version: changed(honest(version), change),
                options={"version": version},
            )


def changed(message: Message, change: Callable[[Message], Any]) -> bytes:
    change(message)
    return message.bytes()


# --- exclusion and duplicate ids ------------------------------------------------------------------------------------


def exclusion() -> Iterator[Attack]:  # noqa: C901  a list
    def without_signature(message: Message) -> None:
        message.security.remove(message.signature)

    def without_value(message: Message) -> None:
        message.signature.remove(message.signature[1])

    def empty_value(message: Message) -> None:
        message.signature[1].text = ""

    def without_info(message: Message) -> None:
        message.signature.remove(message.info)

    def without_key(message: Message) -> None:
        message.signature.remove(message.signature[2])

    def without_references(message: Message) -> None:
        for reference in message.references:
            message.info.remove(reference)
        message.resign(signer())

    def without_digest(message: Message) -> None:
        message.references[0].remove(message.references[0][2])

    for name, change, expected in (
        ("no signature at all", without_signature, "SecurityInvalid"),
        ("no SignatureValue", without_value, "SecurityInvalid"),
        ("an empty SignatureValue", empty_value, "SecurityInvalid"),
        ("no SignedInfo", without_info, "SecurityInvalid"),
        ("no KeyInfo", without_key, "SecurityInvalid"),
        ("no references", without_references, "SecurityInvalid"),
        ("no DigestValue", without_digest, "SecurityInvalid"),
    ):
        yield Attack(name=name, expected=expected, make=lambda change=change: changed(honest(), change))
    yield Attack(
        name="only the Timestamp is signed",
        expected="SecurityInvalid",
        make=lambda: with_only(lambda message: [message.security[0]]),
    )
    yield Attack(
        name="only the Body is signed",
        expected="SecurityInvalid",
        make=lambda: with_only(lambda message: [message.body]),
    )
    yield Attack(
        name="no Timestamp",
        expected="SecurityInvalid",
        make=lambda: Message.of().sign(signer(), over=[]).bytes(),
    )
    yield Attack(
        name="no Timestamp, the Body signed",
        expected="SecurityInvalid",
        make=body_signed_without_time,
    )
    yield Attack(
        name="the payload is signed instead of the Body", expected="SecurityInvalid", make=payload_signed_for_body
    )
    yield Attack(name="the whole envelope by an empty URI", expected="SecurityUnsupported", make=lambda: with_uri(""))
    for uri in ("body", "#", "#nothing", "#xpointer(/)", "#xpointer(id('body'))", "cid:body", "file:///etc/passwd"):
        code = "SecurityInvalid" if uri.startswith("#") else "SecurityUnsupported"
        yield Attack(name=f"a reference to {uri}", expected=code, make=lambda uri=uri: with_uri(uri))
    yield Attack(
        name="an id of 10,000 characters", expected="SecurityUnsupported", make=lambda: with_uri("#" + "x" * 10_000)
    )


def body_signed_without_time() -> bytes:
    message = Message.of()
    return message.sign(signer(), over=[message.body]).bytes()


def with_only(targets: Callable[[Message], list[Any]]) -> bytes:
    message = Message.of().timestamp()
    return message.sign(signer(), over=targets(message)).bytes()


def payload_signed_for_body() -> bytes:
    message = Message.of().timestamp()
    message.body[0].set(ID, "payload")
    return message.sign(signer(), over=[message.body[0], message.security[0]]).bytes()


def with_uri(uri: str) -> bytes:
    def change(info: Any) -> None:
        info[2].set("URI", uri)

    return honest(change_info=change).bytes()


def duplicates() -> Iterator[Attack]:
    for name, attribute in IDS.items():

        def block(message: Message, attribute: str = attribute) -> None:
            made = alien("Block")
            made.set(attribute, "body")
            message.header.append(made)

        def in_payload(message: Message, attribute: str = attribute) -> None:
            message.body[0][0].set(attribute, "body")

        def second_on_body(message: Message, attribute: str = attribute) -> None:
            message.body.set(attribute if attribute != ID else "Id", "other")

        yield Attack(
            name=f"{name} of a header block is that of the Body",
            expected="SecurityInvalid",
            make=lambda change=block: changed(honest(), change),
        )
        yield Attack(
            name=f"{name} inside the payload is that of the Body",
            expected="SecurityInvalid",
            make=lambda change=in_payload: changed(honest(), change),
        )
        yield Attack(
            name=f"a second id on the Body, {name}",
            expected="SecurityInvalid",
            make=lambda change=second_on_body: changed(honest(), change),
        )

    def many(message: Message) -> None:
        for number in range(200):
            made = alien("Block")
            made.set("Id", f"n-{number}")
            message.header.append(made)

    yield Attack(name="200 ids", expected="SecurityInvalid", make=lambda: changed(honest(), many))


# --- algorithms -----------------------------------------------------------------------------------------------------


def algorithms() -> Iterator[Attack]:
    rsa_keys = {"keys": lambda: Keys.of(signer("rsa", "rsa"))}

    def by_rsa(**options: Any) -> bytes:
        return honest(by=signer("rsa", "rsa"), **options).bytes()

    secret = keyed_by_the_public_key(signer("rsa", "rsa"))
    secret_sha1 = keyed_by_the_public_key(signer("rsa", "rsa"), hashes.SHA1())
    for name, options in {
        "HMAC with the public key as secret": {"method": HMAC_SHA256, "sign": secret},
        "HMAC-SHA1 with the public key as secret": {"method": HMAC_SHA1, "sign": secret_sha1},
        "RSA-SHA1": {"method": RSA_SHA1},
        "SHA-1 digests": {"digest": SHA1_DIGEST},
        "the algorithm none": {"method": "none"},
        "an empty algorithm": {"method": ""},
        "DSA": {"method": "http://www.w3.org/2009/xmldsig11#dsa-sha256"},
        "RSA-MD5": {"method": "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"},
        "RSA-PSS": {"method": "http://www.w3.org/2007/05/xmldsig-more#rsa-pss"},
        "Ed25519": {"method": "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"},
        "ECDSA-SHA1": {"method": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"},
        "MD5 digests": {"digest": "http://www.w3.org/2001/04/xmldsig-more#md5"},
        "inclusive canonicalisation": {"canonical": INCLUSIVE},
        "canonicalisation with comments": {"canonical": EXCLUSIVE + "WithComments"},
        "canonicalisation 1.1": {"canonical": "http://www.w3.org/2006/12/xml-c14n11"},
        "canonicalisation 2.0": {"canonical": "http://www.w3.org/2010/xml-c14n2"},
        "an inclusive transform": {"transform": INCLUSIVE},
        "the enveloped transform": {"transform": DSIG + "enveloped-signature"},
        "the XPath transform": {"transform": "http://www.w3.org/TR/1999/REC-xpath-19991116"},
        "the XPath filter transform": {"transform": "http://www.w3.org/2002/06/xmldsig-filter2"},
        "the XSLT transform": {"transform": "http://www.w3.org/TR/1999/REC-xslt-19991116"},
        "the Base64 transform": {"transform": DSIG + "base64"},
        "the STR transform": {"transform": WSSE.replace("secext-1.0.xsd", "soap-message-security-1.0#STR-Transform")},
    }.items():
        yield Attack(
            name=name, expected="SecurityUnsupported", make=lambda options=options: by_rsa(**options), **rsa_keys
        )
    yield Attack(
        name="ECDSA named over an RSA signature",
        expected="SecurityFailed",
        make=lambda: by_rsa(method=ECDSA_SHA256),
        **rsa_keys,
    )
    yield Attack(
        name="RSA named over an ECDSA signature",
        expected="SecurityFailed",
        make=lambda: honest(method=RSA_SHA256).bytes(),
    )

    def zeros(_: bytes) -> bytes:
        return bytes(64)

    for name, sign in {
        "r and s are zero": zeros,
        "r and s are one": lambda _: (1).to_bytes(32, "big") * 2,
        "r and s as DER": lambda data: signer().key.sign(data, ec.ECDSA(hashes.SHA256())),
        "a byte more": lambda data: made_by(signer().key, data) + b"\0",
        "a byte less": lambda data: made_by(signer().key, data)[:-1],
        "s beyond the order": lambda data: made_by(signer().key, data)[:32] + b"\xff" * 32,
    }.items():
        yield Attack(name=f"ECDSA: {name}", expected="SecurityFailed", make=lambda sign=sign: honest(sign=sign).bytes())
    yield Attack(
        name="a signature of 100 KiB",
        expected="SecurityInvalid",
        make=lambda: honest(sign=lambda _: bytes(100 * 1024)).bytes(),
    )


# --- SignedInfo, comments, parameters -------------------------------------------------------------------------------


def shapes() -> Iterator[Attack]:  # noqa: C901  a list
    def evil_info(message: Message) -> Any:
        """A SignedInfo over an evil Body."""
        message.body.replace(message.body[0], etree.fromstring(EVIL))
        info = copy.deepcopy(message.info)
        info[2][2].text = b64encode(hashlib.sha256(c14n(message.body)).digest()).decode()
        return info

    def first(message: Message) -> None:
        message.signature.insert(0, evil_info(message))

    def second(message: Message) -> None:
        message.signature.insert(1, evil_info(message))

    def in_object(message: Message) -> None:
        message.signature.append(ds("Object", None, evil_info(message)))

    def nested(message: Message) -> None:
        message.info.append(evil_info(message))

    def second_signature(message: Message) -> None:
        message.security.append(copy.deepcopy(message.signature))

    def second_security(message: Message) -> None:
        message.header.append(copy.deepcopy(message.security))

    def second_security_for_next(message: Message) -> None:
        made = copy.deepcopy(message.security)
        made.set(f"{{{Version.SOAP11}}}actor", "http://schemas.xmlsoap.org/soap/actor/next")
        message.header.insert(0, made)

    def second_token(message: Message) -> None:
        message.security.insert(0, copy.deepcopy(message.security[0]))

    def digest_in_two(message: Message) -> None:
        digest = message.references[0][2]
        digest.append(etree.Element(f"{{{ALIEN}}}x"))

    def text_between(message: Message) -> None:
        message.info.text = "evil"

    def attribute_on_info(message: Message) -> None:
        message.info.set("evil", "1")

    def order_turned(message: Message) -> None:
        message.info.append(message.info[0])

    def same_twice(message: Message) -> None:
        message.info.append(copy.deepcopy(message.references[0]))
        message.resign(signer())

    def six(message: Message) -> None:
        for number in range(4):
            block = alien("Block")
            block.set(ID, f"b-{number}")
            message.header.append(block)
            reference = copy.deepcopy(message.references[0])
            reference.set("URI", f"#b-{number}")
            message.info.append(reference)
        message.resign(signer())

    def prefixes(message: Message) -> None:
        message.info[0].append(etree.Element(f"{{{EXCLUSIVE}}}InclusiveNamespaces", PrefixList="soap"))
        message.resign(signer())

    def prefixes_in_transform(message: Message) -> None:
        transform = message.references[0][0][0]
        transform.append(etree.Element(f"{{{EXCLUSIVE}}}InclusiveNamespaces", PrefixList=" ".join(["soap"] * 1000)))
        message.resign(signer())

    def output_length(message: Message) -> None:
        message.info[1].append(ds("HMACOutputLength", "1"))
        message.resign(signer())

    def two_transforms(message: Message) -> None:
        message.references[0][0].append(ds("Transform", Algorithm=EXCLUSIVE))
        message.resign(signer())

    def no_transforms(message: Message) -> None:
        message.references[0].remove(message.references[0][0])
        message.resign(signer())

    def thousand_transforms(message: Message) -> None:
        for _ in range(1_000):
            message.references[0][0].append(ds("Transform", Algorithm=EXCLUSIVE))

    def reference_type(message: Message) -> None:
        message.references[0].set("Type", DSIG + "Manifest")
        message.resign(signer())

    def manifest(message: Message) -> None:
        message.signature.append(ds("Object", None, ds("Manifest", None, copy.deepcopy(message.references[0]))))

    for name, change, expected in (
        ("an evil SignedInfo before the signed one", first, "SecurityInvalid"),
        ("an evil SignedInfo behind the signed one", second, "SecurityInvalid"),
        ("an evil SignedInfo in an Object", in_object, "SecurityUnsupported"),
        ("an evil SignedInfo in the signed one", nested, "SecurityUnsupported"),
        ("two signatures", second_signature, "SecurityInvalid"),
        ("two Security blocks", second_security, "HeaderInvalid"),
        ("a second Security block for the next actor", second_security_for_next, "HeaderInvalid"),
        ("two tokens", second_token, "SecurityInvalid"),
        ("an element in the digest", digest_in_two, "SecurityInvalid"),
        ("text in SignedInfo", text_between, "SecurityInvalid"),
        ("an attribute on SignedInfo", attribute_on_info, "SecurityInvalid"),
        ("SignedInfo in another order", order_turned, "SecurityInvalid"),
        ("one element referenced twice", same_twice, "SecurityInvalid"),
        ("six references", six, "SecurityInvalid"),
        ("inclusive prefixes", prefixes, "SecurityUnsupported"),
        ("1,000 inclusive prefixes in a transform", prefixes_in_transform, "SecurityUnsupported"),
        ("an output length", output_length, "SecurityUnsupported"),
        ("two transforms", two_transforms, "SecurityInvalid"),
        ("no transforms", no_transforms, "SecurityInvalid"),
        ("1,000 transforms", thousand_transforms, "SecurityInvalid"),
        ("the type of a manifest", reference_type, "SecurityInvalid"),
        ("a manifest", manifest, "SecurityUnsupported"),
    ):
        yield Attack(name=name, expected=expected, make=lambda change=change: changed(honest(), change))
    for name, expected, where in (
        ("a comment in a digest", "SecurityInvalid", b"DigestValue>"),
        ("a comment in the signature", "SecurityFailed", b"SignatureValue>"),
    ):
        yield Attack(name=name, expected=expected, make=lambda where=where: commented(where))
    for where in (b"<soap:Body", b"<soap:Envelope"):
        # There is no canonical form of it, so nobody has signed it.
        relative = partial(relatively_named, where)
        yield Attack(name=f"a relative namespace at {where.decode()}>", expected="SecurityFailed", make=relative)
    yield Attack(name="a comment hides a part of a value", expected="SecurityFailed", make=comment_in_payload)
    yield Attack(
        name="a processing instruction",
        expected="ProcessingInstruction",
        make=lambda: honest().bytes().replace(b"EDITOR", b"EDI<?evil?>TOR"),
    )
    yield Attack(
        name="a document type",
        expected="DtdForbidden",
        make=lambda: b'<!DOCTYPE soap:Envelope [<!ATTLIST Body Id ID "body">]>' + honest().bytes(),
    )


def commented(where: bytes) -> bytes:
    """Another value, whose first text up to a comment is the signed one: a reader of the first text would be fooled."""
    data = honest().bytes()
    begin = data.index(where) + len(where)
    return data[:begin] + b"AAAA<!-- -->" + data[begin:]


def relatively_named(where: bytes) -> bytes:
    return honest().bytes().replace(where, where + b' xmlns:relative="../relative"')


def comment_in_payload() -> bytes:
    return honest().bytes().replace(b"<quantity>1<", b"<quantity>1<!-- -->000<")


# --- bombs ----------------------------------------------------------------------------------------------------------


def bombs() -> Iterator[Attack]:
    def padded(count: int) -> bytes:
        data = honest().bytes()
        names = b" ".join(b'xmlns:n%d="urn:n:%d"' % (n, n) for n in range(count))
        return data.replace(b"<soap:Envelope", b"<soap:Envelope " + names, 1)

    yield Attack(name="5,000 namespaces on the root", expected="TooComplex", make=lambda: padded(5_000))
    yield Attack(
        name="30,000 elements in Security",
        expected="TooComplex",
        make=lambda: honest().bytes().replace(b"</wsse:Security>", b"<a/>" * 30_000 + b"</wsse:Security>"),
    )
    yield Attack(
        name="19,000 elements in Security",
        expected="SecurityInvalid",
        make=lambda: honest().bytes().replace(b"</wsse:Security>", b"<a/>" * 19_000 + b"</wsse:Security>"),
    )
    yield Attack(
        name="20,000 attributes on Security",
        expected="TooComplex",
        make=lambda: (
            honest()
            .bytes()
            .replace(b"<wsse:Security", b"<wsse:Security " + b" ".join(b'a%d=""' % n for n in range(20_000)), 1)
        ),
    )
    yield Attack(
        name="5,000 references",
        expected="SecurityInvalid",
        make=lambda: inserted(b"</ds:SignedInfo>", b'<ds:Reference URI="#body"/>' * 190),
    )
    yield Attack(
        name="references by the thousand",
        expected="SecurityInvalid",
        make=lambda: inserted(b"</ds:SignedInfo>", b'<ds:Reference URI="#body"/>' * 5_000),
    )

    def nested(depth: int) -> bytes:
        return honest().bytes().replace(b"</wsse:Security>", b"<a>" * depth + b"</a>" * depth + b"</wsse:Security>")

    yield Attack(name="Security 200 levels deep", expected="TooComplex", make=lambda: nested(200))

    def xslt(message: Message) -> None:
        transform = message.references[0][0][0]
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
        sheet = etree.SubElement(
            transform,
            "{http://www.w3.org/1999/XSL/Transform}stylesheet",
            nsmap={"xsl": "http://www.w3.org/1999/XSL/Transform"},
        )
        loop = etree.SubElement(sheet, "{http://www.w3.org/1999/XSL/Transform}template", match="/")
        for _ in range(20):
            loop = etree.SubElement(
                loop, "{http://www.w3.org/1999/XSL/Transform}for-each", select="//. | //@* | //namespace::*"
            )
        message.resign(signer())

    def xpath(message: Message) -> None:
        transform = message.references[0][0][0]
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
        transform.append(ds("XPath", "count(//. | //@* | //namespace::*) = count(//*[count(//*) > 0])"))
        message.resign(signer())

    yield Attack(
        name="a stylesheet that loops in loops", expected="SecurityUnsupported", make=lambda: changed(honest(), xslt)
    )
    yield Attack(
        name="an XPath over everything squared", expected="SecurityUnsupported", make=lambda: changed(honest(), xpath)
    )
    yield Attack(
        name="a token of 100 KiB",
        expected="SecurityInvalid",
        make=lambda: honest(token=bytes(100 * 1024)).bytes(),
    )
    yield Attack(
        name="a created time of 10,000 characters",
        expected="SecurityInvalid",
        make=lambda: honest().bytes().replace(b"Z</wsu:Created>", b"0" * 10_000 + b"Z</wsu:Created>"),
    )
    yield Attack(
        name="a large Body under a signature that is not registered",
        expected="SecurityFailed",
        make=lambda: large().sign(signer("foreign")).bytes(),
    )
    yield Attack(
        name="a large Body under a wrong signature",
        expected="SecurityFailed",
        make=lambda: large().sign(signer(), sign=lambda _: b"\1" * 64).bytes(),
    )


def large() -> Message:
    line = "<orderLine><itemNumber>EDITOR</itemNumber><quantity>1</quantity></orderLine>"
    return Message.of(ORDER.replace("</CreateOrder>", line * 2_000 + "</CreateOrder>")).timestamp()


def inserted(before: bytes, what: bytes) -> bytes:
    data = honest().bytes()
    prefix = data[data.index(b"<") :].split(b":SignedInfo", 1)[0].rsplit(b"<", 1)[1]
    return data.replace(
        before.replace(b"ds:", prefix + b":"),
        what.replace(b"ds:", prefix + b":") + before.replace(b"ds:", prefix + b":"),
    )


# --- keys -----------------------------------------------------------------------------------------------------------


def keys() -> Iterator[Attack]:  # noqa: C901  a list
    for key in ("binary", "ski", "thumbprint", "embedded", "serial", "serial-and-certificate"):
        yield Attack(
            name=f"a foreign key named by {key}",
            expected="SecurityFailed",
            make=lambda key=key: honest(by=signer("foreign"), key=key).bytes(),
        )
        yield Attack(
            name=f"a revoked certificate named by {key}",
            expected="SecurityFailed",
            make=lambda key=key: honest(key=key).bytes(),
            keys=Keys,
        )
    yield Attack(
        name="a foreign key with the same name and serial number",
        expected="SecurityFailed",
        make=lambda: honest(by=signer("acme", "p256", serial=7), key="serial").bytes(),
        keys=lambda: Keys.of(signer("acme", "p256", days=364, serial=7)),
    )
    yield Attack(
        name="the registered certificate beside a signature by another key",
        expected="SecurityFailed",
        make=lambda: honest(by=signer("foreign"), token=signer().der).bytes(),
    )
    for kind in ("rsa1024", "p384"):
        yield Attack(
            name=f"a weak or unknown key, {kind}",
            expected="SecurityFailed",
            make=lambda kind=kind: honest(by=signer("weak", kind)).bytes(),
        )
    yield Attack(
        name="an expired certificate",
        expected="SecurityExpired",
        make=lambda: honest(by=signer("old", days=-30)).bytes(),
        keys=lambda: Keys.of(signer("old", days=-30)),
    )
    yield Attack(
        name="a certificate that is not valid yet",
        expected="SecurityExpired",
        make=lambda: Message.of().timestamp(NOW - timedelta(days=3)).sign(signer()).bytes(),
        options={"now": NOW - timedelta(days=3)},
    )

    def bare(message: Message) -> None:
        reference = message.signature[2][0]
        message.signature[2].replace(reference, ds("KeyName", "acme"))

    def value(message: Message) -> None:
        message.signature[2].replace(message.signature[2][0], ds("KeyValue", None, ds("RSAKeyValue")))

    def retrieval(message: Message) -> None:
        message.signature[2].replace(message.signature[2][0], ds("RetrievalMethod", URI="http://127.0.0.1:9/key"))

    def two(message: Message) -> None:
        message.signature[2].append(key_reference(signer("foreign"), "ski"))

    def two_in_one(message: Message) -> None:
        message.signature[2][0].append(key_reference(signer("foreign"), "ski")[0])

    def outside(message: Message) -> None:
        message.signature[2][0][0].set("URI", "#elsewhere")

    def token_moved(message: Message) -> None:
        message.header.append(message.security[0])

    def kind_of_token(message: Message) -> None:
        message.security[0].set("ValueType", X509.replace("X509v3", "X509PKIPathv1"))

    def hex_token(message: Message) -> None:
        message.security[0].set("EncodingType", BASE64.replace("Base64", "Hex"))

    def no_base64(message: Message) -> None:
        message.security[0].text = "this is no base64!"

    def kind_of_identifier(message: Message) -> None:
        message.signature[2][0][0].set("ValueType", "urn:unknown")

    def data(*children: Any) -> Callable[[Message], None]:
        def change(message: Message) -> None:
            found = message.signature[2][0][0]
            for child in list(found):
                found.remove(child)
            found.extend(copy.deepcopy(child) for child in children)

        return change

    def pair(issuer: str | None, number: str | None) -> Any:
        parts = [] if issuer is None else [ds("X509IssuerName", issuer)]
        return ds("X509IssuerSerial", None, *parts, *([] if number is None else [ds("X509SerialNumber", number)]))

    def long_id(message: Message) -> None:
        message.security[0].set(ID, "x" * 1_000)

    def kind_of_reference(message: Message) -> None:
        message.signature[2][0][0].set("ValueType", "urn:unknown")

    def hex_identifier(message: Message) -> None:
        message.signature[2][0][0].set("EncodingType", BASE64.replace("Base64", "Hex"))

    def no_time(message: Message) -> None:
        message.security.find(f"{{{WSU}}}Timestamp").remove(message.security.find(f"{{{WSU}}}Timestamp")[0])

    def without_token(message: Message) -> None:
        message.security.remove(message.security[0])

    for name, change, expected, key in (
        ("KeyInfo with a name alone", bare, "SecurityUnsupported", "binary"),
        ("KeyInfo with a key value", value, "SecurityUnsupported", "binary"),
        ("KeyInfo that is to be fetched", retrieval, "SecurityUnsupported", "binary"),
        ("two references to keys", two, "SecurityInvalid", "binary"),
        ("two keys in one reference", two_in_one, "SecurityInvalid", "binary"),
        ("a reference to a token that is elsewhere", outside, "SecurityInvalid", "binary"),
        ("the token outside of Security", token_moved, "SecurityInvalid", "binary"),
        ("a certificate path as token", kind_of_token, "SecurityUnsupported", "binary"),
        ("a token in hexadecimal", hex_token, "SecurityUnsupported", "binary"),
        ("a token that is no Base64", no_base64, "SecurityInvalid", "binary"),
        ("an identifier of unknown kind", kind_of_identifier, "SecurityUnsupported", "ski"),
        ("an identifier in hexadecimal", hex_identifier, "SecurityUnsupported", "ski"),
        ("a reference of unknown kind", kind_of_reference, "SecurityUnsupported", "binary"),
        ("a token with an id of 1,000 characters", long_id, "SecurityInvalid", "binary"),
        ("no token where one is named", without_token, "SecurityInvalid", "binary"),
        ("a Timestamp without Created", no_time, "SecurityInvalid", "binary"),
        ("empty X509Data", data(), "SecurityInvalid", "serial"),
        ("an issuer without a number", data(pair("CN=acme", None)), "SecurityInvalid", "serial"),
        ("a number without an issuer", data(pair(None, "7")), "SecurityInvalid", "serial"),
        ("a negative serial number", data(pair("CN=acme", "-7")), "SecurityInvalid", "serial"),
        ("a serial number of 200 digits", data(pair("CN=acme", "7" * 200)), "SecurityInvalid", "serial"),
        ("a serial number in hexadecimal", data(pair("CN=acme", "0x7")), "SecurityInvalid", "serial"),
        ("a subject instead", data(ds("X509SubjectName", "CN=acme")), "SecurityUnsupported", "serial"),
    ):
        yield Attack(name=name, expected=expected, make=lambda change=change, key=key: changed(honest(key=key), change))


# --- time and passwords ---------------------------------------------------------------------------------------------


def times() -> Iterator[Attack]:
    for name, created, expires, expected in (
        ("an hour old", -3600, None, "SecurityExpired"),
        ("a second too old", -361, None, "SecurityExpired"),
        ("a second too far in the future", 61, None, "SecurityExpired"),
        ("expired by its own word", -120, -61, "SecurityExpired"),
        ("valid for a year by its own word", -3600, 365 * 86400, "SecurityExpired"),
        ("expires before it was created", 0, -10, "SecurityInvalid"),
        ("a year in the future", 365 * 86400, None, "SecurityExpired"),
    ):
        yield Attack(
            name=f"a message {name}",
            expected=expected,
            make=lambda created=created, expires=expires: (
                Message.of()
                .timestamp(
                    NOW + timedelta(seconds=created), None if expires is None else NOW + timedelta(seconds=expires)
                )
                .sign(signer())
                .bytes()
            ),
        )
    for text in ("", "yesterday", "2026-05-06", "2026-05-06T07:08:09", "2026-13-06T07:08:09Z", "2026-05-06T07:08:61Z",
                 "2026-05-06T07:08:09+99:00", "9999-12-31T23:59:59-14:00", "２０２６-05-06T07:08:09Z"):  # fmt: skip

        def change(message: Message, text: str = text) -> None:
            message.security.find(f"{{{WSU}}}Timestamp")[0].text = text

        yield Attack(
            name=f"the time {text!r}", expected="SecurityInvalid", make=lambda change=change: changed(honest(), change)
        )


def passwords() -> Iterator[Attack]:  # noqa: C901  a list
    def password(message: Message) -> Any:
        return message.security.find(f"{{{WSSE}}}UsernameToken")

    def drop(name: str, space: str = WSSE) -> Callable[[Message], None]:
        def change(message: Message) -> None:
            token = password(message)
            token.remove(token.find(f"{{{space}}}{name}"))

        return change

    def put(name: str, text: str, space: str = WSSE) -> Callable[[Message], None]:
        def change(message: Message) -> None:
            password(message).find(f"{{{space}}}{name}").text = text

        return change

    def kind(message: Message) -> None:
        password(message)[1].set("Type", "urn:unknown")

    def twice(message: Message) -> None:
        message.security.append(copy.deepcopy(password(message)))

    def derived(message: Message) -> None:
        password(message).append(
            etree.Element("{http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd}Salt")
        )

    def hex_nonce(message: Message) -> None:
        password(message)[2].set("EncodingType", BASE64.replace("Base64", "Hex"))

    def other_created(message: Message) -> None:
        password(message)[3].text = moment(NOW + timedelta(seconds=1))

    for name, change, expected in (
        ("a digest without Nonce", drop("Nonce"), "SecurityInvalid"),
        ("a digest without Created", drop("Created", WSU), "SecurityInvalid"),
        ("no Username", drop("Username"), "SecurityInvalid"),
        ("no Password", drop("Password"), "SecurityInvalid"),
        ("another username", put("Username", "bravo"), "SecurityFailed"),
        ("an empty username", put("Username", ""), "SecurityInvalid"),
        ("a username of 10,000 characters", put("Username", "x" * 10_000), "SecurityInvalid"),
        ("another digest", put("Password", b64encode(bytes(20)).decode()), "SecurityFailed"),
        ("a digest of 16 bytes", put("Password", b64encode(bytes(16)).decode()), "SecurityInvalid"),
        ("another nonce", put("Nonce", b64encode(bytes(16)).decode()), "SecurityFailed"),
        ("a nonce of 4 bytes", put("Nonce", b64encode(bytes(4)).decode()), "SecurityInvalid"),
        ("a nonce of 10,000 bytes", put("Nonce", b64encode(bytes(10_000)).decode()), "SecurityInvalid"),
        ("another time", other_created, "SecurityFailed"),
        ("a password of unknown kind", kind, "SecurityUnsupported"),
        ("two UsernameTokens", twice, "SecurityInvalid"),
        ("a derived key", derived, "SecurityUnsupported"),
        ("a nonce in hexadecimal", hex_nonce, "SecurityUnsupported"),
    ):
        yield Attack(name=name, expected=expected, make=lambda change=change: changed(Message.of().username(), change))
    yield Attack(
        name="a digest with the secret of another",
        expected="SecurityFailed",
        make=lambda: Message.of().username(secret=b"guess").bytes(),
    )
    yield Attack(
        name="a digest an hour old",
        expected="SecurityExpired",
        make=lambda: Message.of().username(created=moment(NOW - timedelta(hours=1))).bytes(),
    )
    yield Attack(
        name="a digest at the end of time",
        expected="SecurityExpired",
        make=lambda: Message.of().username(created="9999-12-31T23:59:59Z").bytes(),
    )
    yield Attack(
        name="a digest with an old Timestamp beside it",
        expected="SecurityExpired",
        make=lambda: Message.of().timestamp(NOW - timedelta(hours=1)).username().bytes(),
    )
    yield Attack(
        name="a text password without TLS",
        expected="SecurityUnencrypted",
        make=lambda: Message.of().text_username().bytes(),
    )
    yield Attack(
        name="a wrong text password over TLS",
        expected="SecurityFailed",
        make=lambda: Message.of().text_username(secret="guess").bytes(),
        options={"encrypted": True},
    )
    yield Attack(
        name="the digest of before as a text password",
        expected="SecurityFailed",
        make=digest_as_text,
        options={"encrypted": True},
    )
    yield Attack(
        name="a username of one beside a signature of another",
        expected="SecurityFailed",
        make=lambda: Message.of().timestamp().username().sign(signer("bravo")).bytes(),
        keys=two_owners,
    )
    yield Attack(
        name="a good signature beside a wrong password",
        expected="SecurityFailed",
        make=lambda: Message.of().timestamp().username(secret=b"guess").sign(signer()).bytes(),
    )
    yield Attack(name="nothing in Security", expected="SecurityInvalid", make=lambda: Message.of().bytes())
    yield Attack(
        name="a Timestamp alone in Security", expected="SecurityInvalid", make=lambda: Message.of().timestamp().bytes()
    )


def digest_as_text() -> bytes:
    message = Message.of().username()
    message.security[0][1].set("Type", PASSWORD_DIGEST.replace("Digest", "Text"))
    return message.bytes()


def two_owners() -> Keys:
    keys = Keys.of(signer())
    keys.found += Keys.of(signer("bravo"), owner="bravo").found
    return keys


FAMILIES = {
    "wrapping": wrapping,
    "exclusion": exclusion,
    "duplicates": duplicates,
    "algorithms": algorithms,
    "shapes": shapes,
    "bombs": bombs,
    "keys": keys,
    "times": times,
    "passwords": passwords,
}
