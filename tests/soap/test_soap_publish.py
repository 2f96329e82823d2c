import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xmlschema
import zeep
from lxml import etree
from message_values import SERVICES

from soap import flattened_wsdl, load_contract, schema_locations, wsdl_apart
from soap.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD

ADDRESS = "https://licences.example/v1/service?a=1&b=2"


def test_the_same_address_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "import sys; from soap import *\n"
        f"for name in {list(SERVICES)}:\n"
        "    for write in (flattened_wsdl, wsdl_apart):\n"
        f"        sys.stdout.buffer.write(write(load_contract(f'v1/{{name}}.wsdl'), address={ADDRESS!r}))"
    )
    contracts = [load_contract(f"v1/{name}.wsdl") for name in SERVICES]
    expected = b"".join(write(c, address=ADDRESS) for c in contracts for write in (flattened_wsdl, wsdl_apart))
    for seed in ("0", "1"):
        other = subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert other.stdout == expected


def test_apart_it_imports_each_schema_from_where_it_is_served(service: Any) -> None:
    apart = etree.fromstring(wsdl_apart(service.contract, address=ADDRESS))
    whole = etree.fromstring(flattened_wsdl(service.contract, address=ADDRESS))
    imported = {str(node.get("namespace")): str(node.get("schemaLocation")) for node in apart.iter(f"{{{XSD}}}import")}
    assert imported == {
        space: f"{ADDRESS}?xsd={name}"
        for space, name in zip(
            sorted(service.contract.schemas), sorted(schema_locations(service.contract)), strict=True
        )
    }
    for root in (apart, whole):
        types = root.find(f"{{{WSDL}}}types")
        assert types is not None
        root.remove(types)
    assert etree.tostring(apart, method="c14n") == etree.tostring(whole, method="c14n")


def test_only_the_addresses_differ_between_two_addresses(service: Any) -> None:
    one = flattened_wsdl(service.contract, address="https://one.example/")
    two = flattened_wsdl(service.contract, address="https://two.example/")

    assert one.count(b"https://one.example/") == 2
    assert one.replace(b"https://one.example/", b"https://two.example/") == two


def test_the_contract_is_not_changed_by_publishing(service: Any) -> None:
    before = etree.tostring(service.contract.document)
    flattened_wsdl(service.contract, address=ADDRESS)

    assert etree.tostring(service.contract.document) == before


def test_the_document_holds_each_schema_whole_and_nothing_to_fetch(service: Any) -> None:
    root = etree.fromstring(flattened_wsdl(service.contract, address=ADDRESS))
    schemas = root.findall(f"{{{WSDL}}}types/{{{XSD}}}schema")

    assert [schema.get("targetNamespace") for schema in schemas] == list(service.contract.schemas)
    for schema in schemas:
        original = service.contract.schemas[schema.get("targetNamespace")]
        assert etree.tostring(schema, method="c14n", exclusive=True) == etree.tostring(
            original, method="c14n", exclusive=True
        )
    assert not root.findall(f".//{{{XSD}}}import")
    assert [(node.tag, node.get("location")) for node in root.iter() if "location" in node.attrib] == [
        (f"{{{WSDL_SOAP11}}}address", ADDRESS),
        (f"{{{WSDL_SOAP12}}}address", ADDRESS),
    ]


def test_the_published_document_still_says_that_it_is_a_draft(service: Any) -> None:
    assert b"A draft: it may change until release 1.0" in flattened_wsdl(service.contract, address=ADDRESS)


def test_zeep_reads_it_strictly(service: Any, tmp_path: Path) -> None:
    path = tmp_path / "service.wsdl"
    path.write_bytes(flattened_wsdl(service.contract, address=ADDRESS))
    client = zeep.Client(str(path), settings=zeep.Settings(strict=True, xml_huge_tree=False))

    (found,) = client.wsdl.services.values()
    assert {port.binding_options["address"] for port in found.ports.values()} == {ADDRESS}
    for port in found.ports.values():
        assert set(port.binding._operations) == set(service.contract.operations)


def test_xmlschema_reads_the_schemas_inside(service: Any) -> None:
    root = etree.fromstring(flattened_wsdl(service.contract, address=ADDRESS))
    for node in root.findall(f"{{{WSDL}}}types/{{{XSD}}}schema"):
        schema = xmlschema.XMLSchema10(etree.tostring(node, encoding="unicode"), allow="none")
        assert schema.validity == "valid"
        assert schema.target_namespace == node.get("targetNamespace")


def test_a_contract_without_types_is_a_bug_and_said_to_be(service: Any) -> None:
    contract = load_contract(f"v1/{service.contract.name.lower()}.wsdl")
    types = contract.document.find(f"{{{WSDL}}}types")
    assert types is not None
    contract.document.remove(types)

    with pytest.raises(AssertionError, match="wsdl:types"):
        flattened_wsdl(contract, address=ADDRESS)
