"""Each step of an extension meets each fault: whatever happens, it is extended once, told once, and ends as it should.

The rules and the database are the real ones. A crash is an engine that is never heard of again; its extensions are
taken up by another one after their lease.
"""

import asyncio
import secrets
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wire import FIRM_CODE, initialise_in_thread

from containers import Container
from licensing.extensions.central import Fate, LocalCentral, NotDone
from licensing.extensions.engine import ExtensionEngine, Patience
from licensing.extensions.operating import ExtensionDesk
from licensing.extensions.questions import Customer, Eligibility, Question, Unanswered, Verdict
from licensing.extensions.rules import Rule, Silence
from licensing.extensions.values import ExtensionAnswer, ExtensionQuestion, ExtensionRequest
from licensing.marketing.mails import Mailer
from licensing.order_values import OrderLine, OrderRequest
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE
from server.core import Core, opened_core
from server.settings import load_settings
from storage.errors import StorageUnavailable
from storage.extensions import AdvanceExtension, BeginExtension

CALLS = {"extend": "order", "provide": "order", "withdraw": "cancel", "collect": "collect"}


class Crash(BaseException):
    """The process ends here: nobody gets to handle it."""


@dataclass
class Faults:
    """What goes wrong next: a name of a call or a write, and whether it is done before it goes wrong."""

    at: str = ""
    done: bool = False
    error: Callable[[], BaseException] = Crash
    times: int = 1

    async def passing(self, name: str, work: Callable[[], Any]) -> Any:
        if not name or name != self.at or self.times == 0:
            return await work()
        self.times -= 1
        if self.done:
            await work()
        raise self.error()


class FaultyCentral:
    """The central behind a network that fails."""

    def __init__(self, central: LocalCentral, faults: Faults) -> None:
        self._central = central
        self._faults = faults

    async def look(self, ticket: str, **values: Any) -> Any:
        return await self._faults.passing("look", lambda: self._central.look(ticket, **values))

    async def order(self, **values: Any) -> Any:
        what = values["transaction_id"].rpartition("-")[2]
        return await self._faults.passing(f"order {what}", lambda: self._central.order(**values))

    async def cancel(self, **values: Any) -> Any:
        return await self._faults.passing("cancel withdraw", lambda: self._central.cancel(**values))

    async def collect(self, **values: Any) -> Any:
        return await self._faults.passing("collect collect", lambda: self._central.collect(**values))


