"""Every kind of bad input over TCP: a valid fault with its code, status, place, and no echo of what was sent."""

import base64
from typing import Any

import pytest
from lxml import etree
from wire import FIRM_CODE, OTHER_FIRM_CODE, Server, envelope, order

import wsdl
from soap import Version

SALES = "urn:opendepot:sales:1"
BOTH = pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])
CANARY = "CANARY-VALUE"


def check_fault(
    received: Any, version: Version, service: str, *, code: str, element: str, status: int
) -> dict[str, str]:
    found = received.fault()
    assert (found["code"], found["element"], received.status) == (code, element, status), found
    assert received.headers["Content-Type"] == version.content_type
    schema = etree.XMLSchema(etree.fromstring(wsdl.read(f"v1/{service}.xsd")))
    detail = received.payload.find("detail" if version is Version.SOAP11 else f"{{{version}}}Detail")
    schema.assertValid(detail[0])
    assert CANARY not in received.body.decode()
    return found


def sender(version: Version) -> int:
    return 500 if version is Version.SOAP11 else 400


REQUESTS = {
    "malformed": (f"<CreateOrder xmlns='{SALES}'><transactionId>{CANARY}", "Malformed"),
    "value out of range": (order(CANARY, quantity=0), "SchemaViolation"),
    "wrong form": (order(f"{CANARY} with blanks"), "SchemaViolation"),
    "unknown element": (order(CANARY, extra="<colour>red</colour>"), "SchemaViolation"),
    "missing element": (
        f'<CreateOrder xmlns="{SALES}"><transactionId>{CANARY}</transactionId></CreateOrder>',
        "SchemaViolation",
    ),
    "attribute": (order(CANARY).replace("<orderLine>", f'<orderLine a="{CANARY}">'), "SchemaViolation"),
    "unknown operation": (f'<DeleteOrder xmlns="{SALES}"/>', "OperationUnknown"),
    "operation of another service": ('<GetTicket xmlns="urn:opendepot:depot:1"/>', "OperationUnknown"),
    "two payloads": (order(CANARY) + order(CANARY), "EnvelopeInvalid"),
    "no payload": ("", "EnvelopeInvalid"),
}


@BOTH
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_message_that_is_not_of_the_contract(server: Server, name: str, version: Version) -> None:
    body, code = REQUESTS[name]
    received = await server.post("sales", envelope(body, version=version), version=version)
    check_fault(received, version, "sales", code=code, element="RequestFault", status=sender(version))


@BOTH
async def test_a_schema_violation_names_path_line_and_what_is_allowed(server: Server, version: Version) -> None:
    body = envelope("\n" + order("x", quantity=0), version=version)
    found = (await server.post("sales", body, version=version)).fault()
    assert found["path"] == "CreateOrder/orderLine/quantity"
    assert found["message"] == "line 2: the value is too small. Allowed: 1 to 1000000."
    assert found["retry"] == "Never"


@BOTH
@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>', "DtdForbidden"),
        ("<?php echo 1 ?>", "ProcessingInstruction"),
        ('<?xml version="1.0" encoding="utf-7"?>', "EncodingUnsupported"),
    ],
)
async def test_what_soap_forbids_before_the_envelope(server: Server, prefix: str, code: str, version: Version) -> None:
    received = await server.post("sales", prefix.encode() + envelope(order(), version=version), version=version)
    check_fault(received, version, "sales", code=code, element="RequestFault", status=sender(version))


@BOTH
async def test_too_large_by_declaration_and_by_bytes(server: Server, version: Version) -> None:
    async def chunks() -> Any:
        for _ in range(300):
            yield b" " * 1024

    for body in (b" " * 300_000, chunks()):
        received = await server.post("sales", body, version=version)
        check_fault(received, version, "sales", code="TooLarge", element="RequestFault", status=413)


@BOTH
async def test_too_many_elements(start: Any, version: Version) -> None:
    server = await start(max_elements=100)
    received = await server.post("sales", envelope("<a/>" * 200, version=version), version=version)
    check_fault(received, version, "sales", code="TooComplex", element="RequestFault", status=sender(version))


async def test_a_large_message_is_read_off_the_loop_and_judged_all_the_same(server: Server) -> None:
    body = envelope(order("big", quantity=0, extra=f"<customer><name>{'x' * 80_000}</name></customer>"))
    received = await server.post("sales", body)
    assert received.fault()["code"] == "SchemaViolation"


