"""Rules of items over TCP: every refusal as a typed fault of its service, in both SOAP versions."""

import base64

import pytest
from wire import FIRM_CODE, Server, envelope, order

from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap import Version

SALES = "urn:opendepot:sales:1"
BOTH = pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])


@BOTH
async def test_what_the_rules_of_an_item_refuse(server: Server, version: Version) -> None:
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        for number, rule in (
            ("KIND", "containerKinds=Dongle"),
            ("ONE", "dedicated=yes"),
            ("WHOLE", "split=no"),
            ("ALL", "inseparable=yes"),
        ):
            await core.catalogue.add_item(item_number=number, firm_code=FIRM_CODE, product_code=1, rules=(rule,))
    line = "orderLine[1]/containerSerial"

    def named(item: str, serial: str, transaction: str = "named") -> str:
        named_line = f"</quantity><containerSerial>{serial}</containerSerial>"
        return order(transaction, item=item, quantity=2).replace("</quantity>", named_line)

    async def refused(service: str, body: str, code: str, path: str) -> None:
        received = await server.post(service, envelope(body, version=version), version=version)
        found = received.fault()
        assert (found["code"], found["element"], found["path"]) == (code, "RuleFault", path)
        assert received.status == (500 if version is Version.SOAP11 else 400)

    await refused("sales", order("none", item="ONE"), "ContainerSerialRequired", line)
    await refused("sales", named("ONE", "x"), "ContainerSerialInvalid", line)
    await refused("sales", named("KIND", "130-1"), "ContainerKindRefused", line)

    context = base64.b64encode(server.container().context(FIRM_CODE)).decode()
    for body, code in (
        (order("k", item="KIND", quantity=2), "ContainerKindRefused"),
        (named("ONE", "3-4019155"), "DedicatedElsewhere"),
        (order("w", item="WHOLE", quantity=2), "SplitRefused"),
        (order("a", item="ALL", quantity=2), "TicketInseparable"),
    ):
        placed = (await server.post("sales", envelope(body))).payload
        ticket, license_id = (placed.findtext(f".//{{{SALES}}}{name}") for name in ("ticket", "licenseId"))
        asked = (
            f'<GetLicenseUpdate xmlns="urn:opendepot:depot:1"><ticket>{ticket}</ticket><license>'
            f"<licenseId>{license_id}</licenseId><target><quantity>1</quantity></target></license>"
            f"<context>{context}</context></GetLicenseUpdate>"
        )
        path = {"SplitRefused": "license[1]/target/quantity", "TicketInseparable": "license"}.get(code, "license[1]")
        await refused("depot", asked, code, path)
