"""Shops and their credentials by the Admin interface, with a foreign client; and each refusal."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import zeep
from filtered import ask, core_of, outcome
from openssl_made import self_signed
from test_wire_rights import known
from wire import Server, Start

Run = Callable[[Callable[[Any], Any]], Awaitable[Any]]


@pytest.fixture
async def administered(start: Start) -> tuple[Server, Run]:
    server = await start(admin_soap_port=0)
    async with core_of(server) as core:
        key = await core.catalogue.add_administrator("ops", roles=("security",))

    async def run(work: Callable[[Any], Any]) -> Any:
        def inside() -> Any:
            client = zeep.Client(f"{server.up.admin_soap_url}/v1/admin?wsdl")
            client.transport.session.headers["Authorization"] = f"Bearer {key}"
            return work(client.service)

        return await asyncio.to_thread(inside)

    return server, run


async def test_a_shop_lives_its_life_by_the_admin_interface(administered: tuple[Server, Run], tmp_path: Path) -> None:
    server, run = administered
    made = await run(lambda admin: admin.CreateShop(shopName="acme", right=["read"]))
    await known(server)
    assert outcome(await ask(server, key=made.apiKey)) == "ok"
    pem = self_signed(tmp_path, "acme").certificate.read_text()

    def grow(admin: Any) -> Any:
        key = admin.AddCredential(shopName="acme", kind="api-key", label="second", overlap={"hours": 0})
        name = admin.AddCredential(shopName="acme", kind="username", userName="machine")
        pinned = admin.AddCredential(shopName="acme", kind="certificate", certificate=pem)
        assert name.secret
        assert pinned.secret is None
        changed = admin.UpdateShop(
            shopName="acme",
            rights={"right": ["read", "order", "front"]},
            policy="ip OR credential",
            depotPolicy="mtls",
            admission={"active": True},
        )
        assert (changed.policy, changed.depotPolicy, changed.active) == ("ip OR credential", "mtls", True)
        assert changed.right == ["front", "order", "read"]
        assert [one.kind for one in changed.credential] == ["api-key", "api-key", "username", "certificate"]
        assert [one.state for one in changed.credential] == ["Ending", "Holds", "Holds", "Holds"]
        assert admin.RevokeCredential(shopName="acme", credentialId=pinned.credentialId).state == "Revoked"
        page = admin.ListShops()
        (shop,) = [shop for shop in page.shop if shop.shopName == "acme"]
        assert not page.hasMore
        assert shop.credential[-1].state == "Revoked"
        return key.secret

    second = await run(grow)
    await known(server)
    assert outcome(await ask(server, key=made.apiKey)) == "NotIdentified"
    assert outcome(await ask(server, key=second)) == "ok"
    await run(lambda admin: admin.UpdateShop(shopName="acme", admission={"active": False}))
    await known(server)
    assert outcome(await ask(server, key=second)) == "NotIdentified"


@pytest.mark.parametrize(
    ("operation", "values", "code"),
    [
        ("CreateShop", {"shopName": "a:b"}, "NameInvalid"),
        ("UpdateShop", {"shopName": "nobody"}, "ShopUnknown"),
        ("UpdateShop", {"shopName": "SHOP", "depotPolicy": "ip"}, "PolicyInvalid"),
        ("AddCredential", {"shopName": "SHOP", "kind": "username"}, "NameInvalid"),
        ("AddCredential", {"shopName": "SHOP", "kind": "username", "userName": "a b"}, "NameInvalid"),
        ("AddCredential", {"shopName": "SHOP", "kind": "certificate"}, "CertificateInvalid"),
        ("AddCredential", {"shopName": "SHOP", "kind": "authority", "certificate": "no"}, "CertificateInvalid"),
        ("RevokeCredential", {"shopName": "SHOP", "credentialId": "none"}, "CredentialUnknown"),
        ("CreateShop", {"shopName": "SHOP"}, "NameTaken"),
    ],
)
async def test_each_refusal_is_told(
    administered: tuple[Server, Run], operation: str, values: dict[str, Any], code: str
) -> None:
    server, run = administered
    given = {name: server.extra["shop"] if value == "SHOP" else value for name, value in values.items()}
    with pytest.raises(zeep.exceptions.Fault) as refused:
        await run(lambda admin: admin[operation](**given))
    assert [node.text for node in refused.value.detail.iter() if str(node.tag).endswith("code")] == [code]