class FaultyStorage:
    """The database, at whose writes the process or the connection may end."""

    def __init__(self, storage: Any, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    async def execute(self, command: Any) -> Any:
        name = ""
        if isinstance(command, AdvanceExtension):
            name = f"write {command.row.step}"
        elif isinstance(command, BeginExtension):
            name = "write begin"
        return await self._faults.passing(name, lambda: self._storage.execute(command))

    async def query(self, query: Any) -> Any:
        return await self._storage.query(query)


@dataclass
class Crm:
    """Answers as a test says."""

    says: Callable[[], Verdict] = lambda: Verdict(eligible=True, customer=Customer(address="someone@example.com"))
    asked: list[str] = field(default_factory=list)

    async def ask(self, question: Question) -> Verdict:
        self.asked.append(question.extension_id)
        return self.says()


class World:
    def __init__(self, core: Core, folder: Path) -> None:
        self.core = core
        self.folder = folder
        self.now = datetime(2027, 3, 1, tzinfo=UTC)
        self.crm = Crm()
        self.source: Eligibility | None = None
        self.faults = Faults()
        self.engines = 0
        self.bugs: list[BaseException] = []
        self.ticket = ""
        self.bought_until = self.now
        self.container = Container.create(
            folder / f"{secrets.token_hex(4)}.json",
            trust_pem=(folder / VENDOR_CERTIFICATE).read_bytes(),
            clock=lambda: self.now,
            random=secrets.token_bytes,
        )

    def engine(self, *, silence: Silence = Silence.QUEUE, give_up_hours: float = 72) -> ExtensionEngine:
        core, self.engines = self.core, self.engines + 1
        central = LocalCentral(
            storage=core.storage,
            vault=core.vault,
            catalogue=core.catalogue,
            sales=core.sales,
            vendor_actions=core.vendor_actions,
            depot=core.depot,
        )
        rule = Rule(
            name="one",
            items=("EDITOR",),
            eligibility=self.source or self.crm,
            when_silent=silence,
            provisional_item="EDITOR-7D",
            give_up_hours=give_up_hours,
        )
        return ExtensionEngine(
            storage=FaultyStorage(core.storage, self.faults),  # type: ignore[arg-type]
            vault=core.vault,
            central=FaultyCentral(central, self.faults),
            rules=(rule,),
            clock=lambda: self.now,
            random=secrets.token_bytes,
            owner=f"engine {self.engines}",
            mailer=Mailer(vault=core.vault, clock=lambda: self.now, random=secrets.token_bytes),
            patience=Patience(caller_seconds=5, lease_seconds=60),
            broke=self.bugs.append,
        )

    async def buy(self) -> None:
        shop, _ = await self.core.catalogue.add_shop("shop")
        request = OrderRequest(transaction_id="t", lines=(OrderLine(item_number="EDITOR", quantity=1),))
        self.ticket = (await self.core.sales.create_order(shop=shop, request=request)).ticket
        self.bought_until = await self.ends()

    async def ends(self) -> datetime:
        return await self.ends_of(self.ticket)

    async def ends_of(self, ticket: str) -> datetime:
        (license_,) = (await self.core.depot.get_ticket(tickets=(ticket,))).licenses
        assert license_.expires_at is not None
        return license_.expires_at

    def request(self, *, context: bool = True) -> ExtensionRequest:
        made = self.container.context(FIRM_CODE) if context else None
        return ExtensionRequest(transaction_id="x", ticket=self.ticket, context=made)

    async def resumed(self, engine: ExtensionEngine, *, turns: int = 8) -> ExtensionAnswer:
        """Let time pass and a runner run until nothing is left to do, then ask."""
        for _ in range(turns):
            self.now += timedelta(hours=2)
            await engine.turn()
            await engine.idle()
        question = ExtensionQuestion(transaction_id="x", ticket=self.ticket, context=self.container.context(FIRM_CODE))
        return await engine.get(question)

    def counted(self) -> tuple[int, list[str]]:
        with closing(sqlite3.connect(self.folder / "opendepot.sqlite3")) as db:
            (orders,) = db.execute("SELECT count(*) FROM orders WHERE transaction_id LIKE 'ozomm-%-extend'").fetchone()
            query = "SELECT kind, message_id FROM outbox WHERE channel = 'mail'"
            found = db.execute(query).fetchall()
        assert len({name for _, name in found}) == len(found)
        return orders, sorted(kind for kind, _ in found)


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A server's files with a ticket, of which each test gets a copy: keys and a database take long to make."""
    folder = tmp_path_factory.mktemp("bought") / "depot"
    initialise_in_thread(folder)

    async def buy() -> str:
        async with opened_world(folder) as made:
            return made.ticket

    with ThreadPoolExecutor(1) as thread:
        return folder, thread.submit(asyncio.run, buy()).result()


@pytest.fixture
async def world(bought: tuple[Path, str], tmp_path: Path) -> AsyncIterator[World]:
    original, ticket = bought
    folder = tmp_path / "depot"
    shutil.copytree(original, folder)
    async with opened_world(folder, ticket=ticket) as made:
        yield made


@asynccontextmanager
async def opened_world(folder: Path, *, ticket: str = "") -> AsyncIterator[World]:
    """Open a server's files, with a ticket in them or to buy one."""
    settings = load_settings(folder / CONFIG)
    now = [lambda: datetime(2027, 3, 1, tzinfo=UTC)]
    async with opened_core(settings, clock=lambda: now[0]()) as core:  # noqa: PLW0108  it changes
        made = World(core, folder)
        now[0] = lambda: made.now
        if ticket:
            made.ticket, made.bought_until = ticket, await made.ends_of(ticket)
        else:
            for number, option in (("EDITOR", "add:365d"), ("EDITOR-7D", "add:7d")):
                await core.catalogue.add_item(
                    item_number=number, firm_code=FIRM_CODE, product_code=1, options=(f"expirationTime={option}",)
                )
            await made.buy()
        yield made


def later() -> NotDone:
    return NotDone("ServiceUnreachable", Fate.LATER)


FAULTS: dict[str, tuple[bool, Callable[[], BaseException]]] = {
    "killed before": (False, Crash),
    "killed after": (True, Crash),
    "down": (False, later),
    "answer lost": (True, later),
}
WRITES: dict[str, tuple[bool, Callable[[], BaseException]]] = {
    "killed before": (False, Crash),
    "killed after": (True, Crash),
    "down": (False, lambda: StorageUnavailable("gone")),
    "answer lost": (True, lambda: StorageUnavailable("gone")),
}


async def asked(world: World, engine: ExtensionEngine) -> None:
    """Ask, and let whatever goes wrong go wrong."""
    with suppress(Crash, StorageUnavailable):
        await engine.extend(world.request())
    await asyncio.gather(*(each.task for each in list(engine._running.values()) if each.task), return_exceptions=True)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", ["order extend", "collect collect"])
async def test_a_call_of_the_central_that_goes_wrong_extends_once(world: World, call: str, fault: str) -> None:
    done, error = FAULTS[fault]
    world.faults = Faults(at=call, done=done, error=error)
    await asked(world, world.engine())
    assert world.faults.times == 0

    answer = await world.resumed(world.engine())

    assert (answer.state, await world.ends()) == ("Extended", world.bought_until + timedelta(days=365))
    assert world.counted() == (1, ["mail.extended"])
    assert len(world.crm.asked) == 1
    assert answer.update is not None
    assert answer.update.file is not None
    assert world.container.import_update(answer.update.file).applied
    assert world.bugs == []


@pytest.mark.parametrize("fault", WRITES)
@pytest.mark.parametrize("write", ["begin", "extend", "collect", "done"])
async def test_a_write_that_goes_wrong_extends_once_and_loses_no_mail(world: World, write: str, fault: str) -> None:
    done, error = WRITES[fault]
    world.faults = Faults(at=f"write {write}", done=done, error=error)
    await asked(world, world.engine())
    assert world.faults.times == 0
    world.faults = Faults()

    other = world.engine()
    await other.extend(world.request())
    answer = await world.resumed(other)

    assert (answer.state, await world.ends()) == ("Extended", world.bought_until + timedelta(days=365))
    assert world.counted() == (1, ["mail.extended"])
    assert len(set(world.crm.asked)) == 1
    assert world.bugs == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("eligible", [True, False])
@pytest.mark.parametrize("call", ["order provide", "cancel withdraw"])
async def test_a_provisional_extension_that_goes_wrong_is_given_and_taken_once(
    world: World, call: str, eligible: bool, fault: str
) -> None:
    done, error = FAULTS[fault]

    def silent() -> Verdict:
        raise Unanswered("down")

    world.crm.says = silent
    world.faults = Faults(at=call, done=done, error=error)
    await asked(world, world.engine(silence=Silence.PROVISIONAL))
    other = world.engine(silence=Silence.PROVISIONAL)
    answer = await world.resumed(other, turns=1)
    assert (answer.state, answer.reason) == ("Pending", "Provisional")
    assert await world.ends() == world.bought_until + timedelta(days=7)

    world.crm.says = lambda: Verdict(eligible=eligible, customer=Customer(address="someone@example.com"))
    await other.turn()
    await asyncio.gather(*(each.task for each in list(other._running.values()) if each.task), return_exceptions=True)
    answer = await world.resumed(world.engine(silence=Silence.PROVISIONAL))

    assert world.faults.times == 0
    extra = timedelta(days=365 if eligible else 0)
    assert (answer.state, await world.ends()) == ("Extended" if eligible else "Refused", world.bought_until + extra)
    assert world.counted() == (int(eligible), ["mail.extended" if eligible else "mail.withdrawn"])
    assert world.bugs == []


@pytest.mark.parametrize("wrong", ["down", "wrong", "undecided"])
async def test_a_crm_that_is_away_is_asked_again_under_the_same_id(world: World, wrong: str) -> None:
    def says() -> Verdict:
        if len(world.crm.asked) < 4:
            if wrong == "undecided":
                return Verdict(eligible=None)
            raise Unanswered(wrong)
        return Verdict(eligible=True)

    world.crm.says = says
    engine = world.engine()
    answer = await engine.extend(world.request())
    assert (answer.state, answer.reason) == ("Pending", "Waiting")

    answer = await world.resumed(engine)

    assert answer.state == "Extended"
    assert (len(world.crm.asked), len(set(world.crm.asked))) == (4, 1)
    assert world.counted() == (1, [])  # nobody has told an address


async def test_a_question_that_is_never_answered_is_refused_at_last(world: World) -> None:
    def silent() -> Verdict:
        raise Unanswered("down")

    world.crm.says = silent
    engine = world.engine(silence=Silence.PROVISIONAL, give_up_hours=5)
    await engine.extend(world.request())

    answer = await world.resumed(engine)

    assert (answer.state, answer.reason) == ("Refused", "NoAnswer")
    assert (await world.ends(), world.counted()[0]) == (world.bought_until, 0)


async def test_an_answer_that_comes_after_another_process_has_taken_over_changes_nothing(world: World) -> None:
    first, go = world.engine(), asyncio.Event()

    class Slow(Crm):
        async def ask(self, question: Question) -> Verdict:
            self.asked.append(question.extension_id)
            if len(self.asked) == 1:
                await go.wait()
                return Verdict(eligible=False)
            return Verdict(eligible=True)

    world.crm = Slow()
    first = world.engine()
    first._patience = replace(first._patience, caller_seconds=0.05)
    assert (await first.extend(world.request())).state == "Pending"
    answer = await world.resumed(world.engine(), turns=2)
    assert answer.state == "Extended"

    go.set()
    await first.idle()

    answer = await world.resumed(world.engine(), turns=1)
    assert (answer.state, await world.ends()) == ("Extended", world.bought_until + timedelta(days=365))
    assert world.counted()[0] == 1


async def test_what_a_process_that_ends_was_working_on_is_taken_up_at_once(world: World) -> None:
    never = asyncio.Event()

    class Slow(Crm):
        async def ask(self, question: Question) -> Verdict:
            self.asked.append(question.extension_id)
            await never.wait()
            return Verdict(eligible=False)

    world.source = slow = Slow()
    ending = world.engine()
    asking = asyncio.create_task(ending.extend(world.request()))
    while not slow.asked:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0.01)
    await ending.close()
    assert (await asking).state == "Pending"

    world.source = None
    other = world.engine()
    await other.turn()
    await other.idle()

    assert (await world.resumed(other, turns=0)).state == "Extended"
    assert (await world.ends(), world.counted()[0]) == (world.bought_until + timedelta(days=365), 1)


async def test_what_somebody_has_to_mend_is_stuck_until_it_is_taken_up_again(world: World) -> None:
    world.faults = Faults(at="order extend", error=lambda: NotDone("RightMissing", Fate.BROKEN))
    engine = world.engine()
    assert (await engine.extend(world.request())).state == "Pending"
    assert (await world.resumed(engine, turns=2)).state == "Pending"

    desk = ExtensionDesk(storage=world.core.storage, vault=world.core.vault, clock=lambda: world.now)
    assert await desk.retry(None) == 1

    assert (await world.resumed(engine, turns=2)).state == "Extended"
    assert len(world.crm.asked) == 1
    assert world.counted()[0] == 1
