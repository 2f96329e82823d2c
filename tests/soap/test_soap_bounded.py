"""Of a large message that is not valid as little is validated as tells what is wrong, and the same is told."""

import random
from collections.abc import Callable

import pytest
from lxml import etree

from soap import load_contract
from soap.schema import ComplexType
from soap.validate import LARGE, Validator

CONTRACT = load_contract("v1/sales.wsdl")
NAMESPACE = CONTRACT.namespace
TYPE = CONTRACT.operations["CreateOrders"].request
LINE = "<orderLine><itemNumber>EDITOR</itemNumber><quantity>1</quantity></orderLine>"


def orders(count: int, *, of: Callable[[int], str] = lambda _: LINE * 3) -> str:
    each = (f"<order><transactionId>t{number}</transactionId>{of(number)}</order>\n" for number in range(count))
    return f'<CreateOrders xmlns="{NAMESPACE}">\n{"".join(each)}</CreateOrders>'


@pytest.fixture
def validator() -> Validator:
    return Validator(CONTRACT.schemas[NAMESPACE])


def told(validator: Validator, text: str, *, size: int) -> tuple[str, str, int | None] | None:
    """Give what is told of a message of so many bytes; the tree must be the same afterwards."""
    element = etree.fromstring(text)
    if validator.valid_of(element, TYPE, size=size):
        return None
    assert etree.tostring(element) == etree.tostring(etree.fromstring(text))
    error = validator.explain(element, TYPE, found=True)
    return error.message, error.path or "", error.line


WRONG: dict[str, Callable[[int], str]] = {
    "each value": lambda _: LINE.replace(">1<", ">x<") * 3,
    "each attribute": lambda _: LINE.replace("<orderLine>", '<orderLine a="" b="">').replace("y>1", 'y a="">1') * 3,
    "each text": lambda _: "x".join([LINE] * 4),
    "each inside": lambda _: LINE.replace(">1<", "><x/><") * 3,
    "each nil": lambda _: LINE.replace("<quantity>", '<quantity nil="1" xmlns="urn:a">') * 3,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_large_message_that_is_wrong_everywhere_has_few_errors_and_the_first_is_told(
    validator: Validator, wrong: str
) -> None:
    text = orders(900, of=WRONG[wrong])
    whole = told(validator, text, size=0)
    assert len(validator._schema().error_log) > 800
    assert told(validator, text, size=len(text)) == whole is not None
    assert len(validator._schema().error_log) < 700


@pytest.mark.parametrize("seed", range(30))
def test_what_is_told_of_a_large_message_is_what_is_told_of_it_whole(validator: Validator, seed: int) -> None:
    rng = random.Random(seed)
    text = orders(300)
    for _ in range(rng.choice((0, 1, 2, 20))):
        at = rng.choice([place for place, mark in enumerate(text) if mark == ">" and place > 100])
        piece = rng.choice(
            ("<x/>", "x", "<order/>", "<orderLine/>", "<x><y/>z</x>", "<transactionId>a</transactionId>")
        )
        text = f"{text[: at + 1]}{piece}{text[at + 1 :]}"
    try:
        etree.fromstring(text)
    except etree.XMLSyntaxError:
        return
    assert len(text) > LARGE
    assert told(validator, text, size=len(text)) == told(validator, text, size=0)


def test_a_large_message_is_not_validated_beyond_its_first_error(validator: Validator) -> None:
    text = orders(900, of=lambda number: (LINE if number < 450 else "<x/>") * 3)
    assert told(validator, text, size=len(text)) == told(validator, text, size=0)
    told(validator, text, size=len(text))
    assert len(validator._schema().error_log) < 300


def test_a_list_that_no_message_may_have_is_told_where_it_becomes_too_long(validator: Validator) -> None:
    text = orders(1_700)
    whole = told(validator, text, size=0)
    assert whole is not None
    assert whole[1] == "CreateOrders/order[1001]"
    assert told(validator, text, size=len(text)) == whole


def test_what_follows_where_no_list_ends_is_lost_and_never_makes_a_message_valid(validator: Validator) -> None:
    element = etree.fromstring(orders(5_000))
    assert not validator.valid_of(element, TYPE, size=LARGE + 1)
    assert len(element) == 2 * 1_000 + 1
    assert not validator.valid(element)


def test_the_most_children_are_those_of_the_longest_list_and_what_stands_beside_it() -> None:
    line = next(type_ for type_ in CONTRACT.schema.complex_types if type_.name == "OrderLine")
    assert isinstance(line, ComplexType)
    assert line.most_children == 384 + len(line.fields) - 1
    assert TYPE.most_children == 1_000
    listed = next(type_ for type_ in CONTRACT.schema.complex_types if type_.name == "OrderBatch")
    assert listed.most_children is None
