"""The WS-I Basic Profiles (1.1, 1.2, 2.0) on descriptions: each WSDL, flattened and with its schemas apart.

`docs/reference/conformance.md` names the requirements by their numbers.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from message_values import SERVICES
from xmlschema.extras.wsdl import Wsdl11Document

import wsdl
from soap import flattened_wsdl, load_contract
from soap.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD

ADDRESS = "https://licences.example/v1/service"
W, XS, S11, S12 = (f"{{{namespace}}}" for namespace in (WSDL, XSD, WSDL_SOAP11, WSDL_SOAP12))
ENCODED = "http://schemas.xmlsoap.org/soap/encoding/"
HTTP = "http://schemas.xmlsoap.org/soap/http"


@dataclass(frozen=True)
class Description:
    """A WSDL document as a client gets it, and its schemas by namespace."""

    data: bytes
    root: etree._Element
    schemas: dict[str, etree._Element]

    def names(self, kind: str) -> list[str]:
        return [str(node.get("name")) for node in self.root.iterfind(f"{W}{kind}")]


@pytest.fixture(scope="session", params=[(name, kind) for name in SERVICES for kind in ("flattened", "apart")], ids=str)
def description(request: pytest.FixtureRequest) -> Description:
    name, kind = request.param
    contract = load_contract(f"v1/{name}.wsdl")
    data = flattened_wsdl(contract, address=ADDRESS) if kind == "flattened" else wsdl.read(f"v1/{name}.wsdl")
    return Description(data, etree.fromstring(data), dict(contract.schemas))


def _resolved(node: etree._Element, attribute: str) -> tuple[str, str]:
    prefix, _, local = str(node.get(attribute)).rpartition(":")
    return str(node.nsmap[prefix or None]), local


def test_documents_are_xml_10_in_utf_8_without_a_mark(description: Description) -> None:
    assert re.match(rb"<\?xml version=['\"]1\.0['\"] encoding=['\"]utf-8['\"]\?>", description.data)
    assert b"xmlns:xml=" not in description.data
    assert b"<!DOCTYPE" not in description.data
    description.data.decode("utf-8")


def test_schemas_are_imported_only_in_types_and_only_schemas(description: Description) -> None:
    assert not list(description.root.iter(f"{W}import"))
    for node in description.root.iter(f"{XS}import"):
        schema = node.getparent()
        assert schema is not None
        assert (schema.tag, schema.getparent().tag) == (f"{XS}schema", f"{W}types")
        found = etree.fromstring(wsdl.read(f"v1/{node.get('schemaLocation')}"))
        assert (found.tag, found.get("targetNamespace")) == (f"{XS}schema", node.get("namespace"))


def test_every_schema_has_a_target_namespace_unless_it_only_imports(description: Description) -> None:
    for schema in description.root.iterfind(f"{W}types/{XS}schema"):
        only_imports = {child.tag for child in schema} <= {f"{XS}import", f"{XS}annotation"}
        assert only_imports or schema.get("targetNamespace")


def test_the_parts_of_definitions_stand_in_their_order(description: Description) -> None:
    order = [f"{W}{kind}" for kind in ("documentation", "types", "message", "portType", "binding", "service")]
    found = [order.index(str(child.tag)) for child in description.root.iterchildren(etree.Element)]

    assert found == sorted(found)
    for node in description.root.iter(f"{W}documentation"):
        assert node.getparent().index(node) == 0


def test_nothing_is_required_that_is_no_wsdl(description: Description) -> None:
    known = {WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD}

    assert not [node for node in description.root.iter() if f"{W}required" in node.attrib]
    assert {etree.QName(node).namespace for node in description.root.iter(etree.Element)} == known


def test_every_name_that_is_referred_to_is_declared(description: Description) -> None:
    namespace = str(description.root.get("targetNamespace"))
    for kind, attribute, declared in (("input", "message", "message"), ("output", "message", "message")):
        for node in description.root.iter(f"{W}{kind}"):
            if node.get(attribute):
                assert _resolved(node, attribute) in {(namespace, n) for n in description.names(declared)}
    for node in description.root.iterfind(f"{W}binding"):
        assert _resolved(node, "type") in {(namespace, name) for name in description.names("portType")}
    for node in description.root.iterfind(f"{W}service/{W}port"):
        assert _resolved(node, "binding") in {(namespace, name) for name in description.names("binding")}
    for node in description.root.iterfind(f"{W}message/{W}part"):
        space, local = _resolved(node, "element")
        assert description.schemas[space].find(f"{XS}element[@name='{local}']") is not None


def test_types_have_nothing_of_soaps_encoding(description: Description) -> None:
    assert ENCODED.encode() not in description.data
    assert b"arrayType" not in description.data
    for schema in description.schemas.values():
        assert not [name for name in _names(schema) if name.startswith("ArrayOf")]


def _names(root: etree._Element) -> Iterator[str]:
    return (str(node.get("name")) for node in root.iter(etree.Element) if node.get("name"))


def test_messages_of_bodies_headers_and_faults_have_one_part_that_is_an_element(description: Description) -> None:
    for message in description.root.iterfind(f"{W}message"):
        (part,) = message.iterfind(f"{W}part")
        assert part.get("element")
        assert part.get("type") is None
        assert re.fullmatch(r"[\w.-]+", str(part.get("name")))


def test_operations_answer_or_are_one_way_and_have_names_of_their_own(description: Description) -> None:
    operations = description.root.findall(f"{W}portType/{W}operation")

    assert max(Counter(node.get("name") for node in operations).values()) == 1
    for node in operations:
        kinds = [etree.QName(child).localname for child in node if child.tag != f"{W}documentation"]
        assert [kind for kind in kinds if kind != "fault"] in (["input", "output"], ["input"])
        assert node.get("parameterOrder") is None


@pytest.mark.parametrize("soap", [S11, S12], ids=["soap11", "soap12"])
def test_a_binding_is_document_literal_over_http(soap: str, description: Description) -> None:
    (binding,) = description.root.iter(f"{soap}binding")

    assert (binding.get("transport"), binding.get("style")) == (HTTP, "document")
    for node in description.root.iter(f"{soap}operation"):
        assert node.get("style", "document") == "document"
    for kind in ("body", "header", "fault"):
        for node in description.root.iter(f"{soap}{kind}"):
            assert node.get("use") == "literal"
            assert {"namespace", "encodingStyle", "parts"}.isdisjoint(node.attrib)


@pytest.mark.parametrize("soap", [S11, S12], ids=["soap11", "soap12"])
def test_a_binding_binds_every_operation_with_every_fault_by_name(soap: str, description: Description) -> None:
    (port_type,) = description.root.iterfind(f"{W}portType")
    (holder,) = (node.getparent() for node in description.root.iter(f"{soap}binding"))
    assert holder is not None
    bound = {str(node.get("name")): node for node in holder.iterfind(f"{W}operation")}

    assert bound.keys() == {node.get("name") for node in port_type.iterfind(f"{W}operation")}
    for declared in port_type.iterfind(f"{W}operation"):
        faults = {node.get("name") for node in declared.iterfind(f"{W}fault")}
        found = bound[str(declared.get("name"))]
        assert {node.get("name") for node in found.iterfind(f"{W}fault")} == faults
        assert {node.get("name") for node in found.iter(f"{soap}fault")} == faults
        for node in found.iterfind(f"{W}fault"):
            assert [child.get("name") for child in node] == [node.get("name")]


@pytest.mark.parametrize("soap", [S11, S12], ids=["soap11", "soap12"])
def test_what_a_message_is_tells_its_operation_and_its_action_is_quoted_whole(
    soap: str, description: Description
) -> None:
    parts = {str(m.get("name")): _resolved(m[-1], "element") for m in description.root.iterfind(f"{W}message")}
    inputs = [
        parts[_resolved(node, "message")[1]] for node in description.root.iterfind(f"{W}portType/{W}operation/{W}input")
    ]
    actions = [str(node.get("soapAction")) for node in description.root.iter(f"{soap}operation")]

    assert len(set(inputs)) == len(inputs)
    assert len(set(actions)) == len(actions) == len(inputs)
    assert all(action.startswith("urn:") for action in actions)


def test_no_two_ports_of_one_version_have_one_address(description: Description) -> None:
    for soap in (S11, S12):
        found = [node.get("location") for node in description.root.iter(f"{soap}address")]
        assert len(found) == 1


def test_header_blocks_are_declared_by_message_and_part(description: Description) -> None:
    parts = {(m.get("name"), p.get("name")) for m in description.root.iterfind(f"{W}message") for p in m}
    for node in description.root.iter(f"{S11}header", f"{S12}header"):
        assert (_resolved(node, "message")[1], node.get("part")) in parts
        assert not len(node)


def test_the_document_is_valid_against_the_schema_of_wsdl(description: Description, tmp_path: Path) -> None:
    root: Any = etree.fromstring(description.data)
    for node in [*root.iterfind(f"{W}binding"), *root.iterfind(f"{W}service/{W}port")]:
        if str(node.get("name")).endswith("Soap12"):  # a version that this reader does not know
            node.getparent().remove(node)
    for node in root.iter(f"{XS}import"):
        (tmp_path / node.get("schemaLocation")).write_bytes(wsdl.read(f"v1/{node.get('schemaLocation')}"))
    (tmp_path / "service.wsdl").write_bytes(etree.tostring(root))
    document = Wsdl11Document(str(tmp_path / "service.wsdl"))

    assert len(document.port_types) == 1
