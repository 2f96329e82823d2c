"""What a distributed PostgreSQL cannot be asked for is not asked for: the database's own log of statements shows it."""

import re

import asyncpg
import pytest
from places import PostgresPlace
from postgres_server import started_server

from storage import open_storage
from storage.commands import (
    FindOrder,
    FindShop,
    FindTickets,
    ListItems,
    LoadServer,
    PrepareOrder,
    StoreSigned,
    TraceTicket,
)
from storage.errors import StorageError

FORBIDDEN = re.compile(
    r"\b(LISTEN|UNLISTEN|NOTIFY|pg_notify|pg_(try_)?advisory\w*|nextval|setval|BIGSERIAL|GENERATED \w+ AS IDENTITY"
    r"|LOCK TABLE|SERIALIZABLE|PREPARE TRANSACTION|DECLARE|CREATE TEMP\w*)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def logging_server():
    """A server that writes down every statement; only the tests of this file use it."""
    server = started_server(durable=False, log_statement="all")
    yield server
    server.remove()


async def test_no_command_query_or_migration_listens_or_takes_advisory_locks_or_sequences(logging_server, make, load):
    place = PostgresPlace(logging_server, logging_server.new_database())
    storage = await open_storage(place.location)
    epoch = make.epoch
    order = make.order(number="N-1", quantity=3)
    steps = (make.step((epoch, 1), (0, 0), kind="Reset"),)
    commands = [make.initialise(), make.shop("acme"), make.item("ITEM-1"), order, order]
    commands += [make.order(number="N-1"), make.apply(make.container(end=(epoch, 1)), steps=steps)]
    for command in commands:
        await storage.execute(command)
    await storage.execute(StoreSigned(serial="130-1", firm_code=10, signed=(((epoch, 1), b"signed"),)))
    queries = [LoadServer(), FindShop(lookup=b"key of acme"), ListItems(after="", limit=9)]
    queries += [FindOrder(shop_id="shop-acme", order_number="N-1"), FindTickets(lookups=(order.ticket.lookup,))]
    queries += [TraceTicket(lookup=order.ticket.lookup)]
    queries += [
        PrepareOrder(
            shop_id="shop-acme",
            operation="CreateOrder",
            transaction_id="T",
            item_numbers=("ITEM-1",),
            original_order_number="N-1",
        )
    ]
    for query in queries:
        await storage.query(query)
    await load(storage)
    await storage.ready()
    await storage.close()
    log = (logging_server.folder / "log").read_text()
    for expected in ("CREATE TABLE orders", "INTO orders", "INTO steps", "FROM placements", "COMMIT"):
        assert expected in log
    spoken = re.sub(r"--[^\n]*", "", log)
    assert [found.group() for found in FORBIDDEN.finditer(spoken)] == []
    assert place.run("SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace") == [
        (0,)
    ]
    place.run("LISTEN something")
    assert FORBIDDEN.search((logging_server.folder / "log").read_text()), "the log would show it"


async def test_a_connection_limit_is_busy_and_heals_when_others_leave(make):
    server = started_server(durable=False, max_connections="6", superuser_reserved_connections="0")
    try:
        address = server.address(server.new_database())
        storage = await open_storage(address)
        await storage.execute(make.initialise())
        await storage.close()
        greedy = [await _connection(address) for _ in range(6)]
        with pytest.raises(StorageError, match="53300") as caught:
            await open_storage(address)
        assert (caught.value.code, caught.value.retry) == ("StorageBusy", True)
        for connection in greedy:
            await connection.close()
        storage = await open_storage(address)
        assert await storage.query(LoadServer()) is not None
        await storage.close()
    finally:
        server.remove()


async def _connection(address):
    return await asyncpg.connect(address)