async def test_a_wrong_media_type_and_a_compressed_body(server: Server) -> None:
    received = await server.post("sales", envelope(order()), headers={"Content-Type": "application/json"})
    check_fault(received, Version.SOAP11, "sales", code="MediaTypeUnsupported", element="RequestFault", status=415)
    received = await server.post("sales", envelope(order()), headers={"Content-Encoding": "gzip"})
    check_fault(received, Version.SOAP11, "sales", code="ContentEncodingRefused", element="RequestFault", status=415)


@BOTH
async def test_media_type_of_one_version_with_the_envelope_of_the_other(server: Server, version: Version) -> None:
    other = next(v for v in Version if v is not version)
    received = await server.post("sales", envelope(order(), version=version), version=other)
    check_fault(received, version, "sales", code="ContentTypeMismatch", element="RequestFault", status=415)


@BOTH
async def test_an_envelope_of_no_known_version(server: Server, version: Version) -> None:
    received = await server.post("sales", b'<e:Envelope xmlns:e="urn:soap:9"><e:Body/></e:Envelope>', version=version)
    check_fault(received, version, "sales", code="VersionMismatch", element="RequestFault", status=500)


@BOTH
async def test_a_soap_action_of_another_operation_is_a_fault_and_an_unknown_one_is_not(
    server: Server, version: Version
) -> None:
    for action, code in ((f"{SALES}/GetOrder", "SoapActionMismatch"), ("urn:nothing", None), ("", None)):
        header = (
            {"SOAPAction": f'"{action}"'}
            if version is Version.SOAP11
            else {"Content-Type": f'{version.content_type}; action="{action}"'}
        )
        received = await server.post("sales", envelope(order(), version=version), version=version, headers=header)
        if code:
            check_fault(received, version, "sales", code=code, element="RequestFault", status=sender(version))
        else:
            assert received.status == 200


@BOTH
async def test_header_blocks(server: Server, version: Version) -> None:
    front = "<h:OnBehalfOf xmlns:h='{}'><h:clientAddress>192.0.2.1</h:clientAddress></h:OnBehalfOf>"
    understood = f'<x:a xmlns:x="urn:x" e:mustUnderstand="1">{CANARY}</x:a>'
    for header, text in (
        (front.format("urn:opendepot:header:1"), "right front"),
        (front.format("urn:wrong"), "OnBehalfOf stands once"),
        (understood, "mustUnderstand"),
    ):
        received = await server.post("sales", envelope(order(), version=version, header=header), version=version)
        assert text in received.body.decode()
        assert etree.QName(received.payload).localname == "Fault"
        if version is Version.SOAP11:
            assert received.fault() == {}, "SOAP 1.1 section 4.4: no detail about header entries"
    received = await server.post(
        "sales", envelope(order(), version=version, header="<x:a xmlns:x='urn:x'/>"), version=version
    )
    assert received.status == 200


@BOTH
async def test_an_unknown_shop(server: Server, version: Version) -> None:
    basic = base64.b64encode(f"{server.extra['shop']}:{CANARY}".encode()).decode()
    for header in (
        {},
        {"Authorization": f"Bearer {CANARY}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {basic}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Negotiate abc"},
    ):
        received = await server.post(
            "sales", envelope(order(), version=version), version=version, headers=header, identified=False
        )
        check_fault(received, version, "sales", code="NotIdentified", element="AccessFault", status=401)
        assert "Basic" in received.headers["WWW-Authenticate"]


async def test_basic_lets_a_shop_in_only_under_its_own_name(server: Server) -> None:
    for name, status in ((server.extra["shop"], 200), ("somebody-else", 401)):
        basic = base64.b64encode(f"{name}:{server.api_key}".encode()).decode()
        received = await server.post("sales", envelope(order()), headers={"Authorization": f"Basic {basic}"})
        assert received.status == status


