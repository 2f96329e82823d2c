"""Empty elements over TCP (rule R10): what would mean "all" is refused and acts on nothing, the rest is left out."""

import base64

import pytest
from wire import FIRM_CODE, Server, envelope, order

from opendepot import DepotClient
from soap import Version

DEPOT, SALES = "urn:opendepot:depot:1", "urn:opendepot:sales:1"
NIL = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
EMPTY = "this element is empty, which does not mean left out; leave it out, or give it its "
NOT_NIL = "xsi:nil is not allowed here; leave the element out."


async def ordered(server: Server) -> tuple[str, str]:
    placed = (await server.post("sales", envelope(order(quantity=3)))).payload
    ticket, license_id = (str(placed.findtext(f".//{{{SALES}}}{name}")) for name in ("ticket", "licenseId"))
    return ticket, license_id


def asked(server: Server, operation: str, ticket: str, licenses: str) -> str:
    container = server.extra.get("container") or server.container()
    server.extra["container"] = container
    context = base64.b64encode(container.context(FIRM_CODE)).decode()
    return f'<{operation} xmlns="{DEPOT}"><ticket>{ticket}</ticket>{licenses}<context>{context}</context></{operation}>'


@pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])
async def test_what_would_mean_all_is_refused_and_acts_on_nothing(server: Server, version: Version) -> None:
    ticket, license_id = await ordered(server)
    named = f"<licenseId>{license_id}</licenseId>"
    withdrawal = (
        f'<WithdrawLicense xmlns="{SALES}"><transactionId>w</transactionId>{named}<pieces/>'
        "<reason>a reason</reason></WithdrawLicense>"
    )
    updates = f'<GetLicenseUpdates xmlns="{DEPOT}"><ticket>{ticket}</ticket><limit> </limit></GetLicenseUpdates>'
    search = f'<FindOrders xmlns="{SALES}"><createdFrom/></FindOrders>'
    extension = (
        f'<ExtendLicense xmlns="{DEPOT}"><transactionId>x</transactionId><ticket>{ticket}</ticket><license/>'
        "</ExtendLicense>"
    )
    for service, body, path, message in (
        ("depot", asked(server, "GetLicenseUpdate", ticket, "<license/>"), "license", f"{EMPTY}licenseId."),
        ("depot", asked(server, "GetLicenseUpdate", ticket, f"<license {NIL}/>"), "license", NOT_NIL),
        (
            "depot",
            asked(server, "GetLicenseUpdate", ticket, f"<license>{named}<target/></license>"),
            "license/target",
            f"{EMPTY}quantity.",
        ),
        (
            "depot",
            asked(server, "GetLicenseUpdate", ticket, f"<license>{named}</license><license/>"),
            "license[2]",
            f"{EMPTY}licenseId.",
        ),
        (
            "depot",
            asked(server, "ReturnLicense", ticket, f"<license>{named}<remainder/></license>"),
            "license/remainder",
            f"{EMPTY}quantity.",
        ),
        ("depot", updates, "limit", f"{EMPTY}updates."),
        ("depot", extension, "license", f"{EMPTY}licenseId."),
        ("sales", withdrawal, "pieces", f"{EMPTY}quantity."),
        ("sales", search, "createdFrom", f"{EMPTY}time."),
    ):
        refused = await server.post(service, envelope(body, version=version), version=version)
        fault = refused.fault()
        operation = body[1:].partition(" ")[0]
        assert (fault["code"], fault["path"]) == ("SchemaViolation", f"{operation}/{path}")
        assert fault["message"] == f"line 1: {message}"
        assert fault["element"] == "RequestFault"

    async with DepotClient(server.url) as depot:
        (license_,) = (await depot.get_ticket(ticket)).license
    assert (license_.free, license_.quantity) == (3, 3), "nothing was collected, returned or withdrawn"


async def test_an_empty_customer_an_empty_text_and_nil_are_as_if_left_out(server: Server) -> None:
    extra = "<orderNumber/><originalTicket></originalTicket><customer/>"
    placed = (await server.post("sales", envelope(order(extra=extra)))).payload
    ticket = str(placed.findtext(f".//{{{SALES}}}ticket"))
    license_id = str(placed.findtext(f".//{{{SALES}}}licenseId"))
    licenses = f"<license><licenseId>{license_id}</licenseId><target {NIL}/></license>"
    body = asked(server, "GetLicenseUpdate", ticket, licenses).replace("</context>", "</context><user/>")
    answered = await server.post("depot", envelope(body))
    assert answered.payload.findtext(f".//{{{DEPOT}}}state") == "Done"
