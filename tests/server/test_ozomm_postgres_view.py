"""A real view of an ERP system in PostgreSQL is asked: through a role that may read it and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import crm
import pytest
from postgres_server import PostgresServer, started_server

from licensing.extensions.questions import Customer, Unanswered
from licensing.marketing.offers import Offer
from server.core import utc_now
from server.ozomm.assembling import Assembler
from server.ozomm.configuration import OzommConfiguration

pytestmark = pytest.mark.slow

ERP = """
CREATE TABLE contracts (ticket text, customer int, paid boolean, mail text, ends timestamptz, most int);
CREATE TABLE upgrades (article text, headline text);
INSERT INTO contracts VALUES ('AAAAA-BBBBB', 17, true, 'a@example.com', '2027-01-02 00:00Z', 5);
INSERT INTO contracts VALUES ('CCCCC-DDDDD', 18, false, 'b@example.com', '2027-01-02 00:00Z', 5);
INSERT INTO upgrades VALUES ('PRO', 'More of it'), ('MAX', 'All of it');
CREATE VIEW renewals AS
  SELECT c.ticket, c.customer, c.paid AS eligible, c.mail, c.ends, c.most, u.article, u.headline
  FROM contracts AS c CROSS JOIN upgrades AS u;
CREATE ROLE reader LOGIN;
GRANT SELECT ON renewals TO reader
"""
QUERY = (
    "SELECT * FROM renewals WHERE ticket = :ticket AND customer = :customer_number AND ends <= :expires_at"
    " AND most >= :quantity ORDER BY article DESC"
)
QUESTION = replace(crm.QUESTION, customer=Customer(number="17"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    name = postgres.new_database()
    postgres.run(*ERP.split(";"), database=name)
    yield name
    postgres.run("DROP OWNED BY reader", "DROP ROLE reader", database=name)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def view(stack: AsyncExitStack, postgres: PostgresServer, database: str, **settings: Any) -> Any:
    """The source, as a rule has it."""
    values = {
        "kind": "sql",
        "database": f"postgresql://reader@/{database}?host={quote(str(postgres.folder), safe='')}",
        "query": QUERY,
        "read": {"eligible": "eligible", "email": "mail", "customer_number": "customer"},
        "offers": {"item_number": "article", "title": "headline"},
        **settings,
    }
    configuration = OzommConfiguration(sources={"erp": values}, rules=({"items": ["*"], "eligibility": "erp"},))  # type: ignore[arg-type, dict-item]
    assembler = Assembler(
        configuration, folder=Path(), stack=stack, clock=utc_now, monotonic=time.monotonic, told=lambda *_: None
    )
    (rule,) = await assembler.rules()
    return rule.eligibility


async def test_a_view_decides_and_its_rows_are_offers_and_no_row_is_a_no(
    stack: AsyncExitStack, postgres: PostgresServer, database: str
) -> None:
    erp = await view(stack, postgres, database)

    found = await erp.ask(QUESTION)

    assert (found.eligible, found.customer) == (True, Customer(address="a@example.com", number="17"))
    assert found.offers == (
        Offer(campaign="crm", item_number="PRO", title="More of it", text="More of it", url=None),
        Offer(campaign="crm", item_number="MAX", title="All of it", text="All of it", url=None),
    )
    unpaid = replace(QUESTION, ticket="CCCCC-DDDDD", customer=Customer(number="18"))
    assert (await erp.ask(unpaid)).eligible is False
    assert (await erp.ask(replace(QUESTION, ticket="EEEEE-FFFFF"))).eligible is False
    early = replace(QUESTION.licenses[0], expires_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert (await erp.ask(replace(QUESTION, licenses=(early,)))).eligible is False
    with pytest.raises(Unanswered):
        await erp.ask(replace(QUESTION, customer=Customer(number="K-17")))  # the column has numbers


async def test_a_view_is_only_read_and_nothing_but_it_can_be(
    stack: AsyncExitStack, postgres: PostgresServer, database: str
) -> None:
    for query in (
        "SELECT paid AS eligible FROM contracts WHERE ticket = :ticket",
        "DELETE FROM renewals WHERE ticket = :ticket RETURNING true AS eligible",
        "SELECT eligible FROM nothing WHERE ticket = :ticket",
    ):
        erp = await view(stack, postgres, database, query=query)
        with pytest.raises(Unanswered):
            await erp.ask(QUESTION)
    postgres.run("ALTER ROLE reader SUPERUSER", database=database)
    erp = await view(stack, postgres, database, query="DELETE FROM contracts RETURNING true AS eligible")
    with pytest.raises(Unanswered):
        await erp.ask(QUESTION)
    assert postgres.run("SELECT count(*) FROM contracts", database=database) == [(2,)]


async def test_a_slow_view_is_no_answer_and_leaves_nothing_running_and_the_next_question_is_answered(
    stack: AsyncExitStack, postgres: PostgresServer, database: str
) -> None:
    slow = "SELECT true AS eligible FROM pg_sleep(CASE WHEN :quantity > 2 THEN 60 ELSE 0 END)"
    erp = await view(stack, postgres, database, query=slow, seconds=0.3, at_once=2)
    licenses = (replace(QUESTION.licenses[0], quantity=3),)
    found = await asyncio.gather(
        *(erp.ask(replace(QUESTION, licenses=licenses)) for _ in range(4)), return_exceptions=True
    )
    assert all(isinstance(each, Unanswered) for each in found)
    assert (await erp.ask(QUESTION)).eligible is True
    running = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state <> 'idle'"
    async with asyncio.timeout(20):
        while postgres.run(running, database="postgres") != [(0,)]:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.02)
    connected = "SELECT count(*) <= 2 FROM pg_stat_activity WHERE usename = 'reader'"
    assert postgres.run(connected, database="postgres") == [(True,)]


async def test_a_database_that_goes_and_comes_back_is_asked_again(
    stack: AsyncExitStack, postgres: PostgresServer, database: str
) -> None:
    erp = await view(stack, postgres, database, failures=1000)
    assert (await erp.ask(QUESTION)).eligible is True
    await asyncio.to_thread(postgres.stop)
    try:
        with pytest.raises(Unanswered):
            await erp.ask(QUESTION)
    finally:
        await asyncio.to_thread(postgres.start)
    assert (await erp.ask(QUESTION)).eligible is True
