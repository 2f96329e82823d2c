"""The page for people: complete, without script but to send, its samples valid and answered."""

import re
from pathlib import Path

import pytest
from lxml import etree, html
from wire import Server, Start

from server.faults import CATALOGUE
from server.pages.contract import contract_page
from server.pages.samples import Samples
from server.pages.soapui import soapui_project
from soap import Version, load_contract
from soap.contract import Contract
from soap.validate import Validator

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CONTRACTS = [load_contract(f"v1/{path.name}") for path in sorted(Path("wsdl/v1").glob("*.wsdl"))]


@pytest.fixture(params=CONTRACTS, ids=lambda contract: contract.name)
def contract(request: pytest.FixtureRequest) -> Contract:
    found: Contract = request.param
    return found


def test_every_sample_is_valid_by_the_schema(contract: Contract) -> None:
    validator, samples = Validator(contract.schemas[contract.namespace]), Samples(contract)
    for operation in contract.operations.values():
        for version in Version:
            body = etree.fromstring(samples.envelope(operation, version=version))[0][0]
            assert validator.valid(body), validator.explain(body, operation.request)


def test_the_page_has_every_operation_every_field_and_every_fault(contract: Contract) -> None:
    page = contract_page(contract, CATALOGUE, address="https://x.example/v1/x", send=False)
    tree = html.fromstring(page.data)
    text = " ".join(tree.text_content().split())
    assert {node.get("id") for node in tree.iterfind(".//article")} == set(contract.operations)
    for type_ in contract.schema.complex_types:
        for field in type_.fields:
            if type_.name != "FaultDetail":
                assert " ".join(field.documentation.split()) in text
    for code, kind in CATALOGUE.items():
        assert code in text
        assert " ".join(kind.mend.replace("`", "").split()) in text
    assert len(tree.findall(".//script")) == 1, "for copying alone"
    assert (b"OPENDEPOT_API_KEY" in page.data) is (contract.name in {"Sales", "Admin"}), "others go by the ticket"
    assert "connect-src 'none'" in dict(page.fields)["content-security-policy"]


def test_every_bound_and_every_value_of_the_schema_can_be_read(contract: Contract) -> None:
    page = contract_page(contract, CATALOGUE, address="https://x.example/v1/x", send=False)
    cells: dict[str, str] = {}
    for cell in html.fromstring(page.data).iterfind(".//td[@class='type']"):
        name, _, limits = " ".join(cell.text_content().split()).partition(" ")
        cells[name] = limits
    used = 0
    for node in contract.schemas[contract.namespace].iterfind("{*}simpleType"):
        said = cells.get(str(node.get("name")))
        for facet in node.iterfind("{*}restriction/*") if said is not None else ():
            if etree.QName(facet).localname in {"enumeration", "maxLength", "maxInclusive"}:
                assert str(facet.get("value")) in str(said)
                used += 1
    assert used >= 5
    assert all(limits.count(".") >= 1 for limits in cells.values() if limits), "whole sentences"


def test_whatever_the_contract_says_is_text_on_the_page(contract: Contract) -> None:
    page = contract_page(contract, CATALOGUE, address='https://x.example/"><script>alert(1)</script>', send=False)
    assert b"<script>alert" not in page.data
    assert b"&lt;script&gt;" in page.data


def test_the_soapui_project_has_both_bindings_and_a_valid_sample_of_each_operation(contract: Contract) -> None:
    root = etree.fromstring(soapui_project(contract, address="https://x.example/v1/x"))
    bindings = {node.get("name") for node in contract.document.iterfind("{http://schemas.xmlsoap.org/wsdl/}binding")}
    interfaces = root.findall("{*}interface")
    assert {str(node.get("bindingName")).rpartition("}")[2] for node in interfaces} == bindings
    validator = Validator(contract.schemas[contract.namespace])
    for interface in interfaces:
        calls = [str(node.text) for node in interface.iterfind("{*}operation/{*}call/{*}request")]
        assert len(calls) == len(contract.operations)
        assert all(validator.valid(etree.fromstring(call)[0][0]) for call in calls)


async def test_a_browser_gets_the_page_and_others_what_they_got_before(server: Server) -> None:
    for service in ("sales", "depot"):
        address = f"{server.url}/v1/{service}"
        async with server.session.get(address, headers=BROWSER) as page:
            assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert f"{address}" in await page.text()
        async with server.session.get(address) as other:
            assert other.status == 405
        async with server.session.get(f"{address}?soapui") as project:
            assert project.status == 200
        async with server.session.head(address, headers=BROWSER) as head:
            assert (head.status, await head.read()) == (200, b"")


async def test_sending_needs_the_setting_and_a_second_script_by_its_hash(start: Start) -> None:
    server = await start(page_sends=True)
    async with server.session.get(f"{server.url}/v1/sales", headers=BROWSER) as page:
        policy, tree = page.headers["Content-Security-Policy"], html.fromstring(await page.text())
    assert len(tree.findall(".//script")) == 2
    assert re.search(r"script-src 'sha256-[^']+' 'sha256-[^']+'; connect-src 'self'", policy)
    assert "unsafe" not in policy
