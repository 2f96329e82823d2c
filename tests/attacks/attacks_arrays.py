"""Array bombs: many items, huge counts, huge numbers, binary values that are none or large."""

from collections.abc import Iterator

from attack_cases import CANARY, DEPOT, SALES, TICKET, Attack, Text, both, order, text_of

LINE = "<s:orderLine><s:itemNumber>EDITOR</s:itemNumber><s:quantity>1</s:quantity></s:orderLine>"
ENCODED = 'xmlns:c="http://schemas.xmlsoap.org/soap/encoding/"'
NUMBERS: dict[str, Text] = {
    "one more than may be": "1000001",
    "nothing of it": "0",
    "less than nothing": "-1",
    "the most of 32 bits and one": "2147483648",
    "the most of 64 bits and one": "9223372036854775808",
    "a number of 5,000 digits": "9" * 5_000,
    "a number of 200,000 digits": lambda: "9" * 200_000,
    "200,000 zeros in front": lambda: "0" * 200_000 + "1",
    "empty": "",
}
DEPOT_NS = f'xmlns="{DEPOT}"'


def orders(count: int, inner: str) -> str:
    return f"<s:CreateOrders>{f'<s:order>{inner}</s:order>' * count}</s:CreateOrders>"


def _inner(transaction: str, lines: str) -> str:
    return f"<s:transactionId>{transaction}</s:transactionId>{lines}"


def _update(context: str) -> str:
    return f"<GetLicenseUpdate {DEPOT_NS}><ticket>{TICKET}</ticket><context>{context}</context></GetLicenseUpdate>"


def _depot(name: str, code: str, body: Text) -> Iterator[Attack]:
    yield from both(name, code, body, service="depot")


def attacks() -> Iterator[Attack]:
    for count in (101, 2_000, 2_500):
        yield from both(f"{count} lines in an order", "SchemaViolation", lambda c=count: order(lines=LINE * c))
    for name, number in NUMBERS.items():
        yield from both(f"quantity: {name}", "SchemaViolation", lambda n=number: order(quantity=text_of(n)))
    field = "<s:data><s:kind>Secret</s:kind><s:number>1</s:number><s:value>AAAA</s:value></s:data>"
    for count in (385, 3_000):
        yield from both(
            f"{count} fields of data in a line",
            "SchemaViolation",
            lambda c=count: order(lines=LINE.replace("</s:orderLine>", field * c + "</s:orderLine>")),
        )
    yield from both(
        "a field of data twice",
        "DataInvalid",
        order(lines=LINE.replace("</s:orderLine>", field * 2 + "</s:orderLine>")),
    )
    yield from both(
        "a field of data of 200,000 bytes",
        "DataInvalid",
        lambda: order(lines=LINE.replace("</s:orderLine>", field.replace("AAAA", "A" * 240_000) + "</s:orderLine>")),
    )
    yield from both(
        "an array of SOAP encoding",
        "SchemaViolation",
        order(attributes=f' {ENCODED} c:arrayType="s:CreateOrder[2147483647]"'),
    )
    yield from both(
        "an array of 99 dimensions", "SchemaViolation", order(attributes=f' {ENCODED} c:arrayType="s:x{"[999]" * 99}"')
    )
    yield from both(
        "a size of SOAP 1.2 encoding",
        "SchemaViolation",
        order(attributes=' xmlns:c="http://www.w3.org/2003/05/soap-encoding" c:arraySize="2147483647 * 2147483647"'),
    )
    yield from both(
        "an encoding style",
        "EncodingStyleUnknown",
        order(attributes=' e:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'),
    )
    yield from both("two operations", "EnvelopeInvalid", order() * 2)
    yield from both("thousands of operations", "EnvelopeInvalid", lambda: order() * 1_000)
    yield from both("1,001 orders", "SchemaViolation", lambda: orders(1_001, _inner("t", LINE)))
    yield from both(
        "as many orders as go into the body of one", "SchemaViolation", lambda: orders(1_200, _inner(CANARY, LINE))
    )
    yield from both("an order in CreateOrders that is none", "SchemaViolation", orders(1, "<s:other/>"))
    yield from both("no order in CreateOrders", "SchemaViolation", "<s:CreateOrders/>")
    yield from both("a large message of another operation", "TooLarge", lambda: order(transaction="x" * 300_000))
    yield from both("a large message of none", "TooLarge", lambda: f"<{CANARY}>{'x' * 300_000}</{CANARY}>")
    yield from both(
        "CreateOrders in the Header of a large message",
        "TooLarge",
        lambda: order(transaction="x" * 300_000),
        header="<s:CreateOrders/>",
    )
    yield from both("a large message that is no XML", "TooLarge", lambda: "<" * 300_000)
    yield from both("a large message with a doctype inside", "TooLarge", lambda: "<!DOCTYPE a>" + "x" * 300_000)
    yield from _depots()


def _depots() -> Iterator[Attack]:
    yield from _depot(
        "21 tickets", "SchemaViolation", f"<GetTicket {DEPOT_NS}>{f'<ticket>{TICKET}</ticket>' * 21}</GetTicket>"
    )
    yield from _depot(
        "9,000 tickets",
        "SchemaViolation",
        lambda: f"<GetTicket {DEPOT_NS}>{f'<ticket>{TICKET[:9]}</ticket>' * 9_000}</GetTicket>",
    )
    yield from _depot(
        "one ticket 20 times", "TicketUnknown", f"<GetTicket {DEPOT_NS}>{f'<ticket>{TICKET}</ticket>' * 20}</GetTicket>"
    )
    for name, context, code in (
        ("no base64", "@@@@", "SchemaViolation"),
        ("base64 of a wrong length", "AAA", "SchemaViolation"),
        ("base64 with padding in the middle", "AA==AAAA", "SchemaViolation"),
        ("empty", "", "ContextRefused"),
        ("URL-safe base64", "-_-_", "SchemaViolation"),
        ("what is no context", "AAAA", "ContextRefused"),
    ):
        yield from _depot(f"context: {name}", code, _update(context))
    yield from _depot("a context of 190,000 bytes", "ContextRefused", lambda: _update("A" * 250_000))
    yield from _depot("a context of spaces between letters", "ContextRefused", lambda: _update("A A A A " * 30_000))
    yield from _depot(
        "a receipt that is none",
        "ContextRefused",
        lambda: f"<ConfirmLicenseUpdate {DEPOT_NS}><receipt>{'A' * 250_000}</receipt></ConfirmLicenseUpdate>",
    )
    yield from _depot("an order at the Depot", "OperationUnknown", f'<CreateOrder xmlns="{SALES}"/>')
