import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from soap import ContractError, Version, load_contract
from soap.schema import read_schema
from soap.validate import _REASONS, _VALUE_REASONS, Validator

SchemaText = Callable[..., str]
Order = Callable[..., str]

OUT_OF_FORM = "Allowed: 1 to 100 visible ASCII characters without spaces; a UUID is a good choice."

LINE = "<m:orderLine><m:itemNumber>A</m:itemNumber><m:quantity>1</m:quantity></m:orderLine>"
DATA = "<m:data><m:kind>Open</m:kind><m:number>1</m:number><m:value>QQ==</m:value></m:data>"

# libxml2's name of the error, what makes it, the words, the path.
REACHED = {
    "SCHEMAV_CVC_PATTERN_VALID": (
        {"transaction": "<m:transactionId>a b</m:transactionId>"},
        f"the value does not have the required form. {OUT_OF_FORM}",
        "CreateOrder/transactionId",
    ),
    "SCHEMAV_CVC_MININCLUSIVE_VALID": (
        {"quantity": "<m:quantity>0</m:quantity>"},
        "the value is too small. Allowed: 1 to 1000000.",
        "CreateOrder/orderLine/quantity",
    ),
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": (
        {"quantity": "<m:quantity>1000001</m:quantity>"},
        "the value is too large. Allowed: 1 to 1000000.",
        "CreateOrder/orderLine/quantity",
    ),
    "SCHEMAV_CVC_MINLENGTH_VALID": (
        {"item": "<m:itemNumber/>"},
        "the value is too short. Allowed: 1 to 64 characters.",
        "CreateOrder/orderLine/itemNumber",
    ),
    "SCHEMAV_CVC_MAXLENGTH_VALID": (
        {"item": f"<m:itemNumber>{'x' * 65}</m:itemNumber>"},
        "the value is too long. Allowed: 1 to 64 characters.",
        "CreateOrder/orderLine/itemNumber",
    ),
    "SCHEMAV_CVC_ENUMERATION_VALID": (
        {"line": LINE.replace("</m:orderLine>", f"{DATA}</m:orderLine>")},
        "the value is none of those that are allowed. Allowed: A kind of data. One of: Protected, Hidden, Secret.",
        "CreateOrder/orderLine/data/kind",
    ),
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": (
        {"quantity": "<m:quantity>many</m:quantity>"},
        "the value is not of the required type. Allowed: 1 to 1000000.",
        "CreateOrder/orderLine/quantity",
    ),
    "SCHEMAV_CVC_TYPE_3_1_2": (
        {"transaction": "<m:transactionId>a<m:b/></m:transactionId>"},
        f"an element stands where a value is expected. {OUT_OF_FORM}",
        "CreateOrder/transactionId",
    ),
    "SCHEMAV_CVC_ELT_3_1": (
        {"quantity": '<m:quantity xsi:nil="true"/>'},
        "xsi:nil is not allowed here; leave the element out.",
        "CreateOrder/orderLine/quantity",
    ),
    "SCHEMAV_CVC_ELT_4_2": (
        {"quantity": '<m:quantity xsi:type="m:Unknown">1</m:quantity>'},
        "xsi:type names no known type; leave it out.",
        "CreateOrder/orderLine/quantity",
    ),
    "SCHEMAV_CVC_ELT_4_3": (
        {"quantity": '<m:quantity xsi:type="m:ItemNumber">1</m:quantity>'},
        "xsi:type names another type than the contract does; leave it out.",
        "CreateOrder/orderLine/quantity",
    ),
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": (
        {"middle": "text"},
        "there is text between elements.",
        "CreateOrder",
    ),
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": (
        {"attributes": ' a="1"'},
        "attributes are not allowed here.",
        "CreateOrder",
    ),
    "SCHEMAV_CVC_TYPE_3_1_1": (
        {"quantity": '<m:quantity a="1">1</m:quantity>'},
        "attributes are not allowed here.",
        "CreateOrder/orderLine/quantity",
    ),
}

