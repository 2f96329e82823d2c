"""A message is taken once: by both workers of a supervisor, after its restart, and by another node on its database."""

import asyncio
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from digest_messages import digest_message
from openssl_made import self_signed
from postgres_server import PostgresServer, started_server
from test_wire_message_security import by_xmlsec1, template
from wire import order

sys.path.append(str(Path(__file__).parents[1] / "supervise"))

from supervised import ITEM, Depot, Supervised, in_thread, make_depot, until

from server.core import opened_core
from server.security.certificates import read_pem
from server.settings import load_settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]

MOST = 200
"""So many connections one after the other do not all come to the same worker."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture
def depot(tmp_path: Path, postgres: PostgresServer) -> Depot:
    """A server's files, with its database on PostgreSQL."""
    made = make_depot(tmp_path / "made")  # for its keys
    address = postgres.address(postgres.new_database())
    made.config.write_text(made.config.read_text().replace('"opendepot.sqlite3"', f'"{address}"'))
    made.database.unlink()
    return made


async def filled(depot: Depot, pem: bytes) -> str:
    """A shop with a certificate and a username, whose secret is given."""
    async with opened_core(load_settings(depot.config)) as core:
        await core.catalogue.add_item(item_number=ITEM, firm_code=6000010, product_code=1)
        await core.catalogue.add_shop("shop")
        await core.credentials.add_certificate("shop", read_pem(pem))
        return (await core.credentials.add_username("shop", "machine")).secret


async def sent(server: Supervised, message: bytes) -> str:
    """Send a message on a connection of its own: `ok`, or the code of the fault."""
    headers = {"Content-Type": "text/xml"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/v1/sales", data=message, headers=headers) as answer,
    ):
        found = re.search(rb"<(?:\w+:)?code>(\w+)", await answer.read())
        return "ok" if answer.status == 200 else (found[1].decode() if found else str(answer.status))


async def refusing(server: Supervised) -> set[str]:
    """The workers that have refused a message as sent before."""
    _, metrics = await server.fetched("/metrics", admin=True)
    found = re.findall(
        r'opendepot_message_security_total\{outcome="SecurityReplayed",worker="(\d+)"\} ([0-9.]+)', metrics
    )
    return {worker for worker, count in found if float(count) > 0}


async def refused_by_all_workers(server: Supervised, messages: list[bytes]) -> None:
    """Send messages that were taken before until both workers have refused one; nobody takes one."""
    for number in range(MOST):
        assert await sent(server, messages[number % len(messages)]) == "SecurityReplayed"
        if number % 10 == 9 and len(await refusing(server)) == 2:
            return
    raise AssertionError(f"only {await refusing(server)} were asked")


async def test_a_second_use_is_refused_by_the_other_worker_after_a_restart_and_on_another_node(
    depot: Depot, tmp_path: Path
) -> None:
    pair = self_signed(tmp_path, "p256")
    secret = in_thread(lambda: asyncio.run(filled(depot, pair.certificate.read_bytes())))
    with ExitStack() as stack:
        server = Supervised(depot, workers=2)
        stack.callback(server.end)
        await server.serving()
        writing = by_xmlsec1(template(order("t-1", item=ITEM), pair), pair, tmp_path)
        reading = by_xmlsec1(template('<ListItems xmlns="urn:opendepot:sales:1"/>', pair), pair, tmp_path)
        digests = [digest_message("machine", secret), digest_message("machine", secret, order("t-2", item=ITEM))]
        messages = [writing, reading, *digests]
        # At once, from many connections: whoever comes first, it is one of them.
        for message in messages:
            outcomes = await asyncio.gather(*(sent(server, message) for _ in range(8)))
            assert sorted(outcomes) == ["SecurityReplayed"] * 7 + ["ok"], outcomes
        await refused_by_all_workers(server, messages)
        other = Depot(folder=tmp_path / "other", api_key="")
        shutil.copytree(depot.folder, other.folder, ignore=shutil.ignore_patterns("events.log"))
        node = Supervised(other, workers=0)
        stack.callback(node.end)
        await node.serving()
        assert [await sent(node, message) for message in messages] == ["SecurityReplayed"] * 4
        mine = digest_message("machine", secret)
        assert [await sent(node, mine), await sent(server, mine)] == ["ok", "SecurityReplayed"]
        server.tell(signal.SIGTERM)
        assert await server.ended() == 0
        again = Supervised(depot, workers=2)
        stack.callback(again.end)
        await until(lambda: len(again.events("serving")) > 1, "it serves again")
        fresh = again.events("serving")[-1]
        again.events = lambda *_: [fresh]  # type: ignore[method-assign,assignment]
        assert [await sent(again, message) for message in [*messages, mine]] == ["SecurityReplayed"] * 5
