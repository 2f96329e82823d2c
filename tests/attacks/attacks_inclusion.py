"""XInclude, schema locations, bases and links: whatever asks a parser to fetch something. Nothing is fetched."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, OUTSIDE, SALES, SECRET_FILE, Attack, around, both, envelope, order

from soap import Version

XI = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
INCLUDES = {
    "a file as text": f'<xi:include {XI} parse="text" href="file://{SECRET_FILE}"/>',
    "a file as XML": f'<xi:include {XI} href="file://{SECRET_FILE}"/>',
    "HTTP": f'<xi:include {XI} href="http://{OUTSIDE}/{CANARY}"/>',
    "itself": f'<xi:include {XI} href="" xpointer="xpointer(/)"/>',
    "with a fallback": f'<xi:include {XI} href="none"><xi:fallback>{CANARY}</xi:fallback></xi:include>',
    "of the namespace before": '<xi:include xmlns:xi="http://www.w3.org/2003/XInclude" href="x"/>',
}
MANY = " ".join(f"urn:{n} http://{OUTSIDE}/{n}" for n in range(200))
LOCATIONS = {
    "HTTP": f'xsi:schemaLocation="{SALES} http://{OUTSIDE}/{CANARY}.xsd"',
    "a file": f'xsi:schemaLocation="{SALES} file://{SECRET_FILE}"',
    "another namespace": f'xsi:schemaLocation="urn:{CANARY} http://{OUTSIDE}/{CANARY}.xsd"',
    "no namespace": f'xsi:noNamespaceSchemaLocation="http://{OUTSIDE}/{CANARY}.xsd"',
    "an odd number of names": f'xsi:schemaLocation="{SALES}"',
    "many": f'xsi:schemaLocation="{MANY}"',
}
SCHEMA = (
    f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{SALES}">'
    f'<xs:import namespace="urn:x" schemaLocation="http://{OUTSIDE}/{CANARY}.xsd"/></xs:schema>'
)


def _declared(text: str, version: Version) -> str:
    return envelope(order(transaction="located"), version=version, declared=f" {text}")


def attacks() -> Iterator[Attack]:
    for name, include in INCLUDES.items():
        yield from both(f"XInclude: {name}, in a value", "SchemaViolation", order(transaction=include))
        yield from both(f"XInclude: {name}, in the Body", "OperationUnknown", include)
        yield from both(f"XInclude: {name}, in the Header", "", order(transaction="included"), header=include)
    must = f'<xi:include {XI} e:mustUnderstand="1" href="http://{OUTSIDE}/{CANARY}"/>'
    yield from both("XInclude that must be understood", "NotUnderstood", order(), header=must)
    yield from around("XInclude as the document", "VersionMismatch", lambda _: INCLUDES["HTTP"])
    for name, location in LOCATIONS.items():
        yield from around(f"location: {name}, at the Envelope", "", partial(_declared, location))
        yield from both(
            f"location: {name}, at the operation", "", order(transaction="located", attributes=f" {location}")
        )
    yield from both(
        "a location at a value",
        "",
        f"{order(transaction='located')}".replace("<s:transactionId>", f"<s:transactionId {LOCATIONS['HTTP']}>"),
    )
    yield from both("a schema in the Header", "", order(transaction="schema"), header=SCHEMA)
    yield from both("a schema in the message", "SchemaViolation", order(middle=SCHEMA))
    yield from both(
        "a type that is not of the contract", "SchemaViolation", order(attributes=f' xsi:type="s:{CANARY}"')
    )
    yield from both("a type without a namespace", "SchemaViolation", order(attributes=f' xsi:type="{CANARY}:x"'))
    yield from both(
        "another type of the contract", "SchemaViolation", order(attributes=' xsi:type="s:GetOrderRequest"')
    )
    yield from both("a base at the operation", "SchemaViolation", order(attributes=f' xml:base="http://{OUTSIDE}/"'))
    yield from around("a base at the Envelope", "", partial(_declared, f'xml:base="http://{OUTSIDE}/"'))
    link = f' xmlns:l="http://www.w3.org/1999/xlink" l:href="http://{OUTSIDE}/" l:actuate="onLoad"'
    yield from both("a link at the operation", "SchemaViolation", order(attributes=link))
    yield from both("a reference as rpc/encoded has it", "SchemaViolation", order(middle='<s:customer href="#1"/>'))
