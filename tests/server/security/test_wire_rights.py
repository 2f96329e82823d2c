"""API keys that rotate, the rights of shops, the roles of administrators, and fronts that speak for others."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from filtered import GET_TICKET, LIST_ITEMS, ask, core_of, denials, outcome, put_rules, until
from openssl_made import Pair, self_signed
from test_wire_certificates import forms, register
from wire import Received, Server, Start, envelope, order

from licensing.rights import RIGHTS, ROLES
from server.handlers import REGISTRY
from server.handlers.rights import REQUIRED
from storage.commands import LoadServer
from storage.records import AccessPolicy

SALES = "urn:opendepot:sales:1"
ADMIN = "urn:opendepot:admin:1"


def test_every_operation_of_sales_and_admin_stands_in_the_table_of_rights() -> None:
    assert set(REQUIRED["Sales"].rights) == set(REGISTRY["Sales"])
    assert set(REQUIRED["Admin"].roles) == set(REGISTRY["Admin"])
    assert set(REQUIRED["Sales"].rights.values()) <= set(RIGHTS)
    assert {role for roles in REQUIRED["Admin"].roles.values() for role in roles} <= set(ROLES)


# Keys


async def test_two_keys_hold_beside_each_other_until_the_overlap_ends(server: Server) -> None:
    shop = server.extra["shop"]
    async with core_of(server) as core:
        second, _ = await core.credentials.rotate_key(shop, overlap=timedelta(hours=1), label="next")
        assert outcome(await ask(server)) == "ok"
        assert outcome(await ask(server, key=second.secret)) == "ok"
        third, _ = await core.credentials.rotate_key(shop, overlap=timedelta(hours=1))
        await known(server)
        # The newest two hold; the eldest has ended before its time.
        assert outcome(await ask(server)) == "NotIdentified"
        assert outcome(await ask(server, key=second.secret)) == "ok"
        fourth, _ = await core.credentials.rotate_key(shop, overlap=timedelta())
        await known(server)
        assert [outcome(await ask(server, key=made.secret)) for made in (second, third, fourth)] == [
            "NotIdentified",
            "NotIdentified",
            "ok",
        ]
        with pytest.raises(Exception, match="0 to 365 days"):
            await core.credentials.rotate_key(shop, overlap=timedelta(days=366))


async def known(server: Server) -> None:
    """Wait until the server has heard of all changes."""
    async with core_of(server) as core:
        found = await core.storage.query(LoadServer())
    assert found is not None
    keeper = server.up.application.filters
    keeper.hurry()
    await until(lambda: keeper.last().data_version >= found.data_version)
    # What it remembers of credentials is looked at four times a second; a test does not wait for that.
    await keeper._storage.look()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Bearer KEY", "ok"),
        ("bearer  KEY ", "ok"),
        ("Basic SHOP", "ok"),
        ("Basic OTHER", "NotIdentified"),
        ("Basic KEYLESS", "NotIdentified"),
        ("Basic ***", "NotIdentified"),
        ("Basic /w==", "NotIdentified"),
        ("Bearer", "NotIdentified"),
        ("Digest KEY", "NotIdentified"),
        ("", "NotIdentified"),
    ],
)
async def test_bearer_and_basic_are_read_and_nothing_else(server: Server, header: str, said: str) -> None:
    def basic(name: str, key: str) -> str:
        return base64.b64encode(f"{name}:{key}".encode()).decode()

    shop = server.extra["shop"]
    header = header.replace("KEYLESS", basic(shop, "")).replace("SHOP", basic(shop, server.api_key))
    header = header.replace("OTHER", basic("other", server.api_key)).replace("KEY", server.api_key)
    assert outcome(await ask(server, key=None, Authorization=header)) == said


async def test_a_disabled_shop_is_let_in_no_more(server: Server) -> None:
    async with core_of(server) as core:
        await core.credentials.set_active(server.extra["shop"], active=False)
        await known(server)
        assert outcome(await ask(server)) == "NotIdentified"
        assert outcome(await ask(server, path=f"sales/{server.extra['shop']}")) == "NotIdentified"
        await core.credentials.set_active(server.extra["shop"], active=True)
        await known(server)
        assert outcome(await ask(server)) == "ok"


# Rights


CALLS = {
    "CreateOrder": order("r-1"),
    "CreateOrders": f'<CreateOrders xmlns="{SALES}"><order><transactionId>r-2</transactionId><orderLine><itemNumber>'
    f"EDITOR</itemNumber><quantity>1</quantity></orderLine></order></CreateOrders>",
    "CancelOrder": f'<CancelOrder xmlns="{SALES}"><transactionId>r-3</transactionId><orderId>x</orderId>'
    f"<reason>r</reason></CancelOrder>",
    "WithdrawLicense": f'<WithdrawLicense xmlns="{SALES}"><transactionId>r-4</transactionId><licenseId>x</licenseId>'
    f"<reason>r</reason></WithdrawLicense>",
    "ReplaceLicense": f'<ReplaceLicense xmlns="{SALES}"><transactionId>r-5</transactionId><licenseId>x</licenseId>'
    f"<itemNumber>EDITOR</itemNumber><reason>r</reason></ReplaceLicense>",
    "GetOrder": f'<GetOrder xmlns="{SALES}"><orderId>x</orderId></GetOrder>',
    "FindOrders": f'<FindOrders xmlns="{SALES}"/>',
    "ListItems": f'<ListItems xmlns="{SALES}"/>',
}


async def said(server: Server, body: str) -> str:
    return outcome(await server.post("sales", envelope(body)))


async def test_each_operation_of_sales_needs_its_right(server: Server) -> None:
    assert set(CALLS) == set(REGISTRY["Sales"])
    for right in (*RIGHTS, None):
        async with core_of(server) as core:
            await core.catalogue.set_rights(server.extra["shop"], () if right is None else (right,))
        await known(server)
        for operation, body in CALLS.items():
            found = await said(server, body)
            needed = REQUIRED["Sales"].rights[operation]
            assert (found == "RightMissing") == (needed != right), (operation, right, found)


# Administrators


async def admin(server: Server, key: str, body: str) -> Received:
    headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {key}"}
    url = f"{server.up.admin_soap_url}/v1/admin"
    async with server.session.post(url, data=envelope(body), headers=headers) as response:
        return Received(status=response.status, headers=dict(response.headers), body=await response.read())


async def test_each_operation_of_admin_needs_one_of_its_roles(start: Start) -> None:
    server = await start(admin_soap_port=0)
    async with core_of(server) as core:
        keys = {role: await core.catalogue.add_administrator(f"one-{role}", roles=(role,)) for role in ROLES}
        for role, key in keys.items():
            for operation, roles in REQUIRED["Admin"].roles.items():
                found = outcome(await admin(server, key, f'<{operation} xmlns="{ADMIN}"/>'))
                assert (found == "RoleMissing") == (role != "all" and role not in roles), (operation, role, found)
        await core.catalogue.revoke_administrator("one-all")
        body = f'<ExplainAddress xmlns="{ADMIN}"/>'
        assert outcome(await admin(server, keys["all"], body)) == "NotIdentified"
        with pytest.raises(Exception, match="one or more of the roles"):
            await core.catalogue.add_administrator("none", roles=("king",))
        with pytest.raises(Exception, match="no administrator"):
            await core.catalogue.revoke_administrator("one-all")


# Fronts


def for_client(address: str, body: bytes, *, account: str = "") -> bytes:
    told = f"<clientAddress>{address}</clientAddress>" + (f"<account>{account}</account>" if account else "")
    block = f'<OnBehalfOf xmlns="urn:opendepot:header:1">{told}</OnBehalfOf>'
    return body.replace(b"<e:Body>", f"<e:Header>{block}</e:Header><e:Body>".encode())


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return self_signed(tmp_path_factory.mktemp("front"), "front")


class Fronted:
    """A server behind a proxy that tells client certificates, and a shop that may speak for others."""

    def __init__(self, server: Server, header: str) -> None:
        self.server = server
        self._header = header

    async def ask(self, service: str, body: bytes, *, certificate: bool = True, key: bool = False) -> str:
        headers = {"Client-Cert": self._header} if certificate else {}
        headers |= {"Authorization": f"Bearer {self.server.api_key}"} if key else {}
        received = await self.server.post(service, body, headers=headers, identified=False)
        # SOAP 1.1 has no detail in a fault that is about a header block (section 4.4).
        return "FrontRefused" if b"OnBehalfOf needs" in received.body else outcome(received)

    def last_exchange(self) -> dict[str, object]:
        return next(event for event in reversed(self.server.events()) if event["event"] == "exchange")


@pytest.fixture
async def fronted(start: Start, pinned: Pair, tmp_path: Path) -> Fronted:
    server = await start(trusted_proxies=("127.0.0.1",), client_certificate_header="Client-Cert")
    await register(server, pinned)
    async with core_of(server) as core:
        await core.catalogue.set_rights(server.extra["shop"], ("read", "front"))
    await known(server)
    return Fronted(server, forms(pinned)["haproxy"])


async def test_a_front_is_believed_over_a_strong_proof_alone(fronted: Fronted) -> None:
    body = for_client("198.51.100.7", GET_TICKET, account="erika")
    assert await fronted.ask("depot", body) == "TicketUnknown"
    event = fronted.last_exchange()
    assert (event["client"], event["front"], event["shop"]) == (
        "198.51.100.7",
        "127.0.0.1",
        fronted.server.extra["shop"],
    )
    assert await fronted.ask("depot", body, certificate=False, key=True) == "FrontRefused"
    assert await fronted.ask("depot", body, certificate=False) == "NotIdentified"
    assert await fronted.ask("sales", for_client("198.51.100.7", LIST_ITEMS)) == "ok"
    assert await fronted.ask("depot", for_client("localhost", GET_TICKET)) == "ClientUnknown"
    # Without the block the Depot asks nobody who they are.
    assert await fronted.ask("depot", GET_TICKET, certificate=False) == "TicketUnknown"


async def test_without_the_right_nobody_is_a_front(fronted: Fronted) -> None:
    async with core_of(fronted.server) as core:
        await core.catalogue.set_rights(fronted.server.extra["shop"], ("read", "order"))
    await known(fronted.server)
    for service, body in (("depot", GET_TICKET), ("sales", LIST_ITEMS)):
        assert await fronted.ask(service, for_client("198.51.100.7", body)) == "FrontRefused"


async def test_filters_ask_for_the_address_that_a_front_tells(fronted: Fronted) -> None:
    await put_rules(fronted.server, '[[global]]\ndeny = "198.51.100.0/24"')
    for service, body in (("depot", GET_TICKET), ("sales", LIST_ITEMS)):
        assert await fronted.ask(service, for_client("198.51.100.7", body)) == "AddressDenied"
        assert await fronted.ask(service, for_client("192.0.2.7", body)) in {"ok", "TicketUnknown"}
    assert denials(fronted.server)[-1]["client"] == "198.51.100.7"
    await put_rules(fronted.server, '[defaults]\nDepot = "deny"\n[[endpoint.Depot]]\nallow = "127.0.0.1"')
    assert await fronted.ask("depot", for_client("192.0.2.7", GET_TICKET)) == "AddressDenied"
    assert await fronted.ask("sales", for_client("192.0.2.7", LIST_ITEMS)) == "ok"


async def test_the_depot_has_a_policy_of_its_own(fronted: Fronted) -> None:
    shop = fronted.server.extra["shop"]
    async with core_of(fronted.server) as core:
        await core.credentials.set_depot_policy(shop, AccessPolicy.SIGNATURE)
        with pytest.raises(Exception, match="an address proves no shop"):
            await core.credentials.set_depot_policy(shop, AccessPolicy.IP)
    await known(fronted.server)
    assert await fronted.ask("depot", for_client("192.0.2.7", GET_TICKET)) == "NotIdentified"
    assert await fronted.ask("sales", for_client("192.0.2.7", LIST_ITEMS)) == "ok"


async def test_an_administrator_speaks_for_nobody(start: Start) -> None:
    server = await start(admin_soap_port=0)
    async with core_of(server) as core:
        key = await core.catalogue.add_administrator("ops")
    body = for_client("192.0.2.1", envelope(f'<ExplainAddress xmlns="{ADMIN}"/>'))
    headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {key}"}
    async with server.session.post(f"{server.up.admin_soap_url}/v1/admin", data=body, headers=headers) as response:
        received = Received(status=response.status, headers={}, body=await response.read())
    assert b"OnBehalfOf is for Sales and Depot" in received.body
