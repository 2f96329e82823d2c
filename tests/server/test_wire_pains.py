"""What clients of SOAP engines suffer from most, over TCP, by the numbers of `docs/reference/conformance.md`.

Those about signatures and passwords (10 to 12) are in `tests/attacks/signature/test_pains_of_security.py`.
"""

import asyncio
import base64
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from wire import Received, Server, Start, envelope, order
from zeep_client import zeep_client

from soap import ClientEngine, Version, load_contract
from soap.messages import depot as depot_messages
from soap.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
SALES, DEPOT = "urn:opendepot:sales:1", "urn:opendepot:depot:1"
LIST = f'<ListItems xmlns="{SALES}"/>'
TICKET = "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"
ASK = f'<GetTicket xmlns="{DEPOT}"><ticket>{TICKET}</ticket></GetTicket>'


async def _get(server: Server, path: str, **headers: str) -> tuple[int, bytes]:
    async with server.session.get(f"{server.up.local_url}{path}", headers=headers) as response:
        return response.status, await response.read()


def _locations(data: bytes) -> set[str]:
    return {str(found) for found in etree.fromstring(data).xpath("//@location | //@schemaLocation")}


async def test_pain_01_whatever_a_proxy_says_the_wsdl_has_the_configured_address(start: Start) -> None:
    server = await start(public_url="https://licences.example.com")
    forwarded = {
        "Host": "inner.example:8080",
        "X-Forwarded-Host": "outer.example:443, middle.example",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Port": "8443",
        "Forwarded": "host=other.example;proto=http",
    }
    for service in ("sales", "depot"):
        for query in ("wsdl", "wsdl=apart"):
            status, body = await _get(server, f"/v1/{service}?{query}", **forwarded)
            assert status == 200
            assert b"example:" not in body
            assert {place.partition("?")[0] for place in _locations(body)} == {
                f"https://licences.example.com/v1/{service}"
            }


async def test_pain_02_every_place_that_a_wsdl_imports_from_is_there_and_is_what_it_says(start: Start) -> None:
    server = await start()
    for service in ("sales", "depot", "ozomm"):
        whole = etree.fromstring((await _get(server, f"/v1/{service}?wsdl"))[1])
        assert not list(whole.iter(f"{{{XSD}}}import", f"{{{XSD}}}include", f"{{{WSDL}}}import"))
        apart = etree.fromstring((await _get(server, f"/v1/{service}?wsdl=apart"))[1])
        imported = list(apart.iter(f"{{{XSD}}}import"))
        assert len(imported) == 2
        for node in imported:
            place = str(node.get("schemaLocation"))
            assert place.startswith(f"{server.url}/v1/{service}?xsd=")
            status, schema = await _get(server, place.removeprefix(server.url))
            root = etree.fromstring(schema)
            assert (status, root.tag, root.get("targetNamespace")) == (200, f"{{{XSD}}}schema", node.get("namespace"))
    # What engines have got wrong in such places is no document here.
    for query in ("wsdl?xsd=sales.xsd", "wsdl&xsd=sales.xsd", "xsd=../../settings.py", "xsd=", "xsd=1"):
        assert (await _get(server, f"/v1/sales?{query}"))[0] == 405
    client = await asyncio.to_thread(zeep.Client, f"{server.url}/v1/sales?wsdl=apart")
    assert len(next(iter(client.wsdl.services.values())).ports) == 2


async def test_pain_03_elements_are_qualified_on_both_sides_and_a_wrong_namespace_is_named(server: Server) -> None:
    for version in Version:
        answer = await server.post("sales", envelope(order(version.name), version=version), version=version)
        assert {etree.QName(node).namespace for node in answer.payload.iter()} == {SALES}
        for space, place in (("", "CreateOrder/orderLine/quantity"), ("urn:other", "CreateOrder/orderLine/quantity")):
            wrong = order().replace("<quantity>", f'<quantity xmlns="{space}">')
            refused = await server.post("sales", envelope(wrong, version=version), version=version)
            assert refused.fault()["path"] == place
            assert f"this element must be in the namespace {SALES}" in refused.fault()["message"]


