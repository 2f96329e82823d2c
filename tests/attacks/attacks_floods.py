"""Floods: many attributes, namespaces, elements, pieces of text. What costs more than its length is refused."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, Attack, both, order

COUNTS = (65, 500, 2_000, 8_000)
ELEMENTS = 20_000


def _attributes(count: int) -> str:
    return "<x " + " ".join(f'{CANARY}{n}="1"' for n in range(count)) + "/>"


def _qualified(count: int) -> str:
    return "<x " + " ".join(f's:a{n}="1"' for n in range(count)) + "/>"


def _declared(count: int) -> str:
    return "<x " + " ".join(f'xmlns:p{n}="urn:{CANARY}:{n}"' for n in range(count)) + "/>"


def _many(count: int, inner: str) -> str:
    return inner * count


def attacks() -> Iterator[Attack]:
    for count in COUNTS:
        yield from both(f"{count} attributes", "TooComplex", partial(_attributes, count))
        yield from both(f"{count} attributes in a namespace", "TooComplex", partial(_qualified, count))
        yield from both(f"{count} namespaces", "TooComplex", partial(_declared, count))
        yield from both(f"{count} attributes in the Header", "TooComplex", order(), header=partial(_attributes, count))
    yield from both(
        "namespaces over several levels",
        "TooComplex",
        lambda: _declared(31)[:-2] + ">" + _declared(30)[:-2].replace("xmlns:p", "xmlns:q") + "></x></x>",
    )
    for per in (1, 20, 60):
        name = f"{per} attributes on each of thousands"
        yield from both(name, "EnvelopeInvalid", lambda p=per: _attributes(p) * (120_000 // len(_attributes(p))))
    yield from both("60 namespaces on each of thousands", "EnvelopeInvalid", lambda: _declared(55) * 90)
    for count in (ELEMENTS, ELEMENTS + 1, 50_000):
        yield from both(f"{count} elements", "TooComplex", partial(_many, count, "<x/>"))
    yield from both("as many elements as may be", "EnvelopeInvalid", partial(_many, ELEMENTS - 2, "<x/>"))
    yield from both(
        "a flood of elements that are optional and empty",
        "SchemaViolation",
        lambda: order(transaction="customers", middle="<s:customer/>" * 15_000),
    )
    yield from both(
        "a flood of elements that are optional and empty behind others",
        "SchemaViolation",
        lambda: order(lines="<s:orderLine/>" * 8_000 + "<s:customer/>" * 8_000),
    )
    yield from both(
        "a flood of elements of the contract",
        "SchemaViolation",
        lambda: order(middle="<s:customer>x</s:customer>" * 9_000),
    )
    yield from both("a flood of header blocks", "", order(transaction="blocks"), header=partial(_many, 15_000, "<x/>"))
    yield from both(
        "a flood of header blocks that must be understood",
        "NotUnderstood",
        order(),
        header=lambda: "".join(f'<x{n} xmlns="urn:x" e:mustUnderstand="1"/>' for n in range(3_000)),
    )
    yield from both("a flood of comments in a value", "", lambda: order(transaction="a" + "<!---->" * 35_000))
    yield from both("a flood of comments outside", "", lambda: "<!--x-->" * 25_000 + order(transaction="comments"))
    yield from both("a flood of CDATA sections", "SchemaViolation", lambda: order(transaction="<![CDATA[a]]>" * 18_000))
    yield from both("a flood of empty CDATA sections", "", lambda: order(transaction="b" + "<![CDATA[]]>" * 18_000))
    yield from both("a long value", "SchemaViolation", lambda: order(transaction="v" * 250_000))
    yield from both(
        "a long value of an attribute", "SchemaViolation", lambda: order(attributes=f' a="{"v" * 250_000}"')
    )
    yield from both("a value of equals signs", "SchemaViolation", lambda: order(transaction="=" * 250_000))
    yield from both("a value that names namespaces", "SchemaViolation", lambda: order(transaction="xmlns" * 50_000))
    yield from both("a long value of white space", "SchemaViolation", lambda: order(quantity=" " * 250_000))
    yield from both("much white space between elements", "", lambda: order(transaction="white", middle="\n" * 250_000))
    yield from both("text between all elements", "SchemaViolation", lambda: order(middle=f"{CANARY}<s:x/>" * 15_000))
    yield from both("an attribute twice", "Malformed", '<x a="1" a="2"/>')
    yield from both(
        "an attribute twice under two prefixes", "Malformed", '<x xmlns:p="u" xmlns:q="u" p:a="1" q:a="2"/>'
    )
    yield from both("a prefix that is not declared", "Malformed", f"<{CANARY}:x/>")
    yield from both("the prefix xmlns as an element", "Malformed", "<xmlns:x/>")
    yield from both("the prefix xml bound to another name", "Malformed", '<x xmlns:xml="urn:x"/>')
    yield from both("a prefix that is undeclared again", "Malformed", '<p:x xmlns:p="urn:x"><p:y xmlns:p=""/></p:x>')
