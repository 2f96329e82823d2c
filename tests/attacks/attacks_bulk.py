"""Bulk: CreateOrders, whose messages may be eight times as large as others, and which anybody can name."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from attack_cases import CANARY, Attack, Text, both, text_of

LINE = "<s:orderLine><s:itemNumber>EDITOR</s:itemNumber><s:quantity>1</s:quantity></s:orderLine>"
MOST = 640 * 1024
USUAL = 256 * 1024


def _orders(inner: Text) -> str:
    """Write CreateOrders, with spaces where it would be no larger than what others may be."""
    made = text_of(inner)
    return f"<s:CreateOrders>{made}</s:CreateOrders>{' ' * (USUAL - len(made))}"


def _order(number: int, inner: str) -> str:
    return f"<s:order><s:transactionId>bulk-{number}</s:transactionId>{inner}</s:order>"


def _many(count: int, inner: str, last: str) -> str:
    return "".join(_order(number, inner) for number in range(count)) + last


def _case(name: str, code: str, inner: Text) -> Iterator[Attack]:
    for attack in both(name, code, partial(_orders, inner)):
        yield replace(attack, bulk=True)
    if code != "TooLarge":
        soap11, _ = both(f"{name}, of a stranger", "NotIdentified", partial(_orders, inner), identified=False)
        yield soap11


def attacks() -> Iterator[Attack]:
    full = MOST - 2_000
    yield from _case("1,001 orders", "SchemaViolation", partial(_many, 1_001, LINE * 3, ""))
    yield from _case(
        "as many elements as may be, the last one wrong",
        "SchemaViolation",
        partial(_many, 999, LINE * 5, "<s:order/>"),
    )
    absent = _order(0, f"<s:orderNumber/>{LINE}")
    yield from _case(
        "something absent first, as many elements as may be, and the last one wrong",
        "SchemaViolation",
        lambda: absent + _many(998, LINE * 5, "<s:order/>"),
    )
    yield from _case("more elements than may be", "TooComplex", lambda: "<s:order/>" * 20_000)
    yield from _case("elements that are none of the contract's", "SchemaViolation", lambda: "<s:other/>" * 19_900)
    yield from _case(
        "elements that are optional and empty", "SchemaViolation", lambda: _order(1, "<s:customer/>" * 19_900)
    )
    yield from _case(
        "one long value", "SchemaViolation", lambda: _order(1, f"<s:orderNumber>{'v' * full}</s:orderNumber>")
    )
    yield from _case("not closed at the end", "Malformed", lambda: "<s:order>" * 1 + f"{'v' * full}")
    yield from _case("comments", "SchemaViolation", lambda: "<!---->" * (full // 7))
    yield from _case("references", "SchemaViolation", lambda: "&lt;" * (full // 4))
    yield from _case("a value that names namespaces", "SchemaViolation", lambda: "xmlns" * (full // 5))
    yield from _case(
        "a number without end", "SchemaViolation", lambda: _order(1, LINE.replace(">1<", f">{'9' * full}<"))
    )
    yield from _case(
        "attributes", "TooComplex", lambda: ("<s:order " + " ".join(f'a{n}=""' for n in range(60)) + "/>") * 1_100
    )
    yield from _case("a document beyond the limit", "TooLarge", lambda: "v" * (MOST + 1))
    yield from _case(f"a doctype behind {CANARY}", "Malformed", lambda: "v" * full + "<!DOCTYPE a>")