ORDER = "orderNumber, originalOrderNumber, originalTicket, customer, orderLine"

# Structure, and what stands in no table: what makes it, the words, the path.
STRUCTURE = {
    "nothing in it": (
        {"transaction": "", "line": ""},
        "an element is missing after the last child; expected: transactionId.",
        "CreateOrder",
    ),
    "the last child missing": (
        {"line": ""},
        f"an element is missing after the last child; expected: {ORDER}.",
        "CreateOrder",
    ),
    "a child of a twin missing": (
        {"line": f"{LINE}<m:orderLine><m:itemNumber>A</m:itemNumber></m:orderLine>{LINE}"},
        "an element is missing after the last child; expected: quantity.",
        "CreateOrder/orderLine[2]",
    ),
    "an unknown element": (
        {"middle": "<m:color/>"},
        f"this element is not expected; expected: {ORDER}.",
        "CreateOrder/color",
    ),
    "the wrong order": (
        {"middle": f"{LINE}<m:orderNumber>1</m:orderNumber>", "line": ""},
        "this element is not expected here; check its name and its place.",
        "CreateOrder/orderNumber",
    ),
    "one too many": (
        {"line": LINE * 101},
        "this element is not expected here; check its name and its place.",
        "CreateOrder/orderLine[101]",
    ),
    "something after the end": (
        {"item": "<m:itemNumber>A</m:itemNumber>", "quantity": "<m:quantity>1</m:quantity><m:more/>"},
        "this element is not expected; expected: extendsLicenseId, containerSerial, data.",
        "CreateOrder/orderLine/more",
    ),
    "a child in no namespace": (
        {"transaction": '<transactionId xmlns="">t</transactionId>'},
        "this element must be in the namespace urn:opendepot:sales:1.",
        "CreateOrder/transactionId",
    ),
    "a child in another namespace where its twin may stand": (
        {"line": f"<h:orderLine/>{LINE}"},
        "this element must be in the namespace urn:opendepot:sales:1.",
        "CreateOrder/orderLine",
    ),
    "a child in another namespace behind its twin": (
        {"line": f"{LINE}<h:orderLine/>"},
        "this element must be in the namespace urn:opendepot:sales:1.",
        "CreateOrder/orderLine",
    ),
    "a child in another namespace": (
        {"quantity": "<h:quantity>1</h:quantity>"},
        "this element must be in the namespace urn:opendepot:sales:1.",
        "CreateOrder/orderLine/quantity",
    ),
    "an xsi:type that is no name": (
        {"quantity": '<m:quantity xsi:type="a b">1</m:quantity>'},
        "an attribute of xsi has no valid value; leave it out.",
        "CreateOrder/orderLine/quantity",
    ),
    "an xsi:type of an undeclared prefix": (
        {"attributes": ' xsi:type="nobody:T"'},
        "an attribute of xsi has no valid value; leave it out.",
        "CreateOrder",
    ),
    "an xsi:nil that is no boolean": (
        {"quantity": '<m:quantity xsi:nil="maybe">1</m:quantity>'},
        "an attribute of xsi has no valid value; leave it out.",
        "CreateOrder/orderLine/quantity",
    ),
}


def _unprefixed(text: str) -> str:
    """The same message as most clients write it: a default namespace, no prefixes of its own."""
    return (
        text.replace("<m:", "<")
        .replace("</m:", "</")
        .replace("<CreateOrder", '<CreateOrder xmlns="urn:opendepot:sales:1"', 1)
    )


