"""Names that are huge, odd, or not names: a name is kept for as long as a process lives, and stands in every tag."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, Attack, both, order

LENGTHS = (257, 1_000, 49_999, 50_001, 120_000)
ODD = {
    "a digit in front": "<1a/>",
    "a hyphen in front": "<-a/>",
    "a space in front": "< a/>",
    "two colons": "<a:b:c/>",
    "a colon alone": "<:/>",
    "a colon at the end": "<s:/>",
    "a colon in front": "<:s/>",
    "a sign in it": "<a$b/>",
    "a slash in it": "<a/b/>",
    "an entity in it": "<a&amp;b/>",
    "a control character in it": "<a\x01b/>",
    "a character beyond the first plane of old": "<a\U00010400/>",
    "an attribute without a value": "<a b/>",
    "an attribute without quotes": "<a b=c/>",
    "an attribute with a tag in it": '<a b="<"/>',
    "attributes that touch": '<a b=""c=""/>',
}


def _element(length: int) -> str:
    return f"<{'n' * length}/>"


def _attribute(length: int) -> str:
    return f'<x {"n" * length}="1"/>'


def _prefix(length: int) -> str:
    return f'<{"n" * length}:x xmlns:{"n" * length}="urn:x"/>'


def _namespace(length: int) -> str:
    return f'<x xmlns="{"n" * length}"/>'


def _local(length: int) -> str:
    return order(middle=f"<s:{'n' * length}/>")


def attacks() -> Iterator[Attack]:
    for length in LENGTHS:
        for kind, make in (
            ("an element", _element),
            ("an attribute", _attribute),
            ("a prefix", _prefix),
            ("a namespace", _namespace),
            ("an element of the message", _local),
        ):
            if length * (4 if kind == "a prefix" else 1) < 240_000:
                yield from both(f"a name of {length} bytes: {kind}", "TooComplex", partial(make, length))
    yield from both("a name of 90 characters and 270 bytes", "TooComplex", f"<{chr(0x4E00) * 90}/>")
    yield from both("a name as long as may be", "OperationUnknown", _element(256))
    yield from both(
        "thousands of names as long as may be", "EnvelopeInvalid", lambda: "".join(f"<n{n:0250}/>" for n in range(900))
    )
    yield from both("an operation by another letter", "OperationUnknown", "<s:CreateOrd\u0435r/>")
    yield from both("an operation in other letters", "OperationUnknown", "<s:createorder/>")
    yield from both("an operation in no namespace", "OperationUnknown", "<CreateOrder/>")
    yield from both("an operation of another service", "OperationUnknown", '<GetTicket xmlns="urn:opendepot:depot:1"/>')
    yield from both(
        "an operation of the Admin interface", "OperationUnknown", '<CreateShop xmlns="urn:opendepot:admin:1"/>'
    )
    yield from both("a method that Python has", "OperationUnknown", "<s:__class__/>")
    yield from both("an element that Python has", "SchemaViolation", order(middle=f"<s:__init__>{CANARY}</s:__init__>"))
    for name, element in ODD.items():
        code = "OperationUnknown" if "first plane" in name else "Malformed"
        yield from both(f"no name: {name}", code, element)
