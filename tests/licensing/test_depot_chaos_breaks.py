"""The machine of `depot_chaos` sees what it is there to see: each of these breaks of the code makes it fail.

What is broken: contexts from below base are carried out while a container heals; nobody looks at the sums; blocks are
forgotten; every file is signed anew; a piece is free before a receipt has shown that it is gone; the journal's
rejoinings are passed over; its steps are; a marked container is served; a late context is a receipt; of an unsigned
step whatever was signed last is sent.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from depot_chaos import Chaos
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

import storage.changes
import storage.transfer_plans
from licensing.depot import Depot
from licensing.replaying import Replaying
from licensing.transfers import contact, judgement, planning
from licensing.transfers.chain import Wanted
from licensing.transfers.contact import Arrival, Contact
from licensing.transfers.judgement import Verdict
from storage.records import Mark

Break = Callable[[pytest.MonkeyPatch], None]
RUNS, STEPS = 400, 40


def below_base_while_healing(patch: pytest.MonkeyPatch) -> None:
    def healing(arrival: Arrival) -> Contact:
        row = replace(arrival.container, base=arrival.context.counter)
        return contact._healing(replace(arrival, container=row))

    patch.setitem(contact._OF_MARK, Mark.HEALING, healing)


def without_the_sums(patch: pytest.MonkeyPatch) -> None:
    placed = storage.transfer_plans.put_placements
    for plans in (storage.transfer_plans, storage.changes):
        patch.setattr(plans, "put_placements", lambda changed, **_: placed(changed, statement="set_placement"))
    patch.setattr(planning, "_most", lambda use, _counted, _here: use.license.quantity)


def blocks_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    met = Depot._met

    async def without(self: Depot, context: Any, view: Any, query: Any) -> Any:
        return await met(self, context, replace(view, blocked=False), query)

    patch.setattr(Depot, "_met", without)


def signed_anew(patch: pytest.MonkeyPatch) -> None:
    def nothing_stored(command: Any) -> Generator[Any, Any, tuple[bytes, ...]]:
        yield from ()
        return tuple(signed for _, signed in command.signed)

    patch.setattr(storage.transfer_plans, "_store_signed", nothing_stored)


def free_on_an_unproven_drop(patch: pytest.MonkeyPatch) -> None:
    placements = Wanted.placements

    def only_the_end(self: Wanted, *, states: Any, **others: Any) -> Any:
        return placements(self, states=states[-1:], **others)

    patch.setattr(Wanted, "placements", only_the_end)


def rejoinings_passed_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replaying, "_rejoined", lambda _self, _record, _view: "known")


def steps_passed_over(patch: pytest.MonkeyPatch) -> None:
    async def known(_self: Replaying, _record: Any, _view: Any) -> str:
        return "known"

    patch.setattr(Replaying, "_step", known)


def marked_is_served(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(contact._OF_MARK, Mark.MARKED, contact._ok)


def late_is_a_receipt(patch: pytest.MonkeyPatch) -> None:
    rules = tuple((holds, Verdict.RECEIPT if v is Verdict.LATE else v) for holds, v in judgement.RULES)
    patch.setattr(judgement, "RULES", rules)


def the_last_signature_wins(patch: pytest.MonkeyPatch) -> None:
    def stored(command: Any) -> Generator[Any, Any, tuple[bytes, ...]]:
        stored = yield from storage_signed(command)
        return tuple(signed for _, signed in command.signed) if stored else stored

    storage_signed = storage.transfer_plans._store_signed
    patch.setattr(storage.transfer_plans, "_store_signed", stored)


BREAKS: dict[str, Break] = {
    "below base while healing": below_base_while_healing,
    "without the sums": without_the_sums,
    "blocks are forgotten": blocks_are_forgotten,
    "signed anew": signed_anew,
    "free on an unproven drop": free_on_an_unproven_drop,
    "rejoinings passed over": rejoinings_passed_over,
    "steps passed over": steps_passed_over,
    "marked is served": marked_is_served,
    "late is a receipt": late_is_a_receipt,
    "the last signature wins": the_last_signature_wins,
}


def goes_red(request: pytest.FixtureRequest) -> None:
    @seed(request.config.getoption("--seed"))
    class Seeded(Chaos):
        pass

    with pytest.raises((AssertionError, Exception)) as found:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Seeded,
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(repr(found.value)[:300])


@pytest.mark.long
@pytest.mark.parametrize("name", BREAKS)
def test_the_machine_goes_red_when(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    BREAKS[name](monkeypatch)
    goes_red(request)


def test_the_machine_goes_red_when_a_healing_container_is_served_below_its_base(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    below_base_while_healing(monkeypatch)
    goes_red(request)