async def test_pain_04_a_client_that_sends_everything_as_mtom_is_answered(server: Server) -> None:
    for version in Version:
        root = (
            f'Content-Type: application/xop+xml; charset=utf-8; type="{version.media_type}"\r\nContent-ID: <r>\r\n\r\n'
        )
        data = b"--b\r\n" + root.encode() + envelope(LIST, version=version) + b"\r\n--b--\r\n"
        kind = (
            f'multipart/related; type="application/xop+xml"; boundary=b; start="<r>"; start-info="{version.media_type}"'
        )
        for boundary in ("boundary=b", 'boundary="b"'):
            headers = {"Content-Type": kind.replace("boundary=b", boundary)}
            answer = await server.post("sales", data, headers=headers)
            assert (answer.status, answer.headers["Content-Type"]) == (200, version.content_type)
            assert etree.QName(answer.payload).localname == "ListItemsResponse"


@BOTH
async def test_pain_05_an_attachment_larger_than_a_message_may_be_is_refused_and_not_kept(
    start: Start, version: Version
) -> None:
    server = await start(max_body_bytes=64 * 1024)
    kind = f'multipart/related; type="application/xop+xml"; boundary=b; start="<r>"; start-info="{version.media_type}"'

    async def endless() -> Any:
        while True:
            yield b"x" * 1024

    refused = await server.post("depot", endless(), headers={"Content-Type": kind})  # type: ignore[arg-type]  # a body in pieces
    assert (refused.status, refused.fault()["code"]) == (413, "TooLarge")


@BOTH
def test_pain_06_the_greatest_file_that_fits_into_a_text_of_libxml2_is_read_and_more_has_a_link(
    version: Version,
) -> None:
    """libxml2 reads no text of more than 10,000,000 characters; `update` then comes by link or MTOM."""
    contract = load_contract("v1/depot.wsdl")
    client = ClientEngine(contract, depot_messages, version=version)
    update = bytes(7_000_000)
    text = base64.b64encode(update).decode()
    body = envelope(
        f'<GetLicenseUpdateResponse xmlns="{DEPOT}"><result><state>Done</state><update>{text}</update>'
        "</result></GetLicenseUpdateResponse>",
        version=version,
    )
    found = client.answer("GetLicenseUpdate", content_type=version.content_type, body=body)

    assert found.result.update == update
    assert etree.fromstring(body) is not None
    assert "update_url" in depot_messages.UpdateResult.__dataclass_fields__


async def test_pain_07_the_largest_request_of_the_contract_is_answered_whole(server: Server) -> None:
    orders = "".join(
        order(f"many-{number}").replace("CreateOrder", "order").replace(f' xmlns="{SALES}"', "")
        for number in range(1000)
    )
    answer = await server.post("sales", envelope(f'<CreateOrders xmlns="{SALES}">{orders}</CreateOrders>'))

    assert answer.status == 200
    assert len(answer.payload.findall(f".//{{{SALES}}}ticket")) == 1000
    # A flood of white space and of text that a careless pattern would scan again and again.
    flood = await server.post("sales", envelope(LIST + " \n" * 100_000))
    assert flood.status == 200


async def test_pain_08_a_fault_of_soap_12_is_one_of_soap_12(server: Server) -> None:
    s = f"{{{Version.SOAP12}}}"
    refused = await server.post("depot", envelope(ASK, version=Version.SOAP12), version=Version.SOAP12)
    (fault,) = etree.fromstring(refused.body)[-1]

    assert (refused.status, refused.headers["Content-Type"]) == (400, "application/soap+xml; charset=utf-8")
    assert [child.tag for child in fault] == [f"{s}Code", f"{s}Reason", f"{s}Detail"]
    assert fault.findtext(f"{s}Code/{s}Value") == "soap:Sender"
    assert str(fault.findtext(f"{s}Code/{s}Subcode/{s}Value")).partition(":")[2] == "TicketUnknown"
    assert fault.find(f"{s}Reason/{s}Text").get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    assert "faultcode" not in refused.body.decode()


async def _refusals(server: Server, version: Version) -> list[Received]:
    kind = {"Content-Type": version.content_type}
    return [
        await server.post("sales", envelope(LIST, version=version), version=version, identified=False),
        await server.post("sales", b"x" * 300_000, version=version),
        await server.post("sales", envelope(LIST, version=version), headers=kind | {"Content-Encoding": "gzip"}),
        await server.post("sales", b"<not closed", version=version),
        await server.post("sales", envelope("<nothing/>", version=version), version=version),
    ]


