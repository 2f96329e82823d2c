"""The tests of this folder notice small changes of `ipfilters/` (docs/reference/ip-filters-held.md)."""

import ast
from pathlib import Path

import pytest
from mutants import Trial, mutants

import ipfilters

FOLDER = Path(ipfilters.__file__).parent
FAST = (
    "tests/ipfilters",
    *("--ignore", "tests/ipfilters/test_ipfilters_mutants.py"),
    *("-m", "not long and not slow", "-k", "not hundred_thousand"),
)
"""All but what takes seconds: a change is tried in a second or two."""
IMPORTED = ("ipfilters", "hypothesis", "pytricia")
LEAST_NOTICED = 0.85


def test_a_seed_draws_the_same_changes_again_and_each_is_one_of_a_program() -> None:
    drawn = mutants(FOLDER, 40, seed=3)
    assert drawn == mutants(FOLDER, 40, seed=3) != mutants(FOLDER, 40, seed=4)
    assert len({(mutant.path, mutant.text) for mutant in drawn}) == 40
    for mutant in drawn:
        assert mutant.before != mutant.after
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(mutant.path.read_text()))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_most_changes_are_noticed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seed, count = request.config.getoption("--seed"), request.config.getoption("--mutants")
    state = Path(request.config.getoption("--state") or tmp_path)
    print(f"seed {seed}, kept in {state}")
    drawn = mutants(FOLDER, count, seed)
    trial = Trial(
        root=FOLDER.parent, package=FOLDER, part=FOLDER, tests=FAST, state=state, imported=IMPORTED, seconds=60
    )
    lived = trial.lived(drawn)
    for mutant in sorted(lived, key=lambda mutant: (str(mutant.path), mutant.line)):
        print(f"lived: {mutant}")
    print(f"{len(drawn) - len(lived)} of {len(drawn)} changes were noticed")
    assert len(lived) <= (1 - LEAST_NOTICED) * len(drawn)
