from collections.abc import Callable

import pytest
from lxml import etree

from soap import ContractError, Engine, load_contract
from soap.messages import sales
from soap.normalise import needless, normalise
from soap.schema import ComplexType, read_schema
from soap.validate import Validator
from xmlgate import Limits

SchemaText = Callable[..., str]

KINDS = {
    "string": ("t:Text", "abc"),
    "int": ("xs:int", "5"),
    "boolean": ("xs:boolean", "true"),
    "dateTime": ("xs:dateTime", "2026-01-31T12:00:00Z"),
    "base64Binary": ("xs:base64Binary", "QUJD"),
    "complex": ("t:Inner", "<t:a>1</t:a>"),
    "texts": ("t:Texts", "<t:a>x</t:a>"),
}
FORMS = {
    "nil": '<t:{n} xsi:nil="true"/>',
    "nil as 1": '<t:{n} xsi:nil=" 1 "/>',
    "nil and white space": '<t:{n} xsi:nil="true">\n \t</t:{n}>',
    "nil and xsi:type": '<t:{n} xsi:nil="true" xsi:type="{t}"/>',
    "nil and content": '<t:{n} xsi:nil="true">{v}</t:{n}>',
    "nil and an attribute": '<t:{n} xsi:nil="true" a="1"/>',
    "nil of no meaning": '<t:{n} xsi:nil="maybe"/>',
    "not nil, with content": '<t:{n} xsi:nil="false">{v}</t:{n}>',
    "not nil as 0, with content": '<t:{n} xsi:nil="0">{v}</t:{n}>',
    "not nil, empty": '<t:{n} xsi:nil="false"/>',
    "empty": "<t:{n}/>",
    "empty with xsi:type": '<t:{n} xsi:type="{t}"/>',
    "empty with an attribute": '<t:{n} a="1"/>',
    "empty with an attribute of ours": '<t:{n} t:a="1"/>',
    "white space": "<t:{n}> \n</t:{n}>",
    "no-break space": "<t:{n}>\u00a0</t:{n}>",
    "content": "<t:{n}>{v}</t:{n}>",
    "content with an attribute": '<t:{n} a="1">{v}</t:{n}>',
}
GONE, KEPT, FAULT = "absent", "kept", "fault"

OPTIONAL = {
    "nil": GONE,
    "nil as 1": GONE,
    "nil and white space": GONE,
    "nil and xsi:type": GONE,
    "nil and content": FAULT,
    "nil and an attribute": FAULT,
    "nil of no meaning": FAULT,
    "not nil, with content": KEPT,
    "not nil as 0, with content": KEPT,
    "not nil, empty": FAULT,
    "empty": FAULT,
    "empty with xsi:type": FAULT,
    "empty with an attribute": FAULT,
    "empty with an attribute of ours": FAULT,
    "white space": FAULT,
    "no-break space": FAULT,
    "content": KEPT,
    "content with an attribute": FAULT,
}
"""What becomes of each form on an optional element, unless its kind says otherwise."""

OF_KIND = {
    # Empty is empty, whatever xsi says of it.
    "string": {
        "nil of no meaning": GONE,
        "not nil, empty": GONE,
        "empty": GONE,
        "empty with xsi:type": GONE,
        "white space": KEPT,
        "no-break space": KEPT,
    },
    # What must hold a number could mean "all" when it is lost.
    "complex": {},
    "texts": {
        "nil of no meaning": GONE,
        "not nil, empty": GONE,
        "empty": GONE,
        "empty with xsi:type": GONE,
        "white space": GONE,
    },
    # No bytes at all are a value of this type; the no-break space is left to the decoder, which refuses it.
    "base64Binary": {
        "not nil, empty": KEPT,
        "empty": KEPT,
        "empty with xsi:type": KEPT,
        "white space": KEPT,
        "no-break space": KEPT,
    },
    "int": {},
    "boolean": {},
    "dateTime": {},
}


