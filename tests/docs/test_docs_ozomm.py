"""The table of faults in the explanation of OZOMM is complete, and every test that it names is there."""

import re
from pathlib import Path

from licensing.extensions.saga import TRANSITIONS, Step
from licensing.extensions.values import Reason, State

HERE = Path(__file__).parents[2]
PAGE = (HERE / "docs" / "explanation" / "ozomm.md").read_text(encoding="utf-8")
EVERYWHERE = {"killed before", "killed after", "answer lost", "down"}
OF_A_CRM = {"slow", "wrong", "late"}
ROW = re.compile(r"^\| `(\w+)` \| ([a-z ]+) \| (.+) \| `(test_\w+)` \|$", re.MULTILINE)


def test_every_step_meets_every_fault_in_the_table() -> None:
    rows = ROW.findall(PAGE)
    expected = {(step.value, fault) for step in Step if step not in {Step.DONE, Step.STUCK} for fault in EVERYWHERE}
    expected |= {(Step.CHECK.value, fault) for fault in OF_A_CRM}

    assert sorted(expected) == sorted((step, fault) for step, fault, _, _ in rows)


def test_every_test_that_the_table_names_is_there() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (HERE / "tests" / "server").glob("test_*.py"))
    for _, fault, what, test in ROW.findall(PAGE):
        assert f"async def {test}(" in tests, test
        assert what.endswith("."), (fault, what)


def test_every_state_and_reason_is_explained() -> None:
    for word in (*State, *Reason):
        assert f"`{word.value}`" in PAGE, word


def test_every_step_leads_to_an_end() -> None:
    reached = {Step.DONE}
    while True:
        more = {step for (step, _), after in TRANSITIONS.items() if after in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(Step) - {Step.STUCK}
    assert {step for step, _ in TRANSITIONS} == set(Step) - {Step.DONE, Step.STUCK}
