"""Rules R1 to R12 (design, section 4) against the files of the contract, for every service that the package holds."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xmlschema
import zeep
from lxml import etree
from xmlschema.extras.wsdl import Wsdl11Document

import wsdl
from soap import ENGINE_FAULTS, load_contract
from soap.names import HEADER, WSDL, WSDL_SOAP11, WSDL_SOAP12, XMIME, XSD
from soap.normalise import needless
from soap.schema import ComplexType, SimpleType, documentation

FOLDER = Path(wsdl.__file__).parent / "v1"
SERVICES = sorted(path.stem for path in FOLDER.glob("*.wsdl"))
SCHEMAS = [f"{name}.xsd" for name in [*SERVICES, "header"]]
FILES = [*SCHEMAS, *(f"{name}.wsdl" for name in SERVICES)]
ADDRESS = "https://licences.example/v1/service"
XS, W, S11, S12 = (f"{{{namespace}}}" for namespace in (XSD, WSDL, WSDL_SOAP11, WSDL_SOAP12))
VALUE_TYPES = {"int", "long", "boolean", "dateTime"}


def _tree(name: str) -> etree._Element:
    return etree.parse(FOLDER / name).getroot()


def _bare(qname: str | None) -> str:
    return str(qname).rpartition(":")[2]


def _components(root: etree._Element) -> Iterator[etree._Element]:
    yield from root.iter(f"{XS}element", f"{XS}complexType", f"{XS}simpleType")


def _body_names(name: str) -> Iterator[tuple[str, str]]:
    document = _tree(f"{name}.wsdl")
    for part in document.iterfind(f"{W}message/{W}part"):
        if part.get("name") != "OnBehalfOf":
            prefix, _, local = str(part.get("element")).partition(":")
            yield str(part.nsmap[prefix]), local


def test_the_rules_are_checked_on_all_services() -> None:
    assert {"sales", "depot"} <= set(SERVICES)


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".xsd", ".wsdl"}))
def test_every_file_says_that_it_is_a_draft(name: str) -> None:
    (comment,) = etree.parse(FOLDER / name).xpath("/comment()")

    assert comment.text.strip().startswith("OpenDepot v1. A draft: it may change until release 1.0 pins it by checksum")


@pytest.mark.parametrize("name", FILES)
def test_r1_a_file_points_to_no_place_outside_its_folder(name: str) -> None:
    root = _tree(name)
    places = [node.get("schemaLocation") for node in root.iter() if node.get("schemaLocation")]

    assert not list(root.iter(f"{W}import", f"{XS}include", f"{XS}redefine"))
    assert all((FOLDER / place).is_file() and "/" not in place for place in places)
    assert {node.get("location") for node in root.iter(f"{S11}address", f"{S12}address")} <= {
        f"http://localhost:8080/v1/{Path(name).stem}"
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_r1_every_schema_has_a_namespace_of_its_own_and_imports_nothing(name: str) -> None:
    root = _tree(name)

    assert root.get("targetNamespace") == f"urn:opendepot:{Path(name).stem}:1"
    assert root.get("elementFormDefault") == "qualified"
    assert not list(root.iter(f"{XS}import"))


def test_r1_the_flattened_wsdl_knows_no_location_but_the_configured_address(service: Any) -> None:
    root = etree.fromstring(service.flattened)
    locations = [
        (etree.QName(node).localname, attribute)
        for node in root.iter(etree.Element)
        for attribute in node.attrib
        if "location" in str(attribute).lower()
    ]

    assert locations == [("address", "location")] * 2
    assert {node.get("location") for node in root.iter(f"{S11}address", f"{S12}address")} == {ADDRESS}
    assert not list(root.iter(f"{W}import", f"{XS}import", f"{XS}include"))
    assert b"localhost" not in service.flattened


def test_r1_every_element_of_bytes_says_its_content_type_and_nothing_is_imported_for_it(service: Any) -> None:
    found = {
        node.get(f"{{{XMIME}}}expectedContentTypes")
        for node in service.schema.iter(f"{XS}element")
        if _bare(node.get("type")) == "base64Binary"
    }
    said = [node for node in service.schema.iter() if f"{{{XMIME}}}expectedContentTypes" in node.attrib]

    assert found <= {"application/octet-stream"}
    assert all(_bare(node.get("type")) == "base64Binary" for node in said)
    assert XMIME not in {node.get("namespace") for node in service.schema.iter(f"{XS}import")}


def test_r1_some_element_carries_bytes() -> None:
    assert "expectedContentTypes" in (FOLDER / "depot.xsd").read_text(encoding="utf-8")


def test_r1_zeep_loads_the_flattened_wsdl_strictly_and_reads_every_message(service: Any, tmp_path: Path) -> None:
    path = tmp_path / "flattened.wsdl"
    path.write_bytes(service.flattened)
    client = zeep.Client(str(path), settings=zeep.Settings(strict=True))

    for port in next(iter(client.wsdl.services.values())).ports.values():
        for operation in service.contract.operations.values():
            found = port.binding.get(operation.name)
            assert found.soapaction == operation.action
            assert set(found.abstract.fault_messages) == operation.faults
            assert f"{operation.answer.fields[0].name}:" in found.output.signature()


def test_r1_xmlschema_reads_the_flattened_wsdl(service: Any) -> None:
    root = etree.fromstring(service.flattened)
    for node in [*root.iterfind(f"{W}binding"), *root.iterfind(f"{W}service/{W}port")]:
        if str(node.get("name")).endswith("Soap12"):  # a version that this reader does not know
            node.getparent().remove(node)
    document = Wsdl11Document(etree.tostring(root, encoding="unicode"))

    (port_type,) = document.port_types.values()
    assert {name for name, *_ in port_type.operations} == set(service.contract.operations)


@pytest.mark.parametrize("name", SCHEMAS)
def test_r1_xmlschema_and_libxml2_take_every_schema_for_valid(name: str) -> None:
    assert xmlschema.XMLSchema10(str(FOLDER / name), allow="local").validity == "valid"
    assert etree.XMLSchema(_tree(name)) is not None


def test_r2_both_versions_have_a_port_at_one_address(service: Any) -> None:
    name = service.contract.name
    ports = {port.get("name"): port[0] for port in service.document.iterfind(f"{W}service/{W}port")}

    assert {key: port.tag for key, port in ports.items()} == {
        f"{name}Soap11": f"{S11}address",
        f"{name}Soap12": f"{S12}address",
    }
    assert len({port.get("location") for port in ports.values()}) == 1


def test_r2_every_binding_is_document_literal_with_one_part(service: Any) -> None:
    for namespace in (S11, S12):
        binding = list(service.document.iter(f"{namespace}binding"))
        assert [(node.get("style"), node.get("transport")) for node in binding] == [
            ("document", "http://schemas.xmlsoap.org/soap/http")
        ]
        assert {node.get("style") for node in service.document.iter(f"{namespace}operation")} == {"document"}
        used = service.document.iter(*(f"{namespace}{kind}" for kind in ("body", "header", "fault")))
        assert {node.get("use") for node in used} == {"literal"}
    for message in service.document.iterfind(f"{W}message"):
        (part,) = message
        assert part.get("type") is None


def test_r2_a_wrapper_is_named_as_its_operation(service: Any) -> None:
    parts = {m.get("name"): m[0] for m in service.document.iterfind(f"{W}message")}
    for operation in service.document.iterfind(f"{W}portType/{W}operation"):
        request, answer = (parts[_bare(operation.find(f"{W}{way}").get("message"))] for way in ("input", "output"))
        assert (request.get("name"), answer.get("name")) == ("parameters", "parameters")
        assert _bare(request.get("element")) == operation.get("name")
        assert _bare(answer.get("element")) == f"{operation.get('name')}Response"


def test_r2_body_names_are_unique_over_all_services() -> None:
    names = Counter(body for name in SERVICES for body in _body_names(name))
    locals_ = Counter(local for name in SERVICES for _, local in _body_names(name) if not local.endswith("Fault"))

    assert [name for name, times in names.items() if times > 1] == []
    # The Depot passes extensions on to OZOMM, so that a caller of the Depot needs one address only.
    passed_on = {f"{name}{end}" for name in ("ExtendLicense", "GetExtension") for end in ("", "Response")}
    assert {name for name, times in locals_.items() if times > 1} <= passed_on


@pytest.mark.parametrize("name", SCHEMAS)
def test_r2_every_type_is_named_and_named_unlike_any_global_element(name: str) -> None:
    root = _tree(name)
    elements = {str(node.get("name")).lower() for node in root.iterfind(f"{XS}element")}
    types = {str(node.get("name")).lower() for node in root.iterfind("*") if node.tag != f"{XS}element"}

    assert all(node.get("name") and node.get("type") for node in root.iter(f"{XS}element"))
    assert all(node.getparent() is root for node in root.iter(f"{XS}complexType", f"{XS}simpleType"))
    assert elements.isdisjoint(types)


def test_r3_a_response_holds_exactly_one_required_child_of_a_named_complex_type(service: Any) -> None:
    for operation in service.contract.operations.values():
        (child,) = operation.answer.fields
        assert isinstance(child.type, ComplexType)
        assert (child.optional, child.many) == (False, False)
        # zeep unwraps a type of a single child once more, so that a second child would change its return value.
        assert len(child.type.fields) > 1


def test_r4_every_type_of_an_answer_has_a_required_simple_child(service: Any) -> None:
    wrappers = {operation.answer.name for operation in service.contract.operations.values()}
    for type_ in service.types("answers"):
        if type_.name not in wrappers:
            assert [f for f in type_.fields if isinstance(f.type, SimpleType) and not f.optional], type_.name


def test_r5_faults_are_elements_of_one_named_type_with_plain_children(service: Any) -> None:
    faults = {name: type_ for name, type_ in service.contract.schema.elements.items() if name.endswith("Fault")}
    (type_,) = set(faults.values())

    assert type_.name not in service.contract.schema.elements
    assert [(f.name, f.type.name, f.optional, f.many) for f in type_.fields] == [
        ("code", "string", False, False),
        ("message", "string", False, False),
        ("reference", "string", False, False),
        ("retry", "string", False, False),
        ("path", "string", True, False),
    ]
    assert {kind.element for kind in ENGINE_FAULTS.values()} <= faults.keys()
    assert faults.keys() == {name for o in service.contract.operations.values() for name in o.faults}


def test_r5_a_fault_message_is_named_as_its_element(service: Any) -> None:
    messages = {m.get("name"): m for m in service.document.iterfind(f"{W}message")}
    for fault in service.document.iterfind(f"{W}portType/{W}operation/{W}fault"):
        name = fault.get("name")
        assert _bare(fault.get("message")) == name
        (part,) = messages[name]
        assert (part.get("name"), _bare(part.get("element"))) == ("fault", name)
    for fault in service.document.iter(f"{S11}fault", f"{S12}fault"):
        assert fault.get("name") == fault.getparent().get("name")


def test_r5_bindings_and_port_type_declare_the_same_faults_and_the_ones_that_any_message_may_meet(
    service: Any,
) -> None:
    for operation in service.contract.operations.values():
        assert {"RequestFault", "AccessFault", "ServerFault"} <= operation.faults
        assert {kind.element for kind in ENGINE_FAULTS.values()} <= operation.faults
        path = f"{W}binding/{W}operation[@name='{operation.name}']"
        for bound in service.document.iterfind(path):
            assert {fault.get("name") for fault in bound.iterfind(f"{W}fault")} == operation.faults
        assert len(service.document.findall(path)) == 2


def test_r6_answers_use_built_in_types_only(service: Any) -> None:
    for type_ in service.types("answers"):
        for field in type_.fields:
            assert not isinstance(field.type, SimpleType) or field.type.name == field.type.built_in, field.tag


@pytest.mark.parametrize("name", SCHEMAS)
def test_r6_a_time_is_never_restricted(name: str) -> None:
    bases = {_bare(node.get("base")) for node in _tree(name).iter(f"{XS}restriction")}

    assert bases <= {"string", "int"}


def test_r6_a_type_with_facets_stands_in_requests(service: Any) -> None:
    used = {f.type.name for t in service.types("requests") for f in t.fields if isinstance(f.type, SimpleType)}

    assert {node.get("name") for node in service.schema.iterfind(f"{XS}simpleType")} <= used


@pytest.mark.parametrize("name", SCHEMAS)
def test_r7_only_sequences_elements_and_restrictions_are_used(name: str) -> None:
    used = {etree.QName(node).localname for node in _tree(name).iter(etree.Element)}
    attributes = {str(attribute) for node in _tree(name).iter(etree.Element) for attribute in node.attrib}

    assert used <= {
        *("schema", "annotation", "documentation", "element", "complexType", "sequence", "simpleType", "restriction"),
        *("minLength", "maxLength", "pattern", "minInclusive", "maxInclusive", "enumeration"),
    }
    assert attributes <= {
        *("targetNamespace", "elementFormDefault", "name", "type", "minOccurs", "maxOccurs", "base", "value"),
        f"{{{XMIME}}}expectedContentTypes",
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_r7_no_two_names_of_one_kind_differ_in_case_only(name: str) -> None:
    root = _tree(name)
    kinds = [
        [node.get("name") for node in root.iterfind(f"{XS}element")],
        [node.get("name") for node in root.iterfind("*") if node.tag in (f"{XS}complexType", f"{XS}simpleType")],
        *([node.get("name") for node in sequence] for sequence in root.iter(f"{XS}sequence")),
        *([node.get("value") for node in r.iterfind(f"{XS}enumeration")] for r in root.iter(f"{XS}restriction")),
    ]

    for names in kinds:
        assert len({str(name).lower() for name in names}) == len(names)


def test_r7_an_optional_value_type_stands_in_a_complex_type_with_a_required_child(service: Any) -> None:
    for direction in ("requests", "answers"):
        for type_ in service.types(direction):
            bare = [f.name for f in type_.fields if f.optional and isinstance(f.type, SimpleType)]
            assert [n for n in bare if _built_in(type_, n) in VALUE_TYPES] == [], type_.name


def _built_in(type_: ComplexType, name: str) -> str:
    (found,) = [field.type for field in type_.fields if field.name == name]
    return found.built_in if isinstance(found, SimpleType) else ""


def test_r8_both_bindings_bind_every_operation_under_one_action(service: Any) -> None:
    bound = {
        namespace: {
            node.getparent().get("name"): node.get("soapAction")
            for node in service.document.iter(f"{namespace}operation")
        }
        for namespace in (S11, S12)
    }

    assert bound[S11] == bound[S12] == {o.name: o.action for o in service.contract.operations.values()}


def test_r9_every_operation_has_an_action_of_its_own_over_all_services() -> None:
    actions = [o.action for name in SERVICES for o in load_contract(f"v1/{name}.wsdl").operations.values()]

    assert len(set(actions)) == len(actions)
    assert all(actions)


def test_r10_nothing_optional_in_a_request_is_valid_when_it_is_sent_empty(service: Any) -> None:
    for type_ in service.types("requests"):
        assert needless(type_) == []
        for field in type_.fields:
            if isinstance(field.type, SimpleType) and field.type.built_in == "string" and field.optional:
                restriction = service.schema.find(f"{XS}simpleType[@name='{field.type.name}']/{XS}restriction")
                assert int(restriction.find(f"{XS}minLength").get("value")) >= 1, field.tag


def test_r11_every_binding_operation_declares_the_header_by_a_message_of_one_part(service: Any) -> None:
    (message,) = [m for m in service.document.iterfind(f"{W}message") if m.get("name") == "OnBehalfOf"]
    (part,) = message
    prefix, _, local = str(part.get("element")).partition(":")
    assert (part.nsmap[prefix], local, part.get("name")) == (HEADER, "OnBehalfOf", "OnBehalfOf")

    for namespace in (S11, S12):
        for operation in service.document.iter(f"{namespace}operation"):
            headers = operation.getparent().findall(f"{W}input/{namespace}header")
            assert [(_bare(h.get("message")), h.get("part")) for h in headers] == [("OnBehalfOf", "OnBehalfOf")]
            assert {name for header in headers for name in header.attrib} == {"message", "part", "use"}
            assert not operation.getparent().findall(f"{W}output/{namespace}header")


def test_r11_the_header_block_has_one_namespace_for_all_services() -> None:
    assert {load_contract(f"v1/{name}.wsdl").header_schema.namespace for name in SERVICES} == {HEADER}


@pytest.mark.parametrize("name", FILES)
def test_r12_names_have_30_characters_at_most(name: str) -> None:
    names = {str(node.get("name")) for node in _tree(name).iter(etree.Element) if node.get("name")}

    assert [found for found in names if not re.fullmatch("[A-Za-z][A-Za-z0-9]{0,29}", found)] == []


@pytest.mark.parametrize("name", FILES)
def test_r12_documentation_has_no_backslash(name: str) -> None:
    for node in _tree(name).iter(f"{XS}documentation", f"{W}documentation"):
        assert "\\" not in "".join(node.itertext())


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_component_of_a_schema_is_documented(name: str) -> None:
    root = _tree(name)

    assert documentation(root)
    assert [node.get("name") for node in _components(root) if not documentation(node).endswith(".")] == []


def test_every_service_and_operation_is_documented(service: Any) -> None:
    for node in [service.document, *service.document.iterfind(f"{W}portType/{W}operation")]:
        text = node.findtext(f"{W}documentation")
        assert text, node.get("name")
        assert text.strip().endswith(".")
