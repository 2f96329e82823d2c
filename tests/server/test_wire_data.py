"""Protected, hidden and secret data over TCP: from the order into the container, in the clear nowhere."""

import base64
import hmac

from wire import FIRM_CODE, Server, envelope, order

from opendepot import DepotClient
from opendepot.licence import Licence
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap import Version

SALES = "urn:opendepot:sales:1"
PLAIN = b"the phrase of this customer"


def field(kind: str, number: int, value: bytes) -> str:
    return f"<data><kind>{kind}</kind><number>{number}</number><value>{base64.b64encode(value).decode()}</value></data>"


def with_fields(transaction: str, *fields: str) -> bytes:
    return envelope(order(transaction, item="DATA").replace("</quantity>", f"</quantity>{''.join(fields)}"))


async def test_data_of_an_item_and_of_an_order_reach_the_application(server: Server) -> None:
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        await core.catalogue.add_item(
            item_number="DATA", firm_code=FIRM_CODE, product_code=77, data={"protected": {0: b"Made for all"}}
        )
    fields = (field("Hidden", 127, PLAIN), field("Secret", 1, b"key"))
    placed = await server.post("sales", with_fields("t", *fields))
    ticket = placed.payload.findtext(f".//{{{SALES}}}ticket") or ""
    container = server.container()
    async with DepotClient(server.url) as licensee:
        await licensee.collect(ticket, container)
    licence = Licence(container, firm_code=FIRM_CODE, product_code=77)
    assert (licence.protected(), licence.hidden()) == ({0: b"Made for all"}, {127: PLAIN})
    assert licence.answer(1, b"who are you") == hmac.digest(b"key", b"who are you", "sha256")
    for path in server.folder.iterdir():
        if path.is_file():
            assert PLAIN not in path.read_bytes(), path
    assert PLAIN.decode() not in server.log.getvalue()


async def test_fields_that_cannot_be_are_refused_by_the_contract_or_by_their_place(server: Server) -> None:
    right = field("Hidden", 1, b"x")
    for wrong in (field("hidden", 2, b"x"), field("Hidden", 128, b"x"), field("Hidden", -1, b"x")):
        assert (await server.post("sales", with_fields("schema", wrong))).fault()["code"] == "SchemaViolation"
    for wrong in (right, field("Hidden", 2, b""), field("Hidden", 2, PLAIN * 20)):
        async with opened_core(load_settings(server.folder / CONFIG)) as core:
            if not any(item.item_number == "DATA" for item in await core.catalogue.list_items()):
                await core.catalogue.add_item(item_number="DATA", firm_code=FIRM_CODE, product_code=77)
        received = await server.post("sales", with_fields("rule", right, wrong), version=Version.SOAP11)
        found = received.fault()
        assert (found["code"], found["path"]) == ("DataInvalid", "orderLine[1]/data[2]")
        assert PLAIN not in received.body