@BOTH
async def test_unknown_things_of_sales(server: Server, version: Version) -> None:
    get = f'<GetOrder xmlns="{SALES}">{{}}</GetOrder>'
    for body, code, element, path in (
        (order(item="NONE"), "ItemUnknown", "NotFoundFault", "orderLine[1]/itemNumber"),
        (
            order(extra="<originalOrderNumber>X</originalOrderNumber>"),
            "OriginalOrderUnknown",
            "NotFoundFault",
            "originalOrderNumber",
        ),
        (get.format("<orderId>x</orderId>"), "OrderUnknown", "NotFoundFault", "GetOrder"),
        (get.format(""), "OrderNameRequired", "RequestFault", "GetOrder"),
        (
            f'<ListItems xmlns="{SALES}"><pageToken>%%%</pageToken></ListItems>',
            "PageTokenInvalid",
            "RequestFault",
            "pageToken",
        ),
    ):
        received = await server.post("sales", envelope(body, version=version), version=version)
        found = check_fault(received, version, "sales", code=code, element=element, status=sender(version))
        assert found["path"] == path


async def test_orders_of_another_shop_are_not_seen(server: Server) -> None:
    await server.post("sales", envelope(order("mine", extra="<orderNumber>N-1</orderNumber>")))
    other = {"Authorization": f"Bearer {server.other_api_key}"}
    get = f'<GetOrder xmlns="{SALES}"><transactionId>mine</transactionId></GetOrder>'
    assert (await server.post("sales", envelope(get), headers=other)).fault()["code"] == "OrderUnknown"
    extra = "<originalOrderNumber>N-1</originalOrderNumber>"
    assert (await server.post("sales", envelope(order("o", extra=extra)), headers=other)).fault()["code"] == (
        "OriginalOrderUnknown"
    )


@BOTH
async def test_conflicts_of_sales(server: Server, version: Version) -> None:
    number = "<orderNumber>N-1</orderNumber>"
    first = await server.post("sales", envelope(order("c", extra=number), version=version), version=version)
    assert first.status == 200
    for body, code in ((order("c"), "TransactionConflict"), (order("d", extra=number), "OrderNumberExists")):
        received = await server.post("sales", envelope(body, version=version), version=version)
        check_fault(received, version, "sales", code=code, element="ConflictFault", status=sender(version))


def update(ticket: str, context: bytes, *, license_id: str = "", quantity: int = 0) -> str:
    target = f"<target><quantity>{quantity}</quantity></target>" if quantity else ""
    license_ = f"<license><licenseId>{license_id}</licenseId>{target}</license>" if license_id else ""
    return (
        f'<GetLicenseUpdate xmlns="urn:opendepot:depot:1"><ticket>{ticket}</ticket>{license_}'
        f"<context>{base64.b64encode(context).decode()}</context></GetLicenseUpdate>"
    )


@BOTH
async def test_what_the_depot_refuses(server: Server, version: Version) -> None:
    container = server.container()
    placed = (await server.post("sales", envelope(order(quantity=2)))).payload
    ticket = placed.findtext(f".//{{{SALES}}}ticket")
    license_id = placed.findtext(f".//{{{SALES}}}licenseId")
    unknown = "00000-00000-00000-00000-00000"
    good, foreign = container.context(FIRM_CODE), container.context(OTHER_FIRM_CODE)
    changed = good.replace(b"<export>1<", b"<export>9<")
    assert changed != good
    for body, code, element, path in (
        (update(unknown, good), "TicketUnknown", "NotFoundFault", "ticket"),
        (update(ticket[:-1] + "?", good), "TicketUnknown", "NotFoundFault", "ticket"),
        (update(ticket, b"<context/>"), "ContextRefused", "RuleFault", "context"),
        (update(ticket, b""), "ContextRefused", "RuleFault", "context"),
        (update(ticket, changed), "ContextRefused", "RuleFault", "context"),
        (update(ticket, foreign), "MixedFirmCodes", "RuleFault", "context"),
        (update(ticket, good, license_id="none"), "LicenseUnknown", "NotFoundFault", "license[1]/licenseId"),
        (
            update(ticket, good, license_id=license_id, quantity=3),
            "NothingFree",
            "RuleFault",
            "license[1]/target/quantity",
        ),
    ):
        received = await server.post("depot", envelope(body, version=version), version=version)
        found = check_fault(received, version, "depot", code=code, element=element, status=sender(version))
        assert found["path"] == path
        assert ticket not in received.body.decode()
    assert ticket not in server.log.getvalue()
    assert server.api_key not in server.log.getvalue()
