"""Any bytes whatever end as a valid reply, a valid fault or a closed socket, and never as a traceback in the log."""

import asyncio
import base64
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from wire import FIRM_CODE, Server, Start, envelope, order

import wsdl
from soap import Version

SCHEMAS = {service: etree.XMLSchema(etree.fromstring(wsdl.read(f"v1/{service}.xsd"))) for service in ("sales", "depot")}
CONTENT_TYPES = ["text/xml", "application/soap+xml", "text/xml; charset=utf-16", "text/plain", 'text/xml;charset="']
FRAGMENTS = [
    b"<!DOCTYPE a>",
    b"<?pi?>",
    b"<![CDATA[<!DOCTYPE a>]]>",
    b"<!-- c -->",
    b"&lt;",
    b"&unknown;",
    b"&#0;",
    b"<a>",
    b"</a>",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'xmlns:x="urn:x"',
    b'xsi:nil="true"',
    b"<x>" * 40,
    b"=" * 100,
]


def seeds(server: Server, ticket: str) -> list[tuple[str, bytes]]:
    context = base64.b64encode(server.container("hostile.json").context(FIRM_CODE)).decode()
    update = f"<context>{context}</context>"
    depot = 'xmlns="urn:opendepot:depot:1"'
    bodies = [
        ("sales", order("h-1", extra="<customer><name>A</name></customer>")),
        ("sales", '<GetOrder xmlns="urn:opendepot:sales:1"><transactionId>h-1</transactionId></GetOrder>'),
        ("sales", '<ListItems xmlns="urn:opendepot:sales:1"/>'),
        ("depot", f"<GetTicket {depot}><ticket>{ticket}</ticket></GetTicket>"),
        ("depot", f"<GetLicenseUpdate {depot}><ticket>{ticket}</ticket>{update}</GetLicenseUpdate>"),
        ("depot", f"<ConfirmLicenseUpdate {depot}><receipt>{context}</receipt></ConfirmLicenseUpdate>"),
    ]
    return [(service, envelope(body, version=version)) for service, body in bodies for version in Version]


def mutated(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0 if at < len(out):
                out[at] = rng.randrange(256)
            case 1:
                del out[at : at + rng.randint(1, 30)]
            case 2:
                out[at:at] = rng.choice(FRAGMENTS)
            case 3:
                piece = out[at : at + rng.randint(1, 60)]
                other = rng.randrange(len(out) + 1)
                out[other:other] = piece
            case _:
                out = out[:at] or out
    return bytes(out)


def check_answer(service: str, status: int, body: bytes) -> None:
    root = etree.fromstring(body)
    version = Version(etree.QName(root).namespace)
    payload = root.find(f"{{{version}}}Body")[0]
    if etree.QName(payload).localname != "Fault":
        assert status == 200
        SCHEMAS[service].assertValid(payload)
        return
    assert status in {400, 401, 413, 415, 500}
    detail = payload.find("detail" if version is Version.SOAP11 else f"{{{version}}}Detail")
    if detail is not None:
        SCHEMAS[service].assertValid(detail[0])


async def fuzzed(server: Server, numbers: range) -> None:
    """Send one mutated message for each seed; a failure names its seed, which replays it."""
    placed = await server.post("sales", envelope(order("h-0", quantity=5)))
    ticket = placed.payload.findtext(".//{urn:opendepot:sales:1}ticket")
    starts = seeds(server, ticket)
    for seed in numbers:
        rng = random.Random(seed)
        service, data = rng.choice(starts)
        version = Version.SOAP12 if Version.SOAP12.encode() in data else Version.SOAP11
        received = await server.post(service, mutated(data, rng), version=version)
        try:
            check_answer(service, received.status, received.body)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        if seed % 10_000 == 9_999:
            print(f"  {seed + 1} messages; resume with --fuzz-from {seed + 1}")
    check_log(server)


async def test_mutated_messages_over_tcp(server: Server) -> None:
    await fuzzed(server, range(1500))


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_many_mutated_messages_over_tcp(server: Server, pytestconfig: pytest.Config) -> None:
    begin, count = pytestconfig.getoption("--fuzz-from"), pytestconfig.getoption("--fuzz")
    print(f"seeds {begin} to {begin + count - 1}")
    await fuzzed(server, range(begin, begin + count))


def check_log(server: Server) -> None:
    for line in server.log.getvalue().splitlines():
        event: dict[str, Any] = json.loads(line)
        assert event["event"] != "internal_error", event
        assert "Traceback" not in line


async def test_arbitrary_bytes_as_bodies_and_headers(server: Server) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.binary(max_size=300),
        st.sampled_from(CONTENT_TYPES),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    )
    def run(body: bytes, content_type: str, header: str) -> None:
        sent = server.post(
            "sales",
            body,
            headers={"Content-Type": content_type, "SOAPAction": header, "Authorization": header},
        )
        received = asyncio.run_coroutine_threadsafe(sent, loop).result(10)
        check_answer("sales", received.status, received.body)

    await asyncio.to_thread(run)
    check_log(server)


async def test_arbitrary_bytes_on_the_socket(start: Start) -> None:
    server = await start(body_seconds=0.2)
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    message = envelope(order("raw"))
    whole = (
        f"POST /v1/sales HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(message)}\r\n"
        f"Authorization: Bearer {server.api_key}\r\nConnection: close\r\n\r\n"
    ).encode() + message
    for seed in range(150):
        rng = random.Random(seed)
        data = mutated(whole, rng) if seed % 2 else rng.randbytes(rng.randint(1, 200)) + b"\r\n\r\n"
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert answer == b"" or answer.startswith(b"HTTP/1."), f"seed {seed}"
    check_log(server)
