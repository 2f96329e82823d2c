"""Orders placed in batches: one set-based statement for all that wait.

The keys are sorted in the statement, the answers before the order numbers, so that nodes which place the same orders
wait for each other and never in a circle. Of commands that share a key only the first is in the statement.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from storage import rows
from storage.commands import AlreadyAnswered, OrderNumberTaken, Placed, PlaceOrder
from storage.errors import StorageBusy, StorageError
from storage.outbox_plans import add_messages
from storage.outcomes import Answered, Failed, Outcome
from storage.postgres.running import Connection, execute, fetch, run_plan
from storage.postgres.transactions import Transactions
from storage.records import AuditRow, License, Order, StoredAnswer, Ticket

Placing = Placed | AlreadyAnswered | OrderNumberTaken
Key = tuple[str, ...]
Columns = dict[str, list[Any]]


class OrderWriter:
    """Places batches of orders in transactions."""

    def __init__(self, *, transactions: Transactions) -> None:
        self._transactions = transactions

    async def place(self, commands: Sequence[PlaceOrder]) -> list[Outcome]:
        """The outcome of each command, as if they had been carried out one after the other."""
        batch = _Batch(pending=dict(enumerate(commands)))
        while batch.pending:
            chosen = batch.choose()
            outcomes = await self._place_distinct(list(chosen.values()))
            batch.settle(dict(zip(chosen, outcomes, strict=True)))
            late = batch.numbers_taken()
            if late:
                batch.settle(await self._answer_taken(late))
        return [batch.outcomes[position] for position in range(len(commands))]

    async def _place_distinct(self, commands: list[PlaceOrder]) -> list[Outcome]:
        outcome = await self._transactions.write(partial(place_batch, commands))
        if isinstance(outcome, Answered):
            return [Answered(answer=answer) for answer in outcome.answer]
        if len(commands) == 1 or _may_pass(outcome):
            return _failed_alike(outcome.error, len(commands))
        # One of them was refused, nobody knows which: alone it leaves its neighbours alone.
        return [(await self._place_distinct([command]))[0] for command in commands]

    async def _answer_taken(self, late: Mapping[int, tuple[PlaceOrder, str]]) -> dict[int, Outcome]:
        commands = {position: command for position, (command, _) in late.items()}
        read = await self._transactions.write(partial(_answers, commands))
        if isinstance(read, Failed):
            return dict(zip(late, _failed_alike(read.error, len(late)), strict=True))
        return {
            position: Answered(answer=read.answer.get(position) or OrderNumberTaken(order_id=order_id))
            for position, (_, order_id) in late.items()
        }


@dataclass(kw_only=True, slots=True)
class _Batch:
    """Which commands have no outcome yet, by their positions, and what is known of their keys."""

    pending: dict[int, PlaceOrder]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    answers: dict[Key, StoredAnswer] = field(default_factory=dict)
    taken: dict[Key, str] = field(default_factory=dict)

    def choose(self) -> dict[int, PlaceOrder]:
        """The first pending command of each key."""
        chosen: dict[int, PlaceOrder] = {}
        seen: set[Key] = set()
        for position, command in self.pending.items():
            keys = _keys(command)
            if seen.isdisjoint(keys):
                chosen[position] = command
            seen.update(keys)
        return chosen

    def settle(self, outcomes: Mapping[int, Outcome]) -> None:
        """Note outcomes, give the same answer to the commands of an answered transactionId, and learn what is taken."""
        for position, outcome in outcomes.items():
            self._learn(self.pending.pop(position), outcome)
        self.outcomes.update(outcomes)
        passing = [outcome.error for outcome in outcomes.values() if isinstance(outcome, Failed) and _may_pass(outcome)]
        if passing:
            self._give_up(passing[0])
        for position, command in list(self.pending.items()):
            answer = self.answers.get(_answer_key(command))
            if answer is not None:
                del self.pending[position]
                self.outcomes[position] = Answered(answer=AlreadyAnswered(answer=answer))

    def numbers_taken(self) -> dict[int, tuple[PlaceOrder, str]]:
        """The pending commands whose order number is on another order, each with that order's id.

        One that an earlier command may still give an answer waits for that.
        """
        found: dict[int, tuple[PlaceOrder, str]] = {}
        undecided: set[Key] = set()
        for position, command in self.pending.items():
            holders = [self.taken[key] for key in _number_keys(command) if key in self.taken]
            if holders and _answer_key(command) not in undecided:
                found[position] = (command, holders[0])
            else:
                undecided.add(_answer_key(command))
        return found

    def _learn(self, command: PlaceOrder, outcome: Outcome) -> None:
        match outcome:
            case Answered(answer=Placed()):
                self.answers[_answer_key(command)] = command.answer
                self.taken.update(dict.fromkeys(_number_keys(command), command.order.order_id))
            case Answered(answer=AlreadyAnswered(answer=answer)):
                self.answers[_answer_key(command)] = answer
            case Answered(answer=OrderNumberTaken(order_id=order_id)):
                self.taken.update(dict.fromkeys(_number_keys(command), order_id))

    def _give_up(self, error: Exception) -> None:
        # What failed says nothing of the commands: those that wait for their turn would only fail once more.
        self.outcomes.update(zip(self.pending, _failed_alike(error, len(self.pending)), strict=True))
        self.pending.clear()


def _answer_key(command: PlaceOrder) -> Key:
    return (command.answer.shop_id, command.answer.operation, command.answer.transaction_id)


def _number_keys(command: PlaceOrder) -> tuple[Key, ...]:
    number = command.order.order_number
    return () if number is None else (("order number", command.order.shop_id, number, ""),)


def _keys(command: PlaceOrder) -> tuple[Key, ...]:
    # The order's own transactionId is unique as well, whatever the answer's is.
    transaction = ("order", command.order.shop_id, command.order.transaction_id, "")
    return (_answer_key(command), transaction, *_number_keys(command))


def _may_pass(outcome: Failed) -> bool:
    return isinstance(outcome.error, StorageError) and outcome.error.retry


def _failed_alike(error: Exception, count: int) -> list[Outcome]:
    """An outcome for each caller, with an error of its own: raising one adds to it."""
    return [Failed(error=type(error)(*error.args)) for _ in range(count)]


async def place_batch(commands: Sequence[PlaceOrder], connection: Connection) -> list[Placing]:
    """Write what can be written of commands that share no key, and say of the others why not."""
    refused = await fetch(connection, "place_orders", **_columns_of(commands))
    placed: list[Placing] = [Placed() for _ in commands]
    if not refused:
        await _announce(commands, {}, connection)
        return placed
    numbers = {row["position"]: commands[row["position"]] for row in refused if row["number_taken"]}
    twins = {row["position"]: commands[row["position"]] for row in refused if not row["number_taken"]}
    found = {**await _answers(twins, connection), **await _number_holders(numbers, connection)}
    for row in refused:
        if row["position"] not in found:
            raise StorageBusy("what stood in the way of an order is gone; try again")
        placed[row["position"]] = found[row["position"]]
    await _announce(commands, found, connection)
    return placed


async def _announce(commands: Sequence[PlaceOrder], refused: Mapping[int, Placing], connection: Connection) -> None:
    """Write the messages of the orders that were placed."""
    messages = [
        message
        for position, command in enumerate(commands)
        if command.messages and position not in refused
        for message in command.messages
    ]
    await run_plan(connection, add_messages(messages))


async def _answers(commands: Mapping[int, PlaceOrder], connection: Connection) -> dict[int, Placing]:
    """What the transactionIds were answered before, by position; unknown ones are left out."""
    if not commands:
        return {}
    columns = _answer_columns(commands.values())
    found = await fetch(connection, "answers_to", position=list(commands), **columns)
    return {row["position"]: AlreadyAnswered(answer=rows.answer(row)) for row in found}


async def _number_holders(commands: Mapping[int, PlaceOrder], connection: Connection) -> dict[int, Placing]:
    """The orders that hold the order numbers, by position; the answers that were written for nothing are taken back."""
    if not commands:
        return {}
    await execute(connection, "withdraw_answers", **_answer_columns(commands.values()))
    found = await fetch(
        connection,
        "orders_numbered",
        position=list(commands),
        shop_id=[command.order.shop_id for command in commands.values()],
        order_number=[command.order.order_number for command in commands.values()],
    )
    return {row["position"]: OrderNumberTaken(order_id=row["order_id"]) for row in found}


def _answer_columns(commands: Iterable[PlaceOrder]) -> Columns:
    shops, operations, transactions = zip(*map(_answer_key, commands), strict=True)
    return {"shop_id": list(shops), "operation": list(operations), "transaction_id": list(transactions)}


def _columns_of(commands: Sequence[PlaceOrder]) -> Columns:
    ticketed = [command for command in commands if command.ticket is not None]
    lines = [(command.order.order_id, line) for command in commands for line in command.licenses]
    return {
        "position": list(range(len(commands))),
        **_columns("answer", StoredAnswer, [command.answer for command in commands]),
        **_columns("order", Order, [command.order for command in commands]),
        "ticket_order_id": [command.order.order_id for command in ticketed],
        **_columns("ticket", Ticket, [command.ticket for command in ticketed]),
        "license_placed_by": [order_id for order_id, _ in lines],
        **_columns("license", License, [line for _, line in lines]),
        "audit_order_id": [command.order.order_id for command in commands],
        **_columns("audit", AuditRow, [command.audit for command in commands]),
    }


def _columns(prefix: str, kind: type[Any], records: Sequence[Any]) -> Columns:
    columns = {}
    for name in kind.__dataclass_fields__:
        values = [getattr(record, name) for record in records]
        if values and isinstance(values[0], datetime):
            values = list(map(rows.from_time, values))
        columns[f"{prefix}_{name}"] = values
    return columns
