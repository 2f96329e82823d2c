from itertools import product

import pytest

from soap import Exchange, Stage
from soap.exchange import TRANSITIONS

LADDER = (Stage.RECEIVED, Stage.ADMITTED, Stage.AUTHENTICATED, Stage.VALIDATED, Stage.RUNNING, Stage.ANSWERING)
ENDS = (Stage.SENT, Stage.ABORTED)


def _at(stage: Stage) -> Exchange:
    exchange = Exchange()
    before_answer = LADDER[1 : LADDER.index(stage) + 1] if stage in LADDER else ()
    for step in before_answer:
        exchange.to(step)
    if stage is Stage.SENT:
        exchange.to(Stage.FAULTING)
    if stage not in LADDER:
        exchange.to(stage)
    return exchange


def _expected(start: Stage, end: Stage) -> bool:
    """The law apart from the table: up the ladder by one, a fault before the answer begins, an abort before an end."""
    if start in ENDS:
        return False
    if end is Stage.ABORTED:
        return True
    if end is Stage.SENT:
        return start in (Stage.ANSWERING, Stage.FAULTING)
    if start is Stage.FAULTING:
        return False
    if end is Stage.FAULTING:
        return start is not Stage.ANSWERING
    return LADDER.index(end) == LADDER.index(start) + 1


@pytest.mark.parametrize(("start", "end"), list(product(Stage, Stage)))
def test_every_pair_of_stages_is_a_move_or_refused_as_the_law_says(start: Stage, end: Stage) -> None:
    exchange = _at(start)

    if _expected(start, end):
        exchange.to(end)
        assert exchange.stage is end
    else:
        with pytest.raises(AssertionError, match=f"cannot go from {start} to {end}"):
            exchange.to(end)
        assert exchange.stage is start


def test_the_table_knows_every_stage() -> None:
    assert set(TRANSITIONS) == set(Stage)


@pytest.mark.parametrize("stage", LADDER[:-1])
def test_reached_stays_at_the_stage_where_a_fault_or_an_abort_came(stage: Stage) -> None:
    faulted, aborted = _at(stage), _at(stage)
    faulted.to(Stage.FAULTING)
    faulted.to(Stage.SENT)
    aborted.to(Stage.ABORTED)

    assert (faulted.reached, aborted.reached) == (stage, stage)


def test_an_answered_exchange_has_reached_its_answer() -> None:
    exchange = _at(Stage.ANSWERING)
    exchange.to(Stage.SENT)

    assert (exchange.stage, exchange.reached) == (Stage.SENT, Stage.ANSWERING)


def test_no_way_through_the_table_holds_both_an_answer_and_a_fault() -> None:
    ways = [(Stage.RECEIVED,)]
    ended = []
    while ways:
        way = ways.pop()
        following = TRANSITIONS[way[-1]]
        ended += [way] if not following else []
        ways += [(*way, stage) for stage in following]

    assert len(ended) > len(LADDER)
    assert not [way for way in ended if {Stage.ANSWERING, Stage.FAULTING} <= set(way)]
