from collections.abc import Callable

import pytest
from lxml import etree

from soap import ContractError
from soap.schema import BUILT_IN, ComplexType, SimpleType, documentation, read_schema, snake

SchemaText = Callable[..., str]

THING = (
    '<xs:complexType name="Thing"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType>'
)


def _field(declaration: str) -> str:
    return f'<xs:complexType name="T"><xs:sequence>{declaration}</xs:sequence></xs:complexType>'


REFUSED = {
    "a global element of a simple type": ('<xs:element name="e" type="xs:string"/>', "must have a complex type"),
    "a global element without type": ('<xs:element name="e"/>', "no named type"),
    "a type of a built-in that is not used": (_field('<xs:element name="a" type="xs:decimal"/>'), "xs:decimal"),
    "a type that is nowhere": (_field('<xs:element name="a" type="t:Nowhere"/>'), "no type Nowhere"),
    "a type of another namespace": (_field('<xs:element name="a" type="other:T"/>'), "of another namespace"),
    "a type of an undeclared prefix": (_field('<xs:element name="a" type="nobody:T"/>'), "of another namespace"),
    "a type without prefix": (_field('<xs:element name="a" type="T"/>'), "of another namespace"),
    "a type that contains itself": (_field('<xs:element name="a" type="t:T"/>'), "contains itself"),
    "a reference to an element": (_field('<xs:element ref="t:e"/>'), "no named type|ref is not allowed"),
    "a type without name": (
        _field('<xs:element name="a"><xs:complexType><xs:sequence/></xs:complexType></xs:element>'),
        "no named type",
    ),
    "nillable": (_field('<xs:element name="a" type="xs:string" nillable="true"/>'), "nillable is not allowed"),
    "nillable said to be off": (_field('<xs:element name="a" type="xs:string" nillable="false"/>'), "nillable"),
    "a default": (_field('<xs:element name="a" type="xs:string" default="x"/>'), "default is not allowed"),
    "a fixed value": (_field('<xs:element name="a" type="xs:string" fixed="x"/>'), "fixed is not allowed"),
    "a form of its own": (_field('<xs:element name="a" type="xs:string" form="unqualified"/>'), "form"),
    "a choice": ('<xs:complexType name="T"><xs:choice/></xs:complexType>', "must be one sequence"),
    "a choice in a sequence": (_field("<xs:choice/>"), "only elements may stand in a sequence"),
    "any": (_field("<xs:any/>"), "only elements may stand in a sequence"),
    "a group": (_field('<xs:group ref="t:g"/>'), "only elements may stand in a sequence"),
    "all": ('<xs:complexType name="T"><xs:all/></xs:complexType>', "must be one sequence"),
    "an empty complex type": ('<xs:complexType name="T"/>', "must be one sequence"),
    "an attribute": (
        '<xs:complexType name="T"><xs:sequence/><xs:attribute name="a" type="xs:string"/></xs:complexType>',
        "must be one sequence",
    ),
    "an extension": (
        '<xs:complexType name="T"><xs:complexContent><xs:extension base="t:U"/></xs:complexContent></xs:complexType>',
        "must be one sequence",
    ),
    "mixed content": ('<xs:complexType name="T" mixed="true"><xs:sequence/></xs:complexType>', "mixed is not allowed"),
    "an abstract type": ('<xs:complexType name="T" abstract="true"><xs:sequence/></xs:complexType>', "abstract"),
    "an abstract element": (f'{THING}<xs:element name="e" type="t:Thing" abstract="true"/>', "abstract"),
    "a substitution group": (f'{THING}<xs:element name="e" type="t:Thing" substitutionGroup="t:f"/>', "substitution"),
    "a nillable wrapper": (f'{THING}<xs:element name="e" type="t:Thing" nillable="true"/>', "nillable"),
    "a repeated sequence": (
        '<xs:complexType name="T"><xs:sequence maxOccurs="2"/></xs:complexType>',
        "maxOccurs is not allowed",
    ),
    "an optional sequence": (
        '<xs:complexType name="T"><xs:sequence minOccurs="0"/></xs:complexType>',
        "minOccurs is not allowed",
    ),
    "a restriction of a type of ours": (
        '<xs:simpleType name="A"><xs:restriction base="t:B"/></xs:simpleType>',
        "must restrict a built-in",
    ),
    "a restriction of a namesake of a built-in": (
        '<xs:simpleType name="A"><xs:restriction base="t:string"/></xs:simpleType>',
        "must restrict a built-in",
    ),
    "a restriction without base": ('<xs:simpleType name="A"><xs:restriction/></xs:simpleType>', "must restrict"),
    "a list": ('<xs:simpleType name="A"><xs:list itemType="xs:int"/></xs:simpleType>', "must restrict a built-in"),
    "a union": ('<xs:simpleType name="A"><xs:union memberTypes="xs:int"/></xs:simpleType>', "must restrict"),
    "a final type": (
        '<xs:simpleType name="A" final="#all"><xs:restriction base="xs:int"/></xs:simpleType>',
        "final is not allowed",
    ),
    "an include": ('<xs:include schemaLocation="x.xsd"/>', "xs:include is not allowed"),
    "a redefine": ('<xs:redefine schemaLocation="x.xsd"/>', "xs:redefine is not allowed"),
    "a global attribute": ('<xs:attribute name="a"/>', "xs:attribute is not allowed"),
    "a global group": ('<xs:group name="g"/>', "xs:group is not allowed"),
    "two elements of one name": (
        _field('<xs:element name="a" type="xs:string"/><xs:element name="a" type="xs:int"/>'),
        "names of their own in Python",
    ),
    "two elements of one Python name": (
        _field('<xs:element name="orderID" type="xs:string"/><xs:element name="orderId" type="xs:int"/>'),
        "names of their own in Python",
    ),
    "a keyword of Python": (_field('<xs:element name="from" type="xs:string"/>'), "names of their own in Python"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_leaves_the_allowed_subset_is_a_contract_error(case: str, schema_text: SchemaText) -> None:
    components, reason = REFUSED[case]

    with pytest.raises(ContractError, match=reason):
        read_schema(etree.fromstring(schema_text(components)))


@pytest.mark.parametrize("form", ["", 'elementFormDefault="unqualified"'])
def test_a_schema_must_qualify_its_elements(form: str, schema_text: SchemaText) -> None:
    with pytest.raises(ContractError, match="urn:t: elementFormDefault must be qualified"):
        read_schema(etree.fromstring(schema_text(THING, form=form)))


def test_an_error_names_the_line_and_the_component(schema_text: SchemaText) -> None:
    with pytest.raises(ContractError, match="xs:element a, line 3: nillable"):
        read_schema(etree.fromstring(schema_text("\n\n" + _field('<xs:element name="a" nillable="true"/>'))))


def test_the_allowed_subset_becomes_tables_in_document_order(schema_text: SchemaText) -> None:
    schema = read_schema(
        etree.fromstring(
            schema_text(
                "<!-- a note --><xs:annotation><xs:documentation>All.</xs:documentation></xs:annotation>"
                '<xs:import namespace="urn:other"/>'
                '<xs:element name="Ask" type="t:AskRequest"/>'
                '<xs:complexType name="AskRequest"><xs:annotation><xs:documentation> Two\n words. </xs:documentation>'
                '</xs:annotation><!-- a note --><xs:sequence><!-- a note --><xs:element name="someName" type="t:Name">'
                "<xs:annotation><xs:documentation>A name.</xs:documentation></xs:annotation></xs:element>"
                '<xs:element name="inner" type="t:Inner" minOccurs="0" maxOccurs="7"/></xs:sequence></xs:complexType>'
                '<xs:complexType name="Inner"><xs:sequence><xs:element name="at" type="xs:dateTime"/></xs:sequence>'
                '</xs:complexType><xs:simpleType name="Name"><xs:annotation><xs:documentation>1 to 9.'
                '</xs:documentation></xs:annotation><!-- a note --><xs:restriction base="xs:string">'
                '<xs:maxLength value="9"/></xs:restriction></xs:simpleType>'
            )
        )
    )

    ask, inner = schema.complex_types
    assert schema.namespace == "urn:t"
    assert schema.elements == {"Ask": ask}
    assert (ask.name, ask.documentation, inner.name) == ("AskRequest", "Two words.", "Inner")
    name, repeated = ask.fields
    assert (name.name, name.attribute, name.tag, name.documentation) == (
        "someName",
        "some_name",
        "{urn:t}someName",
        "A name.",
    )
    assert name.type == SimpleType(
        name="Name", built_in="string", documentation="1 to 9.", facets=(("maxLength", "9"),)
    )
    assert (name.optional, name.many, repeated.optional, repeated.many) == (False, False, True, True)
    assert repeated.type is inner


@pytest.mark.parametrize("built_in", sorted(BUILT_IN))
def test_each_built_in_says_in_words_what_it_allows(built_in: str, schema_text: SchemaText) -> None:
    schema = read_schema(etree.fromstring(schema_text(_field(f'<xs:element name="a" type="xs:{built_in}"/>'))))

    found = schema.complex_types[0].fields[0].type
    assert isinstance(found, SimpleType)
    assert found.built_in == built_in
    assert found.documentation.endswith(".")


def test_a_default_namespace_may_stand_for_either_namespace(schema_text: SchemaText) -> None:
    ours = etree.fromstring(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:t" targetNamespace="urn:t"'
        ' elementFormDefault="qualified"><xs:element name="E" type="T"/><xs:complexType name="T"><xs:sequence/>'
        "</xs:complexType></xs:schema>"
    )
    theirs = etree.fromstring(
        '<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t"'
        ' elementFormDefault="qualified"><element name="E" type="t:T"/><complexType name="T"><sequence>'
        '<element name="a" type="t:A"/></sequence></complexType><simpleType name="A"><restriction base="int"/>'
        "</simpleType></schema>"
    )

    assert read_schema(ours).elements["E"] == ComplexType(name="T", fields=(), documentation="")
    assert read_schema(theirs).elements["E"].fields[0].type == SimpleType(name="A", built_in="int", documentation="")


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("orderId", "order_id"), ("ticket", "ticket"), ("nextPageToken", "next_page_token"), ("a2B", "a2_b")],
)
def test_names_become_names_of_python(name: str, attribute: str) -> None:
    assert snake(name) == attribute


def test_a_component_without_documentation_has_an_empty_one(schema_text: SchemaText) -> None:
    assert documentation(etree.fromstring(schema_text(THING))) == ""
