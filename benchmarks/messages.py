"""The orders that the benchmarks send: one as fixed bytes, many that vary; and eight that no server may take."""

import random
import re
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
    """Give so many valid orders that differ in what differs between the orders of a shop, the same ones each time.

    That is transactionId, orderNumber, all of the customer but the language, and the quantities; so the lengths differ,
    too. Items and the number of lines do not.
    """
    chance = random.Random(1)
    return tuple(_varied(chance, number) for number in range(1, count + 1))


_VARYING = (
    *(TRANSACTION_ID, ORDER_NUMBER, b">Erika Mustermann<", b" Machines ", b".mustermann@", b">C-10042<"),
    *(b">5<", b">25<", b">1<"),
)
_ANY_VARYING = re.compile(b"|".join(map(re.escape, _VARYING)))


def _varied(chance: random.Random, number: int) -> bytes:
    customer = chance.randrange(1, 100_000)
    values = (
        str(UUID(int=chance.getrandbits(128), version=4)),
        f"SO-2026-{number:06}",
        f">Erika Mustermann {customer}<",
        f" Machines {customer % 997} ",
        f".mustermann.{customer}@",
        f">C-{customer}<",
        *(
            f">{quantity}<"
            for quantity in (chance.randrange(1, 10), chance.randrange(10, 1_000), chance.randrange(1, 100))
        ),
    )
    in_its_place = {text: value.encode() for text, value in zip(_VARYING, values, strict=True)}
    return _ANY_VARYING.sub(lambda found: in_its_place[found.group()], CREATE_ORDER)
