"""The Admin interface: on a listener of its own, by an administrator's key, with rules in force at once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zeep
from filtered import ask, core_of, outcome, put_rules, until
from wire import Received, Server, Start, envelope

from storage.commands import LoadFilters

NS = "urn:opendepot:admin:1"
Admin = Callable[..., Awaitable[Received]]


@pytest.fixture
async def made(start: Start) -> SimpleNamespace:
    return await administered(await start(admin_soap_port=0))


async def administered(server: Server) -> SimpleNamespace:
    async with core_of(server) as core:
        key = await core.catalogue.add_administrator("ops")

    async def call(body: str, *, key: str | None = key, url: str | None = None) -> Received:
        headers = {"Content-Type": "text/xml", **({} if key is None else {"Authorization": f"Bearer {key}"})}
        place = f"{url or server.up.admin_soap_url}/v1/admin"
        async with server.session.post(place, data=envelope(body), headers=headers) as response:
            return Received(status=response.status, headers=dict(response.headers), body=await response.read())

    return SimpleNamespace(server=server, call=call, key=key, shop=server.extra["shop"])


def get(shop: str) -> str:
    return f'<GetShopFilter xmlns="{NS}"><shopName>{shop}</shopName></GetShopFilter>'


def put(shop: str, version: int, *rules: str, policy: str = "", confirmed: bool = False) -> str:
    said = f"<policy>{policy}</policy>" if policy else ""
    all_rules = "".join(f"<rule>{rule}</rule>" for rule in rules)
    return (
        f'<SetShopFilter xmlns="{NS}"><shopName>{shop}</shopName><version>{version}</version>{said}{all_rules}'
        f"<confirmed>{str(confirmed).lower()}</confirmed></SetShopFilter>"
    )


def rule(effect: str, network: str, rest: str = "") -> str:
    return f"<effect>{effect}</effect><network>{network}</network>{rest}"


async def test_a_shop_s_filter_is_set_read_and_in_force(made: SimpleNamespace) -> None:
    server: Server = made.server
    assert outcome(await made.call(get(made.shop))) == "ok"
    body = put(made.shop, 0, rule("allow", "192.0.2.0/24", "<endpoint>Sales</endpoint>"), policy="ip AND credential")
    answer = await made.call(body)
    assert answer.status == 200, answer.body
    assert b"192.0.2.0/24" in answer.body
    await until(lambda: server.up.application.filters.last().document_version == 1)
    await until(lambda: server.up.application.filters.last().shops[made.shop].access_policy == "ip AND credential")
    assert outcome(await ask(server)) == "AddressDenied"
    assert outcome(await made.call(put(made.shop, 1, rule("allow", "127.0.0.1")))) == "ok"
    await until(lambda: server.up.application.filters.last().document_version == 2)
    assert outcome(await ask(server)) == "ok"


async def test_other_shops_rules_stay_and_the_history_names_the_administrator(made: SimpleNamespace) -> None:
    await put_rules(made.server, '[[global]]\ndeny = "198.51.100.0/24"')
    assert outcome(await made.call(put(made.shop, 1, rule("deny", "192.0.2.1")))) == "ok"
    async with core_of(made.server) as core:
        document = (await core.storage.query(LoadFilters())).document
    assert document is not None
    assert document.author == "ops"
    assert "198.51.100.0/24" in document.rules


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (lambda _: get("nobody"), "ShopUnknown"),
        (lambda shop: put(shop, 7, rule("deny", "192.0.2.1")), "FilterMoved"),
        (lambda shop: put(shop, 0, rule("deny", "192.0.2.1/24")), "NetworkInvalid"),
        (lambda shop: put(shop, 0, rule("allow", "0.0.0.0/0")), "FilterUnconfirmed"),
        (lambda shop: put(shop, 0, rule("permit", "192.0.2.1")), "SchemaViolation"),
        (lambda shop: put(shop, 0, rule("deny", "192.0.2.1"), policy="none"), "SchemaViolation"),
    ],
)
async def test_what_cannot_be_done_is_a_typed_fault(made: SimpleNamespace, body: Any, code: str) -> None:
    assert outcome(await made.call(body(made.shop))) == code


async def test_what_is_dangerous_is_done_when_it_is_confirmed(made: SimpleNamespace) -> None:
    assert outcome(await made.call(put(made.shop, 0, rule("allow", "0.0.0.0/0"), confirmed=True))) == "ok"


async def test_what_the_rules_of_files_make_dangerous_needs_a_confirmation(start: Start, tmp_path: Path) -> None:
    # Alone, this half of all addresses opens nothing; with the half that a file has, it opens Sales to everybody.
    rules = tmp_path / "filters.toml"
    rules.write_text('format = 1\n[[global]]\nallow = "128.0.0.0/1"\n')
    made = await administered(await start(admin_soap_port=0, filter_files=[rules]))
    assert outcome(await made.call(put(made.shop, 0, rule("allow", "0.0.0.0/1")))) == "FilterUnconfirmed"
    rules.write_text('format = 1\n[[global]]\nallow = "10.0.0.0/8"\n')
    keeper = made.server.up.application.filters
    keeper.hurry()
    await until(lambda: str(keeper.of_files[0].rules[0].network) == "10.0.0.0/8")
    assert outcome(await made.call(put(made.shop, 0, rule("allow", "0.0.0.0/1")))) == "ok"


async def test_only_an_administrator_s_key_opens_it(made: SimpleNamespace) -> None:
    for key in (None, "od_wrong", made.server.api_key):
        assert outcome(await made.call(get(made.shop), key=key)) == "NotIdentified"
    assert outcome(await ask(made.server, key=made.key)) == "NotIdentified"


async def test_the_admin_interface_stands_on_its_own_listener_only(made: SimpleNamespace) -> None:
    assert (await made.call(get(made.shop), url=made.server.url)).status == 404
    async with made.server.session.post(f"{made.server.up.admin_soap_url}/v1/sales", data=b"") as response:
        assert response.status == 404


async def test_addresses_are_explained_by_the_rules_in_force(made: SimpleNamespace) -> None:
    await put_rules(made.server, f'[[shop.{made.shop}]]\nallow = "192.0.2.0/24"\ncomment = "the office"')

    def call() -> Any:
        transport = zeep.Transport()
        transport.session.headers["Authorization"] = f"Bearer {made.key}"
        client = zeep.Client(f"{made.server.up.admin_soap_url}/v1/admin?wsdl", transport=transport)
        return client.service.ExplainAddress(address="192.0.2.7", endpoint="Sales", shopName=made.shop)

    found = await asyncio.to_thread(call)
    assert (found.client, found.allowed, found.reason, found.policy, found.verdict) == (
        "192.0.2.7",
        True,
        "allow-rule",
        "credential",
        "credential",
    )
    assert "the office" in found.text
