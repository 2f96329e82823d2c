"""What the Admin interface changes in several places is changed whole or not at all."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import zeep
import zeep.exceptions
from filtered import core_of
from wire import Start

from licensing.credentials import API_KEY
from server.core import utc_now
from server.security.wssecurity.once import MarkingStorage
from storage.commands import SetAccessPolicy, SetDepotPolicy, SetRights
from storage.together import AllOrNone

pytestmark = pytest.mark.slow


async def test_a_shop_is_updated_whole_or_not_at_all(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start(admin_soap_port=0)
    async with core_of(server) as core:
        key = await core.catalogue.add_administrator("ops", roles=("security",))
        before = await core.credentials.show(server.extra["shop"])

        def updated(**values: Any) -> Any:
            client = zeep.Client(f"{server.up.admin_soap_url}/v1/admin?wsdl")
            client.transport.session.headers["Authorization"] = f"Bearer {key}"
            return client.service.UpdateShop(shopName=before.shop.name, **values)

        whole = {"depotPolicy": "mtls", "policy": "ip OR credential", "admission": {"active": True}}
        with pytest.raises(zeep.exceptions.Fault, match="proves no shop"):
            await asyncio.to_thread(updated, rights={"right": ["read"]}, **{**whole, "depotPolicy": "ip"})
        assert await core.credentials.show(before.shop.name) == before
        executed = []
        execute = MarkingStorage.execute

        async def counted(storage: MarkingStorage, command: Any) -> Any:
            executed.append(command)
            return await execute(storage, command)

        monkeypatch.setattr(MarkingStorage, "execute", counted)
        changed = await asyncio.to_thread(updated, rights={"right": ["read"]}, **whole)
        assert (changed.policy, changed.depotPolicy, changed.right) == ("ip OR credential", "mtls", ["read"])
        (command,) = [one for one in executed if isinstance(one, AllOrNone)]
        assert len(command.commands) == 4, "one transaction for all of it"
        assert not any(isinstance(one, SetRights | SetDepotPolicy | SetAccessPolicy) for one in executed)


async def test_a_third_key_ends_the_eldest_in_the_same_moment(start: Start) -> None:
    server = await start()
    name = server.extra["shop"]
    async with core_of(server) as core:
        made = [(await core.credentials.rotate_key(name, overlap=timedelta(hours=1)))[0] for _ in range(3)]
        view = await core.credentials.show(name)
        holding = [one.credential_id for one in view.credentials if one.kind == API_KEY and one.holds(utc_now())]
        assert holding == [one.credential.credential_id for one in made[1:]]
        assert await core.credentials.find_api_key(server.api_key) is None
        for one in made[1:]:
            assert await core.credentials.find_api_key(one.secret) is not None
