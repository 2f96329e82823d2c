"""Shop A never sees or touches what is shop B's: every operation with every id of B's, by A's own means."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import zeep
from crm import Crm, started
from filtered import core_of, outcome
from foreign_ids import CASES, NAMES, NO_NAMES, OF_ALL, SERVICES, Case, Holding, leaves, near
from lxml import etree
from made_certificates import certificate
from test_wire_rights import known
from test_wire_zeep import client
from wire import FIRM_CODE, Received, Server, Start, envelope

from licensing.rights import BULK, ORDER, READ
from licensing.tickets import normalise_ticket
from opendepot import DepotClient
from server.core import utc_now
from server.handlers import REGISTRY
from soap.messages import depot

SALES = "urn:opendepot:sales:1"
REFUSED_INSIDE = {
    "CreateOrders": ".//{*}refusal/{*}code",
    **dict.fromkeys(("ExtendLicense", "GetExtension"), ".//{*}update/{*}state"),
}
"""Where an answer says what of it was refused."""
EXTENSIONS = """
[sources.crm]
kind = "http"
url = "{url}/ask"
read = {{ eligible = "eligible" }}

[[rules]]
items = ["EDITOR"]
eligibility = "crm"
when_silent = "refuse"
"""


def urn(service: str) -> str:
    return f"urn:opendepot:{service.lower()}:1"


def test_the_tables_hold_every_operation_and_every_field_that_names_something() -> None:
    """Complete by the contract: whoever adds an operation or a field decides here what it names, and whose."""
    found = [(service, operation, path) for service in SERVICES for operation, path in leaves(service)]
    assert {(service, operation) for service, operation, _ in found} >= {
        (service, operation) for service, operations in REGISTRY.items() for operation in operations
    }
    last = {path.rpartition("/")[2] for _, _, path in found}
    assert last == NAMES | OF_ALL | NO_NAMES, "a leaf of the contract stands in no table, or one of a table nowhere"
    assert len(NAMES) + len(OF_ALL) + len(NO_NAMES) == len(last), "a leaf stands in two tables"
    wanted = {f"{service}.{operation}/{path}" for service, operation, path in found if path.rpartition("/")[2] in NAMES}
    assert set(CASES) == wanted


class Shops:
    """A server with two shops that have the same, one of each."""

    def __init__(self, server: Server, admin_key: str) -> None:
        self.server = server
        self.admin_key = admin_key

    async def holding(self, letter: str, name: str, api_key: str) -> Holding:
        """Place orders, collect one into a container, extend it, and register credentials."""
        server, as_shop = self.server, {"Authorization": f"Bearer {api_key}"}

        async def placed(number: str) -> Received:
            customer = f"<customer><name>n</name><customerNumber>C-{letter}</customerNumber></customer>"
            body = (
                f'<CreateOrder xmlns="{SALES}"><transactionId>t-{number}</transactionId>'
                f"<orderNumber>{number}</orderNumber>{customer}<orderLine><itemNumber>EDITOR</itemNumber><quantity>2</quantity></orderLine></CreateOrder>"
            )
            received = await server.post("sales", envelope(body), headers=as_shop)
            assert outcome(received) == "ok", received.body
            return received

        receipt = await placed(f"{letter}-1")
        for more in ("spare", "other"):
            await placed(f"{letter}-{more}")
        found = {child.tag.rpartition("}")[2]: child.text or "" for child in receipt.payload.iter()}
        lines = "<orderLine><itemNumber>EDITOR</itemNumber><quantity>1</quantity></orderLine>"
        many = "".join(f"<order><transactionId>m-{n}</transactionId>{lines}</order>" for n in range(50))
        await server.post("sales", envelope(f'<CreateOrders xmlns="{SALES}">{many}</CreateOrders>'), headers=as_shop)
        page = await server.post("sales", envelope(f'<FindOrders xmlns="{SALES}"/>'), headers=as_shop)
        container = server.container(f"{letter}.json")
        async with DepotClient(server.url) as licensee:
            await licensee.collect(found["ticket"], container)
            for number in (1, 2):
                named = f"e-{letter}-{number}"
                await licensee.call(
                    "ExtendLicense", depot.ExtendLicenseRequest(transaction_id=named, ticket=found["ticket"])
                )
        made = certificate(f"client {letter}", ends=utc_now() + timedelta(days=1))
        async with core_of(server) as core:
            credential = await core.credentials.add_username(name, f"erp-{letter}")
            await core.credentials.add_certificate(name, made.certificate)
        return Holding(
            shop=name,
            api_key=api_key,
            transaction_id=f"t-{letter}-1",
            order_number=f"{letter}-1",
            spare_number=f"{letter}-spare",
            order_id=found["orderId"],
            ticket=found["ticket"],
            license_id=found["licenseId"],
            customer=f"C-{letter}",
            serial=container.serial,
            context=container.context(FIRM_CODE),
            credential_id=credential.credential.credential_id,
            username=f"erp-{letter}",
            certificate=made.pem.decode(),
            extension=f"e-{letter}-1",
            other_extension=f"e-{letter}-2",
            page_token=str(page.payload.findtext(".//{*}nextPageToken")),
        )

    async def asked(self, name: str, case: Case, a: Holding, b: Holding) -> tuple[str, Received]:
        """Send a case as it says."""
        service, _, rest = name.partition(".")
        operation = rest.partition("/")[0]
        keys = {"shop": a.api_key, "administrator": self.admin_key}
        headers = {"Authorization": f"Bearer {keys[case.by]}"} if case.by in keys else {}
        data = envelope(f'<{operation} xmlns="{urn(service)}">{case.content(a, b)}</{operation}>')
        if service != "Admin":
            received = await self.server.post(service.lower(), data, headers=headers, identified=False)
        else:
            url, headers = f"{self.server.up.admin_soap_url}/v1/admin", {"Content-Type": "text/xml", **headers}
            async with self.server.session.post(url, data=data, headers=headers) as answer:
                received = Received(status=answer.status, headers={}, body=await answer.read())
        said = outcome(received)
        if said == "ok" and (inner := received.payload.findtext(REFUSED_INSIDE.get(operation, "none"))) is not None:
            said = f"Refused {inner}"
        return said, received

    async def seen(self, of: Holding) -> dict[str, bytes]:
        """All that its owner sees of a holding, but what a time or a signature makes different each time."""
        as_shop = {"Authorization": f"Bearer {of.api_key}"}
        calls = (
            ("sales", "GetOrder", f"<orderId>{of.order_id}</orderId>"),
            ("sales", "FindOrders", f"<customerNumber>{of.customer}</customerNumber>"),
            ("depot", "GetTicket", f"<ticket>{of.ticket}</ticket>"),
            ("ozomm", "GetExtension", f"<transactionId>{of.extension}</transactionId><ticket>{of.ticket}</ticket>"),
        )
        answers = {}
        for service, operation, content in calls:
            data = envelope(f'<{operation} xmlns="{urn(service)}">{content}</{operation}>')
            received = await self.server.post(service, data, headers=as_shop if service == "sales" else {})
            assert outcome(received) == "ok", (operation, received.body)
            answers[operation] = received.body
        async with core_of(self.server) as core:
            view = await core.credentials.show(of.shop)
        answers["credentials"] = repr(view).encode()
        return answers


@pytest.fixture
async def shops(start: Start, folder: Any) -> Any:
    crm = Crm()
    runner = await started(crm)
    rules = folder / "ozomm.toml"
    rules.write_text(EXTENSIONS.format(url=crm.url))
    server = await start(ozomm_file=rules, admin_soap_port=0)
    async with core_of(server) as core:
        await core.catalogue.set_rights(server.extra["shop"], (ORDER, READ, BULK))
        admin_key = await core.catalogue.add_administrator("ops")
    await known(server)
    yield Shops(server, admin_key)
    await runner.cleanup()


@pytest.mark.slow
async def test_no_operation_reaches_what_another_shop_has(shops: Shops) -> None:
    server = shops.server
    a = await shops.holding("A", server.extra["shop"], server.api_key)
    b = await shops.holding("B", server.extra["shop"].replace("shop-", "other-"), server.other_api_key)
    with pytest.raises(Exception, match="no such ticket"):
        normalise_ticket(near(b))
    before = await shops.seen(b)
    wrong = []
    for name, case in CASES.items():
        said, received = await shops.asked(name, case, a, b)
        told = [secret for secret in b.secrets() if secret.encode() in received.body]
        told = [secret for secret in told if secret not in case.content(a, b)]
        if said != case.said or told:
            wrong.append((name, said, told, received.body))
    assert not wrong, "\n".join(map(str, wrong))
    assert await shops.seen(b) == before
    # And what is said is said of what is B's alone: with what is A's own it is answered.
    for name in ("Sales.GetOrder/orderId", "Depot.GetLicenseUpdate/license/licenseId", "Sales.FindOrders/pageToken"):
        said, _ = await shops.asked(name, CASES[name], a, a)
        assert said == "ok", name


async def test_a_ticket_reaches_no_licence_of_another_one(server: Server) -> None:
    def attack() -> None:
        line = [{"itemNumber": "EDITOR", "quantity": 2}]
        keys = (server.api_key, server.other_api_key)
        own, foreign = (
            client(server, "sales", "11", key).CreateOrder(transactionId="t", orderLine=line) for key in keys
        )
        depot, container = client(server, "depot", "11"), server.container()
        theirs = [{"licenseId": foreign.license[0].licenseId}]
        before = depot.GetTicket(ticket=[foreign.ticket])
        calls = (depot.GetLicenseUpdate, depot.ReturnLicense)
        for call in calls:
            with pytest.raises(zeep.exceptions.Fault) as refused:
                call(ticket=own.ticket, license=theirs, context=container.context(FIRM_CODE))
            assert b"LicenseUnknown" in etree.tostring(refused.value.detail)
        assert depot.GetTicket(ticket=[foreign.ticket]) == before

    await asyncio.to_thread(attack)


async def test_a_credential_of_one_shop_cannot_be_taken_by_another_s_name(server: Server) -> None:
    async with core_of(server) as core:
        view = await core.credentials.show(server.extra["shop"])
        other, _ = await core.catalogue.add_shop("taker")
        with pytest.raises(Exception, match="has no credential"):
            await core.credentials.revoke(other.name, view.credentials[0].credential_id)
    await known(server)
    assert outcome(await server.post("sales", envelope(f'<ListItems xmlns="{SALES}"/>'))) == "ok"
