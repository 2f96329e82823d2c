"""One checker for every fault: what the client's ledger says was acknowledged, against what is answered afterwards.

The ledger is written by the client, each line fsynced before the next request leaves, so that it outlives whatever
happens to the server and to the test itself. `broken_promises` asks everything again, over the wire or of the rules
directly, and `damage` looks into the database file.
"""

import json
import os
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from server.operating.doctor import inspect
from server.operating.report import Level
from server.settings import Settings

Receipt = dict[str, object]
"""The answer to an order as plain values."""


class Refused(Exception):
    """The server answered with a fault; `code` is its code, and `retry` whether it said to come again."""

    def __init__(self, code: str, *, retry: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.retry = retry


class Asking(Protocol):
    """How a checker asks: over the wire, or of the rules in this process."""

    async def order(self, transaction_id: str) -> Receipt:
        """The answer to the order that belongs to a transactionId; raises Refused."""
        ...

    async def update(self, ticket: str, context: bytes) -> tuple[str, bytes | None]:
        """State and file for a ticket and a context; raises Refused."""
        ...


@dataclass(frozen=True)
class Sent:
    """A file that arrived, and what it answered."""

    ticket: str
    context: bytes
    update: bytes


def plain(receipt: object) -> Receipt:
    """A receipt, of the wire or of the rules, as values that survive JSON."""
    return json.loads(json.dumps(asdict(receipt)))


class Ledger:
    """What was asked and what was acknowledged. With a path, every line is on the disk before the next step."""

    def __init__(self, path: Path | None = None) -> None:
        self.asked: set[str] = set()
        self.orders: dict[str, Receipt] = {}
        self.files: dict[bytes, Sent] = {}
        self.contradictions: list[str] = []
        self._descriptor: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._take_up(path)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _take_up(self, path: Path) -> None:
        whole = path.read_bytes() if path.exists() else b""
        complete = whole[: whole.rfind(b"\n") + 1]
        if complete != whole:
            path.write_bytes(complete)  # the test was interrupted while it wrote: that line was never relied on
        for line in complete.splitlines():
            self._remember(json.loads(line))

    def asks(self, transaction_id: str) -> None:
        """An order is about to be asked for."""
        self._write({"asked": transaction_id})

    def acknowledged(self, transaction_id: str, receipt: Receipt) -> None:
        """An order was acknowledged."""
        self._write({"order": transaction_id, "receipt": receipt})

    def arrived(self, sent: Sent) -> None:
        """An update file arrived for a fresh request."""
        texts = {"context": b64encode(sent.context).decode(), "update": b64encode(sent.update).decode()}
        self._write({"file": sent.ticket, **texts})

    def _write(self, entry: dict[str, object]) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
            os.fsync(self._descriptor)
        self._remember(entry)

    def _remember(self, entry: dict[str, object]) -> None:
        match entry:
            case {"asked": str(name)}:
                self.asked.add(name)
            case {"order": str(name), "receipt": dict(receipt)}:
                if self.orders.setdefault(name, receipt) != receipt:
                    self.contradictions.append(f"order {name} was acknowledged twice, differently")
            case {"file": str(ticket), "context": str(context), "update": str(update)}:
                sent = Sent(ticket=ticket, context=b64decode(context), update=b64decode(update))
                self.files[sent.context] = sent

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


async def broken_promises(
    ledger: Ledger, asking: Asking, *, orders: Iterable[str] | None = None, files: Iterable[bytes] | None = None
) -> list[str]:
    """Ask everything again (or these orders and the files of these contexts) and say what is another thing now.

    Orders that were asked for and never answered are asked for as well: they come into being now, or they had already.
    """
    found = list(ledger.contradictions)
    for name in ledger.asked if orders is None else orders:
        try:
            receipt = await asking.order(name)
        except Refused as refused:
            found.append(f"order {name} is answered with {refused.code} now")
            continue
        before = ledger.orders.get(name)
        if before is None:
            ledger.acknowledged(name, receipt)
        elif before != receipt:
            found.append(f"order {name} is another one now")
    for context in list(ledger.files) if files is None else files:
        sent = ledger.files[context]
        try:
            state, update = await asking.update(sent.ticket, sent.context)
        except Refused as refused:
            found.append(f"a file that was sent is answered with {refused.code} now")
            continue
        if state not in {"Done", "ExportAgain"}:
            found.append(f"an honest container is {state}")
        elif state == "Done" and update != sent.update:
            found.append("the same request has another file now")
    return found


QUERIES = {
    "an order that nobody asked for, or twice": """SELECT count(*) FROM (SELECT 1 FROM orders
        GROUP BY shop_id, transaction_id HAVING count(*) > 1) AS odd""",
    "two orders on one ticket": "SELECT count(*) - count(DISTINCT ticket_id) FROM orders",
    "more wanted than bought": """SELECT count(*) FROM (SELECT 1 FROM licenses AS l JOIN placements AS p
        ON p.license_id = l.license_id GROUP BY l.license_id HAVING sum(p.wanted) > max(l.quantity)) AS odd""",
    "more occupied than bought": """SELECT count(*) FROM (SELECT 1 FROM licenses AS l JOIN placements AS p
        ON p.license_id = l.license_id GROUP BY l.license_id HAVING sum(p.occupied) > max(l.quantity)) AS odd""",
    "an order without an answer": """SELECT count(*) FROM orders AS o LEFT JOIN answers AS a
        ON a.shop_id = o.shop_id AND a.transaction_id = o.transaction_id WHERE a.transaction_id IS NULL""",
    "an answer without an order": """SELECT count(*) FROM answers AS a LEFT JOIN orders AS o
        ON a.shop_id = o.shop_id AND a.transaction_id = o.transaction_id WHERE o.transaction_id IS NULL""",
    "an order without licences": """SELECT count(*) FROM orders AS o LEFT JOIN licenses AS l
        ON l.order_id = o.order_id WHERE l.order_id IS NULL""",
    "a ticket without an order": """SELECT count(*) FROM tickets AS t LEFT JOIN orders AS o
        ON o.ticket_id = t.ticket_id WHERE o.ticket_id IS NULL""",
    "an order without its audit row": """SELECT count(*) FROM orders AS o LEFT JOIN audit AS a
        ON a.subject = o.order_id WHERE a.subject IS NULL""",
    "a marked container": "SELECT count(*) FROM containers WHERE mark <> 'ok'",
    "a gap in a chain": """SELECT count(*) FROM steps AS s LEFT JOIN steps AS b ON b.serial = s.serial
        AND b.firm_code = s.firm_code AND b.epoch = s.from_epoch AND b.number = s.from_number
        WHERE s.from_number > 0 AND b.serial IS NULL""",
    "a request without its steps": """SELECT count(*) FROM transfers AS t LEFT JOIN steps AS s ON s.serial = t.serial
        AND s.firm_code = t.firm_code AND s.epoch = t.to_epoch AND s.number = t.to_number WHERE s.serial IS NULL""",
}


def unsound(database: Path) -> list[str]:
    """Whether the file itself is damaged, whatever it should hold."""
    try:
        with closing(sqlite3.connect(database)) as db:
            said = db.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    return [] if said == "ok" else [f"the file is damaged: {said}"]


def damage(database: Path, ledger: Ledger) -> list[str]:
    """What is wrong inside a database file, once every order that was asked for has been asked for again."""
    if found := unsound(database):
        return found
    with closing(sqlite3.connect(database)) as db:
        found = contradictions(lambda query: db.execute(query).fetchall(), ledger)
        if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
            found.append("a row points to nothing")
    return found


def contradictions(ask: Callable[[str], list[tuple[object, ...]]], ledger: Ledger) -> list[str]:
    """What contradicts itself or the ledger in a database, asked by `ask` for rows."""
    found = [name for name, query in QUERIES.items() if ask(query) != [(0,)]]
    stored = {row[0] for row in ask("SELECT transaction_id FROM orders")}
    if stored != ledger.asked:
        found.append(
            f"{len(stored - ledger.asked)} orders were never asked for, {len(ledger.asked - stored)} are missing"
        )
    return found


async def ailments(settings: Settings, *, clock: Callable[[], datetime], told: Collection[str] = ()) -> list[str]:
    """What `opendepot doctor --deep` calls a problem, while no server runs.

    `told`: the checks that must find one, since the test has made the problem and left it.
    """
    report = await inspect(settings, deep=True, clock=clock)
    assert report.deep
    problems = {x.check: f"doctor: {x.check}: {x.message}" for x in report.findings if x.level is Level.PROBLEM}
    missed = [f"doctor does not tell of {check}" for check in told if check not in problems]
    return [message for check, message in problems.items() if check not in told] + missed
