from lxml import etree

from soap.names import Version
from soap.place import local_name, path_of


def _root(text: str) -> etree._Element:
    return etree.fromstring(text)


def test_a_path_outside_an_envelope_begins_at_the_root() -> None:
    root = _root("<order><line/><line><quantity/></line></order>")

    assert path_of(root[1][0]) == "order/line[2]/quantity"


def test_a_path_inside_an_envelope_begins_at_the_child_of_the_body() -> None:
    for version in Version:
        root = _root(f'<s:Envelope xmlns:s="{version}"><s:Body><order><line/></order></s:Body></s:Envelope>')
        assert path_of(root[0][0][0]) == "order/line"
        assert path_of(root[0][0]) == "order"


def test_a_body_inside_the_payload_does_not_cut_the_path() -> None:
    root = _root(
        f'<s:Envelope xmlns:s="{Version.SOAP12}"><s:Body><order><s:Body><x/></s:Body></order></s:Body></s:Envelope>'
    )

    assert path_of(root[0][0][0][0]) == "order/Body/x"


def test_only_elements_of_the_very_same_name_are_twins() -> None:
    root = _root('<a xmlns:p="urn:p"><b/><p:b/><b/></a>')

    assert [path_of(child) for child in root] == ["a/b[1]", "a/b", "a/b[2]"]


def test_the_namespace_is_no_part_of_a_name() -> None:
    assert local_name(_root('<p:a xmlns:p="urn:p"/>')) == "a"
    assert local_name(_root("<a/>")) == "a"