@pytest.mark.parametrize("prefixed", [True, False], ids=["prefixed", "default namespace"])
@pytest.mark.parametrize("case", [*REACHED, *STRUCTURE])
def test_a_failure_is_told_by_words_path_and_line(case: str, prefixed: bool, shop: Any, order: Order) -> None:
    parts, words, path = (REACHED | STRUCTURE)[case]
    text = order(**parts)
    error = shop.refusal(shop.envelope("\n\n" + (text if prefixed else _unprefixed(text))))

    assert (error.code, error.version) == ("SchemaViolation", Version.SOAP11)
    assert (error.message, error.path, error.line) == (f"line 3: {words}", path, 3)


@pytest.mark.parametrize("name", REACHED)
def test_each_reason_is_that_of_the_error_it_is_named_for(name: str, shop: Any, order: Order) -> None:
    parts, _, _ = REACHED[name]
    payload = etree.fromstring(shop.envelope(order(**parts)))[0][0]
    schema = etree.XMLSchema(shop.contract.schemas[shop.contract.namespace])

    assert not schema.validate(payload)
    assert schema.error_log[0].type_name == name


def test_no_reason_is_there_that_no_message_can_reach() -> None:
    assert REACHED.keys() == _REASONS.keys() | _VALUE_REASONS.keys()


def test_the_line_is_that_of_the_element_at_fault(shop: Any, order: Order) -> None:
    text = order(
        transaction="\n<m:transactionId>t</m:transactionId>",
        line=f"\n{LINE}\n<m:orderLine>\n<m:itemNumber>A</m:itemNumber>\n<m:quantity>0</m:quantity>\n</m:orderLine>",
    )
    error = shop.refusal(shop.envelope(text))

    assert (error.line, error.path) == (6, "CreateOrder/orderLine[2]/quantity")


def test_mixed_prefixes_of_one_namespace_are_one_kind_of_twins(shop: Any, order: Order) -> None:
    other = LINE.replace("m:", "o:").replace("<o:orderLine>", '<o:orderLine xmlns:o="urn:opendepot:sales:1">')
    third = '<orderLine xmlns="urn:opendepot:sales:1"><itemNumber>A</itemNumber><quantity>x</quantity></orderLine>'
    error = shop.refusal(shop.envelope(order(line=LINE + other + third)))

    assert error.path == "CreateOrder/orderLine[3]/quantity"


def test_an_element_without_namespace_is_not_taken_for_its_namesake_with_one(shop: Any, order: Order) -> None:
    lines = '<orderLine xmlns="urn:opendepot:sales:1"><itemNumber>A</itemNumber><quantity>1</quantity></orderLine>' * 2
    error = shop.refusal(shop.envelope(order(line=f"{lines}<orderLine/>")))

    assert error.path == "CreateOrder/orderLine"


@pytest.mark.parametrize("length", range(90, 101))
@pytest.mark.parametrize("letter", ["a", "é", "中", "𐀀"])
def test_a_name_that_libxml2_cuts_short_ends_the_path_before_it(
    length: int, letter: str, shop: Any, order: Order
) -> None:
    name = "x" * length + letter * 20
    error = shop.refusal(shop.envelope(order(middle=f"<m:{name}/>")))

    assert (error.code, error.path) == ("SchemaViolation", "CreateOrder")


@pytest.mark.parametrize("length", range(90, 101))
def test_a_prefix_that_libxml2_cuts_short_ends_the_path_at_the_root(length: int, shop: Any) -> None:
    prefix = "p" * length + "é" * 5
    error = shop.refusal(
        shop.envelope(f'<{prefix}:ListItems xmlns:{prefix}="urn:opendepot:sales:1"><{prefix}:x/></{prefix}:ListItems>')
    )

    assert (error.code, error.path) == ("SchemaViolation", "ListItems")


