"""What is not looked through for what means absent would have been refused with the same words all the same."""

from copy import deepcopy
from random import Random

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soap import load_contract
from soap.contract import Operation
from soap.errors import SoapError
from soap.names import XSI, Version
from soap.normalise import Taken, could_mean_absent, normalise
from soap.schema import ComplexType
from soap.validate import Validator

NIL = f"{{{XSI}}}nil"
VALUES = {"boolean": "true", "dateTime": "2026-01-01T00:00:00Z", "base64Binary": "AAAA", "string": "abc"}
SALES = load_contract("v1/sales.wsdl")
DEPOT = load_contract("v1/depot.wsdl")
VALIDATORS = {contract.namespace: Validator(contract.schemas[contract.namespace]) for contract in (SALES, DEPOT)}
OPERATIONS = [operation for contract in (SALES, DEPOT) for operation in contract.operations.values()]


def built(type_: ComplexType, element: etree._Element, random: Random) -> None:
    """Fill an element with what its type says, optional things in one of three cases left out."""
    for field in type_.fields:
        most = random.choice((1, 2, 3)) if field.many else 1
        for _ in range(random.choice((0, most, most)) if field.optional else most):
            child = etree.SubElement(element, field.tag)
            if isinstance(field.type, ComplexType):
                built(field.type, child, random)
            else:
                child.text = VALUES.get(field.type.built_in, "1")


def emptied(element: etree._Element) -> None:
    del element[:]
    element.text = None


def changed_inside(element: etree._Element, random: Random) -> None:
    match random.randrange(5):
        case 0:
            emptied(element)
        case 1:
            element.set(NIL, random.choice(("true", "false", "1", "0", "x")))
        case 2:
            emptied(element)
            element.set(NIL, "true")
        case 3:
            element.text = random.choice((" ", "z", ""))
        case 4:
            element.set(random.choice((f"{{{Version.SOAP11}}}encodingStyle", "q", f"{{{XSI}}}type")), "s:x")


def changed_around(element: etree._Element, parent: etree._Element, random: Random) -> None:
    match random.randrange(5):
        case 0:
            element.addnext(deepcopy(element))
        case 1:
            name = random.choice(("other", "customer", "orderNumber", "license"))
            element.addprevious(etree.Element(f"{element.tag.partition('}')[0]}}}{name}"))
        case 2:
            element.tail = random.choice((" ", "z"))
        case 3:
            parent.remove(element)
        case 4:
            parent.insert(0, element)


def spoiled(root: etree._Element, random: Random) -> None:
    """Do to one element what clients and attackers do."""
    element = random.choice(list(root.iter()))
    parent = element.getparent()
    if parent is None or random.random() < 0.5:
        changed_inside(element, random)
    else:
        changed_around(element, parent, random)


def judged(operation: Operation, payload: etree._Element, *, always: bool) -> tuple[object, ...] | None:
    """Give what a message is refused with, None for one that is read; `always` looks through every one of them."""
    validator, taken = VALIDATORS[etree.QName(payload).namespace or ""], list[Taken]()
    if validator.valid(payload):
        return None
    wanted = always or could_mean_absent(validator.wrong(payload, operation.request), payload)
    if wanted and normalise(payload, operation.request, taken=taken) and validator.valid(payload):
        return None
    error: SoapError = validator.explain(payload, operation.request, taken=taken, found=not always)
    return error.code, error.message, error.path, error.line


@given(seed=st.integers(min_value=0))
@pytest.mark.examples
@settings(max_examples=examples(500))
def test_a_message_ends_as_if_every_message_were_looked_through(seed: int) -> None:
    random = Random(seed)
    operation = random.choice(OPERATIONS)
    root = etree.Element(operation.request_tag, nsmap={"s": str(etree.QName(operation.request_tag).namespace)})
    built(operation.request, root, random)
    for _ in range(random.randrange(5)):
        spoiled(root, random)
    data = etree.tostring(root)
    sent, again = etree.fromstring(data), etree.fromstring(data)
    assert judged(operation, sent, always=False) == judged(operation, again, always=True)
