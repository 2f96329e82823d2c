"""What a real PostgreSQL does to the storage: locks, limits, ended connections, a crash; and what stands in between."""

import asyncio
import random
import signal

import asyncpg
import pytest
from failing_postgres import SECRET, failing_connections, open_failing, sql_error
from postgres_server import started_server, until_blocked

from storage import open_storage
from storage.commands import (
    AlreadyAnswered,
    FindOrder,
    FindShop,
    FindTickets,
    LoadServer,
    OrderNumberTaken,
    Placed,
    TraceTicket,
)
from storage.errors import (
    ConstraintRefused,
    DiskFull,
    LocationInvalid,
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageUnavailable,
)
from storage.postgres.errors import typed_error
from storage.postgres.statements import numbered, statements
from storage.postgres.transactions import Retries

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.subject LIKE 'order%' AND {condition} THEN
        {action};
    END IF;
    RETURN NEW;
END
$$
"""


@pytest.fixture
def refuse(place):
    """Let every audit row of an order, under a condition, do something."""

    def refusing(action, condition="true", trigger="TRIGGER refuse BEFORE INSERT ON audit"):
        place.run(
            REFUSING.format(action=action, condition=condition),
            f"CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION refuse()",
        )

    return refusing


@pytest.fixture
async def holder(place):
    """A connection of somebody else, in a transaction."""
    connection = await asyncpg.connect(place.location)
    await connection.execute("BEGIN")
    yield connection
    await connection.close()


async def test_a_row_that_is_held_too_long_is_busy_and_a_short_time_is_waited_for(stocked, make, place, holder):
    impatient = await open_failing(place.location, asyncpg.Connection, busy_seconds=0.05)
    await holder.execute("UPDATE server SET write_checks = 7")
    with pytest.raises(StorageBusy, match="55P03"):
        await impatient.execute(make.item("ITEM-5"))
    waiting = asyncio.create_task(stocked.execute(make.item("ITEM-6")))
    await until_blocked(place.run)
    await holder.execute("ROLLBACK")
    assert await waiting is True
    assert await impatient.execute(make.item("ITEM-5")) is True
    await impatient.close()


async def test_a_statement_that_takes_too_long_is_busy(stocked, make, place, holder):
    impatient = await open_failing(place.location, asyncpg.Connection, statement_seconds=0.05)
    await holder.execute("LOCK TABLE tickets")
    with pytest.raises(StorageBusy, match="57014"):
        await impatient.execute(make.order())
    with pytest.raises(StorageBusy, match="57014"):
        await impatient.query(FindTickets(lookups=(b"x",)))
    await holder.execute("ROLLBACK")
    assert await impatient.execute(make.order()) == Placed()
    await impatient.close()


async def test_a_connection_that_is_ended_in_the_middle_leaves_nothing_behind(stocked, make, place, holder, dump):
    before = dump()
    await holder.execute("LOCK TABLE orders")
    waiting = asyncio.create_task(stocked.execute(make.order(transaction="T-1")))
    await until_blocked(place.run)
    place.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with pytest.raises(StorageUnavailable, match=r"57P01|08003"):
        await waiting
    await holder.execute("ROLLBACK")
    assert dump() == before
    assert await stocked.execute(make.order(transaction="T-1")) == Placed()


async def test_all_idle_connections_ended_at_once_are_replaced_unnoticed(stocked, make, place):
    assert await stocked.execute(make.order()) == Placed()
    for _ in range(3):
        ended = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        place.run(ended)
        assert await stocked.execute(make.order()) == Placed()
        assert await stocked.query(LoadServer()) is not None
        assert await stocked.query(FindTickets(lookups=(b"x",))) == ()


async def test_a_connection_that_dies_during_commit_is_an_unknown_outcome_and_not_tried_again(
    stocked, make, refuse, place
):
    at_commit = "CONSTRAINT TRIGGER refuse AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED"
    refuse("PERFORM pg_terminate_backend(pg_backend_pid())", trigger=at_commit)
    connections = failing_connections()
    storage = await open_failing(place.location, connections)
    order = make.order()
    connections.seen.clear()
    with pytest.raises(StorageUnavailable, match="may have been carried out"):
        await storage.execute(order)
    assert connections.seen.count("COMMIT") == 1
    place.run("DROP TRIGGER refuse ON audit")
    assert await storage.query(FindOrder(shop_id="shop-acme", order_id=order.order.order_id)) is None
    assert await storage.execute(order) == Placed()
    await storage.close()


async def test_a_rule_that_is_only_checked_at_commit_refuses_one_order_and_leaves_its_neighbours(
    stocked, make, refuse, place
):
    at_commit = "CONSTRAINT TRIGGER refuse AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED"
    orders = [make.order() for _ in range(5)]
    bad = f"NEW.subject = '{orders[2].order.order_id}'"
    refuse("RAISE EXCEPTION 'no' USING ERRCODE = '23514'", condition=bad, trigger=at_commit)
    results = await asyncio.gather(*map(stocked.execute, orders), return_exceptions=True)
    assert [type(result) for result in results] == [Placed, Placed, ConstraintRefused, Placed, Placed]


@pytest.mark.parametrize(
    "case",
    [
        ("53100", DiskFull, DiskFull),
        ("23514", ConstraintRefused, Placed),
        ("P0001", StorageError, Placed),
    ],
    ids=lambda case: case[0],
)
async def test_what_one_order_meets_reaches_its_neighbours_only_where_it_says_nothing_of_the_order(
    stocked, make, refuse, place, case
):
    state, expected, neighbours = case
    orders = [make.order() for _ in range(4)]
    bad = f"NEW.subject = '{orders[1].order.order_id}'"
    refuse(f"RAISE EXCEPTION 'with {SECRET}' USING ERRCODE = '{state}'", condition=bad)
    storage = await open_failing(place.location, asyncpg.Connection)
    results = await asyncio.gather(*map(storage.execute, (make.order(), *orders)), return_exceptions=True)
    assert [type(result) for result in results] == [Placed, neighbours, expected, neighbours, neighbours]
    assert SECRET not in str(results)
    place.run("DROP TRIGGER refuse ON audit")
    again = await asyncio.gather(*map(storage.execute, orders))
    assert {type(result) for result in again} <= {Placed, AlreadyAnswered}
    await storage.close()


async def test_what_is_acknowledged_waits_for_the_disk_whatever_the_database_defaults_to(
    stocked, make, place, refuse, open_node
):
    place.run(f"ALTER DATABASE {place.name} SET synchronous_commit = off")
    refuse("RAISE EXCEPTION 'too early'", condition="current_setting('synchronous_commit') <> 'on'")
    node = await open_node()
    assert await node.execute(make.order()) == Placed()
    with pytest.raises(asyncpg.PostgresError, match="too early"):
        place.run("INSERT INTO audit (at, actor, action, subject, details) VALUES (1, '', '', 'order', '{}')")


async def test_a_database_that_takes_no_writes_is_unavailable_and_still_read(stocked, make, place, open_node):
    place.run(f"ALTER DATABASE {place.name} SET default_transaction_read_only = on")
    node = await open_node()
    for attempt in (node.ready(), node.execute(make.order()), node.execute(make.item("ITEM-5"))):
        with pytest.raises(StorageUnavailable, match="25006"):
            await attempt
    assert await node.query(LoadServer()) is not None


async def test_a_query_of_several_statements_sees_one_moment(stocked, make, place):
    first = make.order()
    await stocked.execute(first)
    writes = []

    class Late(asyncpg.Connection):
        """Another node places an order on the ticket after each statement."""

        async def fetch(self, query, *args, **options):
            rows = await super().fetch(query, *args, **options)
            writes.append(await stocked.execute(make.order(ticket=first.ticket)))
            return rows

    storage = await open_failing(place.location, Late)
    question = TraceTicket(lookup=first.ticket.lookup)
    before = await stocked.query(question)
    writes.clear()
    assert await storage.query(question) == before
    assert writes == [Placed()] * 5
    await storage.close()


async def test_a_full_line_of_queries_is_busy_and_given_up_ones_make_room(stocked, place, holder):
    connections = failing_connections()
    storage = await open_failing(place.location, connections, queue_limit=2)
    await holder.execute("LOCK TABLE tickets")
    waiting = [asyncio.create_task(storage.query(FindTickets(lookups=(b"x",)))) for _ in range(3)]
    await until_blocked(place.run)
    with pytest.raises(StorageBusy):
        await storage.query(LoadServer())
    waiting[1].cancel()
    await holder.execute("ROLLBACK")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [results[0], type(results[1]), results[2]] == [(), asyncio.CancelledError, ()]
    assert sum("FROM tickets" in sql for sql in connections.seen) == 2
    await storage.close()


async def test_a_full_line_of_orders_is_busy_and_takes_more_once_it_has_moved(stocked, make, place):
    storage = await open_failing(place.location, asyncpg.Connection, queue_limit=3, batch_limit=2)
    results = await asyncio.gather(*(storage.execute(make.order()) for _ in range(6)), return_exceptions=True)
    assert [type(result) for result in results] == [Placed] * 4 + [StorageBusy] * 2
    assert await storage.execute(make.order()) == Placed()
    await storage.close()


async def test_a_pooler_that_lends_connections_for_single_transactions_may_stand_in_between(stocked, make, place):
    class Lent(asyncpg.Connection):
        """What one session knew is gone after each transaction."""

        async def execute(self, query, *args, **options):
            tag = await super().execute(query, *args, **options)
            if query in ("COMMIT", "ROLLBACK"):
                await super().execute("DISCARD ALL")
            return tag

    storage = await open_failing(place.location, Lent, statement_cache_size=0)
    orders = [make.order(transaction=f"T-{n % 4}", number=f"N-{n}") for n in range(12)]
    results = await asyncio.gather(*map(storage.execute, orders))
    assert [type(result) for result in results].count(Placed) == 4
    for _ in range(2):
        assert await storage.query(FindOrder(shop_id="shop-acme", transaction_id="T-1")) is not None
        assert await storage.query(FindShop(lookup=b"key of acme")) is not None
    await storage.close()


async def test_nodes_that_place_the_same_orders_the_other_way_round_never_wait_in_a_circle(stocked, make, place):
    pauses = []
    retries = Retries(random=lambda: pauses.append(1) or 0.0)
    nodes = [await open_failing(place.location, asyncpg.Connection, retries=retries) for _ in range(2)]
    for number in range(20):
        names = [f"{number}-{n}" for n in range(100)]
        field = ("transaction", "number")[number % 2]
        sent = [(node, make.order(**{field: name})) for node in nodes for name in names[:: (1, -1)[node is nodes[1]]]]
        await asyncio.gather(*(node.execute(command) for node, command in sent))
    assert pauses == []
    for node in nodes:
        await node.close()


async def test_every_text_that_is_looked_up_or_sorted_is_compared_byte_by_byte(place):
    found = place.run(
        "SELECT a.attrelid::regclass::text, a.attname FROM pg_index AS i"
        " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
        " WHERE a.atttypid = 'text'::regtype AND a.attcollation <> '\"C\"'::regcollation"
        " AND i.indrelid IN (SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace)"
    )
    assert found == []


async def test_a_batch_is_answered_as_if_its_orders_came_one_after_the_other(stocked, make, place, tmp_path):
    reference = await open_storage(tmp_path / "reference.db")
    for command in (make.initialise(), make.shop("acme"), make.shop("bolt"), make.item("ITEM-1")):
        await reference.execute(command)
    storage = await open_failing(place.location, asyncpg.Connection)
    for seed in range(150):
        chance = random.Random(seed)
        orders = [
            make.order(
                shop=chance.choice(["acme", "acme", "bolt"]),
                transaction=f"{seed}-{chance.randrange(5)}",
                number=chance.choice([None, "", f"{seed}-0", f"{seed}-1", f"{seed}-2"]),
                items=chance.choice([("ITEM-1",), ("ITEM-1",), ("NONE",)]),
            )
            for _ in range(chance.randrange(2, 16))
        ]
        expected = [await one(reference, order) for order in orders]
        first, *rest = orders
        found = await asyncio.gather(one(storage, first), *(one(storage, order) for order in rest))
        assert found == expected, seed
    await reference.close()
    await storage.close()


async def one(storage, order):
    try:
        return await storage.execute(order)
    except ConstraintRefused as error:
        return type(error)


async def test_what_was_answered_is_there_after_the_server_crashed_and_came_back(make):
    server = started_server(durable=True)
    try:
        location = server.address(server.new_database())
        storage = await open_storage(location)
        await storage.execute(make.shop())
        await storage.execute(make.item())
        orders = [make.order() for _ in range(80)]
        tasks = [asyncio.create_task(storage.execute(order)) for order in orders]
        await tasks[0]
        server.stop(signal.SIGQUIT)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(StorageUnavailable):
            await storage.execute(make.order())
        with pytest.raises(StorageUnavailable):
            await storage.query(LoadServer())
        server.start()
        for order, result in zip(orders, results, strict=True):
            found = await storage.query(FindOrder(shop_id="shop-acme", order_id=order.order.order_id))
            assert result == Placed() or isinstance(result, StorageUnavailable)
            assert found is not None or result != Placed()
            assert found is None or (found.order, len(found.licenses)) == (order.order, 1)
        server.stop()
        with pytest.raises(StorageUnavailable):
            await open_storage(location)
        await storage.close()
    finally:
        server.remove()


async def test_addresses_that_lead_nowhere_are_told_apart(postgres_server):
    with pytest.raises(LocationInvalid, match="3D000"):
        await open_storage(postgres_server.address("missing"))
    with pytest.raises(LocationInvalid, match="28000"):
        await open_storage(postgres_server.address("postgres").replace("depot@", "nobody-known@"))
    for address in ("postgresql://host:port/db", "postgresql://host/db?sslmode=maybe"):
        with pytest.raises(LocationInvalid, match="postgresql://") as caught:
            await open_storage(address)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    with pytest.raises(StorageUnavailable):
        await open_storage("postgresql://depot@/depot?host=%2Fmissing")


@pytest.mark.parametrize(
    ("error", "expected", "retry"),
    [
        (sql_error("40001"), StorageBusy, True),
        (sql_error("53300"), StorageBusy, True),
        (sql_error("53200"), StorageUnavailable, True),
        (sql_error("53400"), StorageUnavailable, True),
        (sql_error("58030"), StorageUnavailable, True),
        (sql_error("57P03"), StorageUnavailable, True),
        (sql_error("08006"), StorageUnavailable, True),
        (sql_error("42501"), StorageUnavailable, True),
        (sql_error("XX001"), StorageCorrupt, False),
        (sql_error("22001"), ConstraintRefused, False),
        (sql_error("23505"), ConstraintRefused, False),
        (sql_error("54000"), ConstraintRefused, False),
        (sql_error("28P01"), LocationInvalid, False),
        (sql_error("42P01"), StorageError, False),
        (asyncpg.InterfaceError(SECRET), StorageUnavailable, True),
        (asyncpg.InternalClientError(SECRET), StorageUnavailable, True),
        (ConnectionResetError(SECRET), StorageUnavailable, True),
        (TimeoutError(SECRET), StorageUnavailable, True),
        (RuntimeError(SECRET), StorageError, False),
    ],
)
def test_errors_get_their_type_and_keep_their_name_but_no_values(error, expected, retry):
    typed = typed_error(error)
    assert type(typed) is expected
    assert typed.retry is retry
    assert (getattr(error, "sqlstate", None) or type(error).__name__) in str(typed)
    assert SECRET not in str(typed)


def test_places_are_numbered_and_casts_are_left_alone():
    found = numbered("SELECT :b::bigint, x::text[] FROM t WHERE (a, b) > (:a, :b);")
    assert found.sql == "SELECT $1::bigint, x::text[] FROM t WHERE (a, b) > ($2, $1);"
    assert found.values({"a": 1, "b": 2, "c": 3}) == [2, 1]
    assert found.arrays([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) == [[2, 4], [1, 3]]


async def test_every_statement_is_known_to_the_database(storage, place):
    connection = await asyncpg.connect(place.location)
    several = {"begin_write", "begin_read", "begin_migration", "create_history", "commit", "roll_back"}
    refused = {}
    for name in statements().keys() - several:
        try:
            await connection.prepare(statements()[name].sql)
        except asyncpg.PostgresError as error:
            refused[name] = error
    await connection.close()
    assert refused == {}


async def test_the_schema_itself_keeps_a_signed_step_as_it_is(stocked, make, behind):
    step = make.step((make.epoch, 1), (0, 0), signed=b"signed")
    await stocked.execute(make.apply(make.container(end=(make.epoch, 1)), steps=(step,)))
    for change in ("signed = ''", "signed = NULL", "content = ''"):
        with pytest.raises(asyncpg.CheckViolationError, match="a step never changes"):
            behind(f"UPDATE steps SET {change}")


async def test_changes_leave_an_audit_row_in_order_and_refused_ones_none(stocked, make, behind):
    await stocked.execute(make.item("ITEM-1"))
    await stocked.execute(make.order(transaction="T-1", number="N-1"))
    await stocked.execute(make.order(transaction="T-1"))
    assert isinstance(await stocked.execute(make.order(number="N-1")), OrderNumberTaken)
    await stocked.execute(make.apply(make.container(), audit=make.audit("moved")))
    await stocked.execute(make.apply(make.container(), audit=make.audit("moved")))
    subjects = behind("SELECT subject FROM audit ORDER BY audit_id")
    assert [subject.split("-0")[0] for (subject,) in subjects] == ["acme", "bolt", "ITEM-1", "ITEM-2", "order", "moved"]