def test_an_error_that_no_table_knows_is_told_without_its_message(schema_text: SchemaText) -> None:
    root = etree.fromstring(
        schema_text(
            '<xs:element name="E" type="t:T"/><xs:complexType name="T"><xs:sequence><xs:element name="a" type="t:A"/>'
            '</xs:sequence></xs:complexType><xs:simpleType name="A"><xs:restriction base="xs:string">'
            '<xs:length value="1"/></xs:restriction></xs:simpleType>'
        )
    )
    element = etree.fromstring('<E xmlns="urn:t"><a>Expected is ( secret ).</a></E>')
    validator = Validator(root)

    assert not validator.valid(element)
    error = validator.explain(element, read_schema(root).elements["E"], about="HeaderInvalid")
    assert (error.code, error.path, error.line) == ("HeaderInvalid", "E/a", 1)
    assert error.message == "line 1: the element does not keep to the schema."


def test_what_is_allowed_is_told_only_where_the_tables_know_the_element(schema_text: SchemaText) -> None:
    root = etree.fromstring(
        schema_text(
            '<xs:element name="E" type="t:T"/><xs:complexType name="T"><xs:sequence>'
            '<xs:element name="a" type="xs:int"/><xs:element name="b" type="t:U"/></xs:sequence></xs:complexType>'
            '<xs:complexType name="U"><xs:sequence/></xs:complexType>'
        )
    )
    tables = read_schema(root).elements["E"]
    element = etree.fromstring('<E xmlns="urn:t"><a>x</a></E>')

    assert Validator(root).explain(element, tables).message.endswith("Allowed: A whole number of 32 bits.")
    assert Validator(root).explain(element, tables.fields[1].type).message.endswith("not of the required type.")


def test_a_document_that_is_no_schema_stops_the_start(schema_text: SchemaText) -> None:
    with pytest.raises(ContractError, match=r"^schema urn:t: "):
        Validator(etree.fromstring(schema_text('<xs:element name="E" type="t:Nowhere"/>')))


def test_a_schema_location_in_a_message_loads_nothing(shop: Any, tmp_path: Path) -> None:
    extending = tmp_path / "more.xsd"
    extending.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:more">'
        '<xs:element name="x" type="xs:string"/><xs:complexType name="T"/></xs:schema>'
    )
    text = f'<m:ListItems xsi:schemaLocation="urn:more {extending.as_uri()}" xmlns:e="urn:more" {{}}/>'

    assert shop.read(shop.envelope(text.format(""))) == shop.messages.ListItemsRequest()
    error = shop.refusal(shop.envelope(text.format('xsi:type="e:T"')))
    assert error.message == "line 1: xsi:type names no known type; leave it out."


def test_each_thread_has_a_compiled_schema_of_its_own(shop: Any) -> None:
    validator = Validator(shop.contract.schemas[shop.contract.namespace])
    found: list[etree.XMLSchema] = [validator._schema(), validator._schema()]
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(validator._schema()))
        thread.start()
        thread.join()

    assert found[0] is found[1]
    assert len({id(schema) for schema in found}) == 3


def test_threads_that_refuse_at_once_never_mix_up_their_errors() -> None:
    contract = load_contract("v1/sales.wsdl")
    validator = Validator(contract.schemas[contract.namespace])
    listing = contract.operations["ListItems"].request
    allowed = "Allowed: A token that an answer gave. 1 to 200 characters."
    broken = {
        '<m:pageToken a="1">x</m:pageToken>': "attributes are not allowed here.",
        "<m:pageToken/>": f"the value is too short. {allowed}",
        f"<m:pageToken>{'x' * 201}</m:pageToken>": f"the value is too long. {allowed}",
        "text": "there is text between elements.",
    }
    together = threading.Barrier(len(broken))
    wrong: list[str] = []

    def refuse(content: str, words: str) -> None:
        element = etree.fromstring(f'<m:ListItems xmlns:m="urn:opendepot:sales:1">{content}</m:ListItems>')
        together.wait()
        for _ in range(1500):
            valid = validator.valid(element)
            message = validator.explain(element, listing).message
            if valid or message != f"line 1: {words}":
                wrong.append(message)

    threads = [threading.Thread(target=refuse, args=case) for case in broken.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