class Subject:
    """A wrapper type that has every kind once optional and once required."""

    def __init__(self, schema_text: SchemaText) -> None:
        fields = "".join(
            f'<xs:element name="r{kind}" type="{type_}"/><xs:element name="o{kind}" type="{type_}" minOccurs="0"/>'
            for kind, (type_, _) in KINDS.items()
        )
        fields += "".join(
            f'<xs:element name="m{kind}" type="{type_}" minOccurs="0" maxOccurs="9"/>'
            for kind, (type_, _) in KINDS.items()
        )
        fields += '<xs:element name="several" type="t:Several" minOccurs="0"/>'
        root = etree.fromstring(
            schema_text(
                f'<xs:element name="W" type="t:Ask"/><xs:complexType name="Ask"><xs:sequence>{fields}</xs:sequence>'
                '</xs:complexType><xs:complexType name="Inner"><xs:sequence><xs:element name="a" type="xs:int"/>'
                '<xs:element name="b" type="t:Text" minOccurs="0"/></xs:sequence></xs:complexType>'
                '<xs:complexType name="Texts"><xs:sequence><xs:element name="a" type="t:Text"/>'
                '<xs:element name="b" type="xs:int" minOccurs="0"/></xs:sequence></xs:complexType>'
                '<xs:complexType name="Several"><xs:sequence><xs:element name="a" type="t:Text" maxOccurs="9"/>'
                "</xs:sequence></xs:complexType>"
                '<xs:simpleType name="Text"><xs:restriction base="xs:string"><xs:minLength value="1"/>'
                "</xs:restriction></xs:simpleType>"
            )
        )
        self.type: ComplexType = read_schema(root).elements["W"]
        self.validator = Validator(root)

    def wrapper(self, replaced: dict[str, str], *, attributes: str = "", last: str = "") -> etree._Element:
        """A valid wrapper with its required elements, some elements written as given."""
        content = "".join(
            replaced.get(f"r{kind}", f"<t:r{kind}>{value}</t:r{kind}>") + replaced.get(f"o{kind}", "")
            for kind, (_, value) in KINDS.items()
        )
        content += "".join(replaced.get(f"m{kind}", "") for kind in KINDS) + replaced.get("several", "")
        return etree.fromstring(
            '<t:W xmlns:t="urn:t" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            f' xmlns:xs="http://www.w3.org/2001/XMLSchema" {attributes}>{content}{last}</t:W>'
        )

    def outcome(self, element: etree._Element, tag: str) -> str:
        """What the engine makes of an element: the order of its steps, and what is left under the tag."""
        if not self.validator.valid(element):
            normalise(element, self.type, taken=[])
        if not self.validator.valid(element):
            return FAULT
        return GONE if element.find(f"{{urn:t}}{tag}") is None else KEPT


@pytest.fixture(scope="module")
def subject(schema_text: SchemaText) -> Subject:
    return Subject(schema_text)


def _form(form: str, name: str, kind: str) -> str:
    type_, value = KINDS[kind]
    return FORMS[form].format(n=name, t=type_, v=value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_rule_r10_on_an_optional_element(kind: str, form: str, subject: Subject) -> None:
    element = subject.wrapper({f"o{kind}": _form(form, f"o{kind}", kind)})

    assert subject.outcome(element, f"o{kind}") == OF_KIND[kind].get(form, OPTIONAL[form])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_rule_r10_makes_no_required_element_absent(kind: str, form: str, subject: Subject) -> None:
    expected = OF_KIND[kind].get(form, OPTIONAL[form])
    element = subject.wrapper({f"r{kind}": _form(form, f"r{kind}", kind)})

    assert subject.outcome(element, f"r{kind}") == (FAULT if expected == GONE else expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_rule_r10_makes_no_undeclared_element_absent(kind: str, form: str, subject: Subject) -> None:
    element = subject.wrapper({}, last=_form(form, "undeclared", kind))

    assert subject.outcome(element, "undeclared") == FAULT


@pytest.mark.parametrize("form", FORMS)
def test_rule_r10_makes_no_element_of_another_namespace_absent(form: str, subject: Subject) -> None:
    text = _form(form, "ostring", "string").replace("t:ostring", "ostring")

    assert subject.outcome(subject.wrapper({"ostring": text}), "ostring") == FAULT


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('xsi:nil="true"', FAULT),
        ('xsi:nil="false"', KEPT),
        ('xsi:nil="0" xsi:type="t:Ask"', KEPT),
        ('xsi:nil="0" a="1"', FAULT),
    ],
)
def test_a_wrapper_with_content_is_not_nil(attributes: str, expected: str, subject: Subject) -> None:
    assert subject.outcome(subject.wrapper({}, attributes=attributes), "rint") == expected


@pytest.mark.parametrize("attributes", ['xsi:nil="true"', 'xsi:nil="1"', 'xsi:nil="false"', ""])
def test_nil_on_an_empty_wrapper_means_an_empty_wrapper(attributes: str) -> None:
    contract = load_contract("v1/sales.wsdl")
    listing = contract.operations["ListItems"].request
    element = etree.fromstring(
        '<m:ListItems xmlns:m="urn:opendepot:sales:1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f" {attributes}>\n</m:ListItems>"
    )

    assert normalise(element, listing, taken=[]) is bool(attributes)
    assert not element.attrib


