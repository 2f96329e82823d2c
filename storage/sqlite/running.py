"""Plans carried out on a connection of SQLite."""

import json
import sqlite3
from typing import TypeVar

from storage.plans import Ask, Plan, Read, ReadEach, Write, WriteEach
from storage.rows import Parameters
from storage.sqlite.statements import statements

Result = TypeVar("Result")


def run_plan(db: sqlite3.Connection, plan: Plan[Result]) -> Result:
    """The plan's result; raises what the plan or SQLite raises."""
    answer: object = None
    try:
        while True:
            answer = _carry_out(db, plan.send(answer))
    except StopIteration as done:
        result: Result = done.value
        return result


def _carry_out(db: sqlite3.Connection, ask: Ask) -> object:
    sql = statements()[ask.name]
    match ask:
        case Read():
            return db.execute(sql, _bound(ask.parameters)).fetchall()
        case Write():
            return db.execute(sql, ask.parameters).rowcount
        case ReadEach():
            return [db.execute(sql, parameters).fetchone() for parameters in ask.parameters]
        case WriteEach():
            return db.executemany(sql, ask.parameters).rowcount


def _bound(parameters: Parameters) -> Parameters:
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
        for name, value in parameters.items()
    }
