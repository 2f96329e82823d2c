"""What was asked of a storage and what it acknowledged, written down durably, and the checker that compares."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from storage import Storage
from storage.commands import AlreadyAnswered, FindOrder, OrderView, Placed, PlaceOrder
from storage.errors import StorageError

Ask = Callable[[str], list[tuple[object, ...]]]

UNKNOWN = "may have been carried out"
SHOP = "shop-acme"
PAUSE_SECONDS = 0.005
TRIES = 5000

INVARIANTS = {
    "a transactionId with two orders": """SELECT count(*) - count(DISTINCT (shop_id, transaction_id)) FROM orders""",
    "two orders on one ticket": "SELECT count(*) - count(DISTINCT ticket_id) FROM orders",
    "an order without its answer": """SELECT count(*) FROM orders AS o LEFT JOIN answers AS a
        ON a.shop_id = o.shop_id AND a.transaction_id = o.transaction_id WHERE a.transaction_id IS NULL""",
    "an answer without its order": """SELECT count(*) FROM answers AS a LEFT JOIN orders AS o
        ON a.shop_id = o.shop_id AND a.transaction_id = o.transaction_id WHERE o.transaction_id IS NULL""",
    "an order without its licences": """SELECT count(*) FROM orders AS o LEFT JOIN licenses AS l
        ON l.order_id = o.order_id WHERE l.order_id IS NULL""",
    "an order without exactly one audit row": """SELECT count(*) FROM (SELECT o.order_id FROM orders AS o
        LEFT JOIN audit AS a ON a.subject = o.order_id GROUP BY o.order_id HAVING count(a.subject) <> 1) AS odd""",
    "an audit row of an order that is not there": """SELECT count(*) FROM audit AS a LEFT JOIN orders AS o
        ON o.order_id = a.subject WHERE a.subject LIKE 'order-%' AND o.order_id IS NULL""",
    "more wanted or occupied than bought": """SELECT count(*) FROM (SELECT 1 FROM licenses AS l JOIN placements AS p
        ON p.license_id = l.license_id GROUP BY l.license_id
        HAVING sum(p.wanted) > max(l.quantity) OR sum(p.occupied) > max(l.quantity)) AS odd""",
}


@dataclass(kw_only=True)
class OrderLedger:
    """Acknowledgements are in the file, fsynced, before the caller goes on."""

    path: Path
    asked: dict[str, list[PlaceOrder]] = field(default_factory=dict)
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    unknown: int = 0
    found: int = 0
    refused: int = 0

    async def place(self, storage: Storage, order: PlaceOrder, *, tries: int = TRIES) -> None:
        """Place an order as a careful caller does: after an unknown outcome it is looked up before it is sent again."""
        transaction = order.order.transaction_id
        self.asked.setdefault(transaction, []).append(order)
        for _ in range(tries):
            try:
                result = await storage.execute(order)
            except StorageError as error:
                if not error.retry:
                    raise
                self.refused += 1
                if UNKNOWN in str(error):
                    self.unknown += 1
                    view = await looked_up(storage, transaction, tries=tries)
                    self.found += view is not None and view.order == order.order
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self.acknowledge(transaction, _answer(order, result))
            return
        raise AssertionError(f"{transaction} was not placed in {tries} tries")

    def acknowledge(self, transaction: str, answer: bytes) -> None:
        """Write down what was answered; the same transactionId is answered the same for ever."""
        if self.acknowledged.setdefault(transaction, answer) != answer:
            self.changed.append(f"{transaction} got another answer")
        with self.path.open("ab") as file:
            file.write(transaction.encode() + b"\t" + answer + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def violations(self, ask: Ask) -> list[str]:
        """Everything that was lost, doubled or changed, by the file and the database."""
        broken = self.changed + [name for name, sql in INVARIANTS.items() if ask(sql) != [(0,)]]
        rows = ask(f"SELECT transaction_id, answer_sealed FROM answers WHERE shop_id = '{SHOP}'")
        stored = {str(transaction): answer for transaction, answer in rows}
        for line in self.path.read_bytes().splitlines() if self.path.exists() else []:
            transaction, _, answer = line.partition(b"\t")
            if stored.get(transaction.decode()) != answer:
                broken.append(f"{transaction.decode()} was acknowledged and is lost or another one")
        return broken + [f"{name} was never asked for" for name in stored.keys() - self.asked.keys()]


def _answer(order: PlaceOrder, result: object) -> bytes:
    match result:
        case Placed():
            answer = order.answer.answer_sealed
        case AlreadyAnswered(answer=stored):
            answer = stored.answer_sealed
        case _:
            raise AssertionError(f"unexpected: {result}")
    assert answer is not None
    return answer


async def looked_up(storage: Storage, transaction: str, *, tries: int = TRIES) -> OrderView | None:
    """The order of a transactionId, asked for until the database can be asked."""
    for _ in range(tries):
        try:
            return await storage.query(FindOrder(shop_id=SHOP, transaction_id=transaction))
        except StorageError as error:
            if not error.retry:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the database could not be asked")
