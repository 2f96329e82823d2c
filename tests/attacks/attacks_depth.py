"""Coercive parsing: documents that are deep, that never end, or that end what they did not begin."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, Attack, around, both, envelope, order

from soap import Version

DEPTHS = (33, 64, 128, 254, 255, 256, 257, 1_000, 9_000)
OPEN = (200, 256, 1_000, 10_000, 18_000)


def _nested(count: int, *, name: str = "x") -> str:
    return f"<{name}>" * count + f"</{name}>" * count


def _requalified(count: int) -> str:
    """Each level in a namespace of its own, under the same prefix."""
    return "".join(f'<a:x xmlns:a="urn:{n}">' for n in range(count)) + "</a:x>" * count


def _combs(count: int, depth: int) -> str:
    return (f"{_nested(depth)}") * count


def _never_closed(count: int, version: Version) -> str:
    return envelope("@", version=version).partition("@")[0] + f"<{CANARY}>" * count


def _only(text: str, version: Version) -> str:
    return text


def attacks() -> Iterator[Attack]:
    for depth in DEPTHS:
        yield from both(f"{depth} deep in the Body", "TooComplex", partial(_nested, depth))
        yield from both(f"{depth} deep in a value", "TooComplex", lambda d=depth: order(transaction=_nested(d)))
        yield from both(f"{depth} deep in the Header", "TooComplex", order(), header=partial(_nested, depth))
    for count in OPEN:
        code = "Malformed" if count < 256 else "TooComplex"
        yield from around(f"{count} elements that never end", code, partial(_never_closed, count))
    yield from both("deep, each level in another namespace", "TooComplex", partial(_requalified, 60))
    yield from both("deep behind much that is flat", "TooComplex", lambda: "<x/>" * 15_000 + _nested(40))
    yield from both("many that are as deep as may be", "EnvelopeInvalid", partial(_combs, 300, 30))
    yield from both("many that are one too deep", "TooComplex", partial(_combs, 300, 31))
    yield from around("an end without a beginning", "Malformed", partial(_only, "</a>"))
    yield from around("nothing but ends", "Malformed", partial(_only, "</a>" * 50_000))
    yield from around("nothing but beginnings of tags", "Malformed", partial(_only, "<" * 200_000))
    yield from around("nothing", "Malformed", partial(_only, ""))
    yield from around("nothing but spaces", "Malformed", partial(_only, " " * 250_000))
    yield from around(
        "an envelope in an envelope", "OperationUnknown", lambda v: envelope(envelope(order()), version=v)
    )
    yield from around("a second document behind", "Malformed", lambda v: envelope(order(), version=v) * 2)
    yield from around(
        "a tag that never ends",
        "Malformed",
        lambda v: f"{envelope('@', version=v).partition('@')[0]}<x {' ' * 200_000}",
    )
    yield from both("a value cut in its CDATA section", "Malformed", f"<x><![CDATA[{CANARY}</x>")
    yield from both("tags that cross", "Malformed", "<a><b></a></b>")