@pytest.mark.parametrize("beside", ["nothing", "another entry"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_rule_r10_makes_no_entry_of_a_list_absent(kind: str, form: str, beside: str, subject: Subject) -> None:
    expected = OF_KIND[kind].get(form, OPTIONAL[form])
    others = "" if beside == "nothing" else _form("content", f"m{kind}", kind)
    element = subject.wrapper({f"m{kind}": others + _form(form, f"m{kind}", kind)})

    assert subject.outcome(element, f"m{kind}") == (FAULT if expected == GONE else expected)


def test_rule_r10_does_not_make_absent_what_must_hold_a_list(subject: Subject) -> None:
    assert subject.outcome(subject.wrapper({"several": "<t:several/>"}), "several") == FAULT
    assert subject.outcome(subject.wrapper({"several": '<t:several xsi:nil="true"/>'}), "several") == GONE


def test_the_inner_elements_of_a_complex_one_are_made_absent_first(subject: Subject) -> None:
    within = subject.wrapper({"ocomplex": "<t:ocomplex><t:a>1</t:a><t:b/></t:ocomplex>"})
    alone = subject.wrapper({"otexts": '<t:otexts><t:b xsi:nil="true"/></t:otexts>'})
    beside_required = subject.wrapper({"ocomplex": "<t:ocomplex><t:a/><t:b/></t:ocomplex>"})

    assert subject.outcome(within, "ocomplex") == KEPT
    assert subject.outcome(within, "ocomplex/{urn:t}b") == GONE
    assert subject.outcome(alone, "otexts") == GONE
    assert subject.outcome(beside_required, "ocomplex") == FAULT


def test_a_string_of_spaces_means_the_same_whatever_stands_beside_it(subject: Subject) -> None:
    element = subject.wrapper({"ostring": "<t:ostring>  </t:ostring>", "oint": '<t:oint xsi:nil="true"/>'})

    assert subject.outcome(element, "ostring") == KEPT
    assert element.findtext("{urn:t}ostring") == "  "


@pytest.mark.parametrize("again", ["<t:ostring/>", '<t:ostring xsi:nil="true"/>'])
def test_what_says_twice_that_it_is_absent_is_a_fault(again: str, subject: Subject) -> None:
    assert subject.outcome(subject.wrapper({"ostring": "<t:ostring/>"}), "ostring") == GONE
    assert subject.outcome(subject.wrapper({"ostring": "<t:ostring/>" + again}), "ostring") == FAULT


@pytest.mark.parametrize("tail", ["x", "\u00a0"])
def test_text_behind_an_element_that_means_absent_is_still_refused(tail: str, subject: Subject) -> None:
    assert subject.outcome(subject.wrapper({"ostring": f"<t:ostring/>{tail}"}), "ostring") == FAULT
    assert subject.outcome(subject.wrapper({"ostring": f'<t:ostring xsi:nil="true"/>{tail}'}), "ostring") == FAULT


def test_a_message_that_needs_nothing_is_not_changed(subject: Subject) -> None:
    element = subject.wrapper({f"o{kind}": f"<t:o{kind}>{value}</t:o{kind}>" for kind, (_, value) in KINDS.items()})
    before = etree.tostring(element)

    assert normalise(element, subject.type, taken=[]) is False
    assert etree.tostring(element) == before


def test_what_could_be_sent_empty_and_still_be_valid_is_named(schema_text: SchemaText) -> None:
    schema = read_schema(
        etree.fromstring(
            schema_text(
                '<xs:complexType name="T"><xs:sequence><xs:element name="bare" type="xs:string" minOccurs="0"/>'
                '<xs:element name="loose" type="t:Loose" minOccurs="0"/><xs:element name="firm" type="t:Firm"'
                ' minOccurs="0"/><xs:element name="needed" type="xs:string"/><xs:element name="number" type="xs:int"'
                ' minOccurs="0"/></xs:sequence></xs:complexType><xs:complexType name="Loose"><xs:sequence>'
                '<xs:element name="a" type="xs:int" minOccurs="0"/></xs:sequence></xs:complexType>'
                '<xs:complexType name="Firm"><xs:sequence><xs:element name="a" type="xs:int"/><xs:element name="b"'
                ' type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>'
            )
        )
    )

    assert needless(schema.complex_types[0]) == ["T.bare", "T.loose", "T.Firm.b"]


def test_an_engine_does_not_start_on_such_a_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soap.engine.needless", lambda type_: ["T.bare"] if type_.name == "GetOrderRequest" else [])

    with pytest.raises(ContractError, match=r"sent empty and still be valid \(rule R10\): T\.bare$"):
        Engine(load_contract("v1/sales.wsdl"), sales, limits=Limits(), validate_answers=True)