async def test_pain_09_every_refusal_of_a_message_is_soap_with_the_status_that_belongs_to_it(server: Server) -> None:
    for version in Version:
        sender = 500 if version is Version.SOAP11 else 400
        found = await _refusals(server, version)
        for received, status in zip(found, (401, 413, 415, sender, sender), strict=True):
            assert (received.status, received.headers["Content-Type"]) == (status, version.content_type)
            root = etree.fromstring(received.body)
            assert root.tag == f"{{{version}}}Envelope"
            assert root[-1][0].tag == f"{{{version}}}Fault"
            assert received.fault()["reference"]


async def test_pain_13_the_wsdl_has_nothing_that_net_tools_refuse(server: Server) -> None:
    for service in ("sales", "depot", "ozomm"):
        for query in ("wsdl", "wsdl=apart"):
            data = (await _get(server, f"/v1/{service}?{query}"))[1]
            root = etree.fromstring(data)
            spaces = {etree.QName(node).namespace for node in root.iter(etree.Element)}
            assert spaces == {WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD}, "no policies"
            assert b"nillable" not in data
            assert {node.get("style") for node in root.iter(f"{{{WSDL_SOAP11}}}binding")} == {"document"}
            for node in root.iter(f"{{{XSD}}}element"):
                simple = str(node.get("type")).rpartition(":")[2] in {"int", "long", "boolean", "dateTime"}
                # A value type that may be missing stands in a type of its own, or .NET loses it.
                assert not (simple and node.get("minOccurs") == "0"), node.get("name")


CHARSETS = [
    ("utf-8", ""),
    ("utf-8", "; charset=utf-8"),
    ("utf-8", '; charset="UTF-8"'),
    ("utf-8", ";charset=utf8"),
    ("utf-8-sig", "; charset=utf-8"),
    ("utf-16", "; charset=utf-16"),
    ("utf-16-le", "; charset=UTF-16LE"),
    ("utf-16-be", "; charset=utf-16"),
    ("utf-16", ""),
]


async def test_pain_14_every_charset_is_read_and_answers_are_utf_8_without_a_mark(server: Server) -> None:
    for number, (version, (codec, charset)) in enumerate(product(Version, CHARSETS)):
        name = f"Ü–試験😀-{number}"
        action = "" if version is Version.SOAP11 else f'; action="{SALES}/CreateOrder"'
        message = order(f"charset-{number}", extra=f"<orderNumber>{name}</orderNumber>")
        text = envelope(message, version=version).decode()
        headers = {"Content-Type": f"{version.media_type}{charset}{action}"}
        answer = await server.post("sales", text.encode(codec), version=version, headers=headers)

        assert (answer.status, answer.headers["Content-Type"]) == (200, version.content_type), (codec, charset)
        assert answer.body.startswith(b"<?xml")
        asked = f'<GetOrder xmlns="{SALES}"><orderNumber>{name}</orderNumber></GetOrder>'
        read = await server.post("sales", envelope(asked, version=version), version=version)
        assert name.encode() in read.body


async def test_pain_15_nil_empty_one_and_many_are_what_they_are(server: Server) -> None:
    for version in Version:
        xsi = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
        for number, absent in enumerate(("", "<orderNumber/>", f'<orderNumber {xsi} i:nil="true"/>')):
            answer = await server.post(
                "sales", envelope(order(f"{version.name}-{number}", extra=absent), version=version), version=version
            )
            assert answer.status == 200, "no order number, however it is left out"
        empty = order("n-9").replace("<quantity>1</quantity>", "<quantity/>")
        refused = await server.post("sales", envelope(empty, version=version), version=version)
        assert refused.fault()["path"] == "CreateOrder/orderLine/quantity"
        name = "11" if version is Version.SOAP11 else "12"
        sales = await asyncio.to_thread(zeep_client, server, "sales", name, server.api_key)
        for lines in (1, 2):
            made = await asyncio.to_thread(
                sales.CreateOrder,
                transactionId=f"{version.name}-lines-{lines}",
                orderLine=[{"itemNumber": "EDITOR", "quantity": 1}] * lines,
            )
            assert isinstance(made.license, list)
            assert len(made.license) == lines


async def test_pain_15_a_client_that_waits_for_100_continue_gets_it(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    body = envelope(LIST)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/sales HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {server.api_key}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"ListItemsResponse" in answer


def test_the_pains_are_numbered_from_1_to_15() -> None:
    files = (Path(__file__), Path(__file__).parents[1] / "attacks" / "signature" / "test_pains_of_security.py")
    text = "".join(file.read_text() for file in files)

    assert [number for number in range(1, 16) if f"def test_pain_{number:02}_" not in text] == []
