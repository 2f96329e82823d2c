"""The orders that the benchmarks send: one as fixed bytes, many that vary; and eight that no server may take."""

import random
from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

CONTENT_TYPE = "text/xml; charset=utf-8"
SOAP_ACTION = '"urn:opendepot:sales:1/CreateOrder"'

CREATE_ORDER = b"""<?xml version="1.0" encoding="utf-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sales="urn:opendepot:sales:1">
  <soapenv:Body>
    <sales:CreateOrder>
      <sales:transactionId>5c1f7a52-8f0e-4d6b-9d0a-2b7b0a3f6c11</sales:transactionId>
      <sales:orderNumber>SO-2026-004711</sales:orderNumber>
      <sales:customer>
        <sales:name>Erika Mustermann</sales:name>
        <sales:company>Example Machines GmbH</sales:company>
        <sales:email>erika.mustermann@example.com</sales:email>
        <sales:customerNumber>C-10042</sales:customerNumber>
        <sales:language>de</sales:language>
      </sales:customer>
      <sales:orderLine><sales:itemNumber>CAD-PRO-24</sales:itemNumber><sales:quantity>5</sales:quantity></sales:orderLine>
      <sales:orderLine><sales:itemNumber>CAD-VIEW</sales:itemNumber><sales:quantity>25</sales:quantity></sales:orderLine>
      <sales:orderLine><sales:itemNumber>CAM-5X</sales:itemNumber><sales:quantity>1</sales:quantity></sales:orderLine>
    </sales:CreateOrder>
  </soapenv:Body>
</soapenv:Envelope>
"""
"""One SOAP 1.1 order of three lines with a customer and a number of its own; valid by `wsdl/v1/sales.xsd`."""

TRANSACTION_ID = b"5c1f7a52-8f0e-4d6b-9d0a-2b7b0a3f6c11"
ORDER_NUMBER = b"SO-2026-004711"
ITEMS = ("CAD-PRO-24", "CAD-VIEW", "CAM-5X")

_TRANSACTION_ID = b"<sales:transactionId>" + TRANSACTION_ID + b"</sales:transactionId>"
_ORDER_NUMBER = b"<sales:orderNumber>" + ORDER_NUMBER + b"</sales:orderNumber>"
_FIRST_LINE = CREATE_ORDER.index(b"<sales:orderLine>")
_END_OF_LINES = CREATE_ORDER.rindex(b"</sales:orderLine>") + len(b"</sales:orderLine>")


def _with(old: bytes, new: bytes) -> bytes:
    if CREATE_ORDER.count(old) != 1:
        raise AssertionError(f"the order must hold {old!r} exactly once")
    return CREATE_ORDER.replace(old, new)


BAD_REQUESTS: Mapping[str, bytes] = MappingProxyType(
    {
        "quantity 0": _with(b"<sales:quantity>5<", b"<sales:quantity>0<"),
        "id too long": _with(b"5c1f7a52-8f0e-4d6b-9d0a-2b7b0a3f6c11", b"5" * 101),
        "bad int": _with(b"<sales:quantity>5<", b"<sales:quantity>5x<"),
        "missing element": _with(_TRANSACTION_ID, b""),
        "no lines": CREATE_ORDER[:_FIRST_LINE] + CREATE_ORDER[_END_OF_LINES:],
        "wrong order": _with(_TRANSACTION_ID, b"").replace(_ORDER_NUMBER, _ORDER_NUMBER + _TRANSACTION_ID),
        "unknown element": _with(_ORDER_NUMBER, _ORDER_NUMBER + b"<sales:colour>red</sales:colour>"),
        "DTD": _with(
            b"<soapenv:Envelope ", b'<!DOCTYPE Envelope [<!ENTITY item "CAD-VIEW">]>\n<soapenv:Envelope '
        ).replace(b">CAD-VIEW<", b">&item;<"),
    }
)
"""The order, spoiled in one way each: what the schema forbids, and a document type (SOAP 1.1, section 3).

The document type declares an entity, which stands for an item number that the schema allows.
"""


def varied_orders(count: int) -> tuple[bytes, ...]:
    """Give so many valid orders that differ as the orders of a shop do, the same ones each time.

    Their transactions, numbers and quantities differ, and so do their customers, of whom not all have a company or a
    number and some are called by what must be escaped or is no ASCII; they have two to four lines, three as a rule.
    """
    chance = random.Random(1)
    return tuple(_varied(chance, number) for number in range(1, count + 1))


_START, _END = CREATE_ORDER[: CREATE_ORDER.index(_TRANSACTION_ID)], CREATE_ORDER[_END_OF_LINES:]
_COMPANIES = (
    *("Example Machines {} GmbH",) * 6,
    "Beispielmaschinen Köln {} GmbH",
    "Example Machines {} GmbH &amp; Co. KG",
)


def _varied(chance: random.Random, number: int) -> bytes:
    customer = chance.randrange(1, 100_000)
    fields = [("name", f"Erika Mustermann {customer}")]
    if chance.random() < 0.75:
        fields.append(("company", chance.choice(_COMPANIES).format(customer % 997)))
    fields.append(("email", f"erika.mustermann.{customer}@example.com"))
    if chance.random() < 0.75:
        fields.append(("customerNumber", f"C-{customer}"))
    fields.append(("language", chance.choice(("de", "de", "en", "fr"))))
    items = chance.choices(ITEMS, k=chance.choice((2, 3, 3, 3, 4)))
    lines = [
        _element("itemNumber", item) + _element("quantity", str(int(10 ** (3 * chance.random())))) for item in items
    ]
    order = [
        _element("transactionId", str(UUID(int=chance.getrandbits(128), version=4))),
        _element("orderNumber", f"SO-2026-{number:06}"),
        _element("customer", "".join(f"\n        {_element(name, text)}" for name, text in fields) + "\n      "),
        *(_element("orderLine", line) for line in lines),
    ]
    return _START + "\n      ".join(order).encode() + _END


def _element(name: str, content: str) -> str:
    return f"<sales:{name}>{content}</sales:{name}>"
