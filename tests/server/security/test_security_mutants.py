"""The unit tests of `server/security/` notice small changes of it (docs/reference/mutants.md)."""

import ast
from pathlib import Path

import pytest
from mutants import Mutant, Trial, mutants

import server
import server.security

PACKAGE = Path(server.__file__).parent
PART = Path(server.security.__file__).parent
ROOT = PACKAGE.parent
FAST = (
    "tests/server/security",
    "tests/attacks/signature",
    *("-m", "not long and not slow", "-k", "not wire and not the_server_slows and not two_thousand"),
)
"""Tests without a server: a change is tried in a second or two."""
IMPORTED = ("server.app", "server.cli.main", "hypothesis", "signxml", "prometheus_client.parser")
LEAST_NOTICED = 0.85


def test_a_seed_draws_the_same_changes_again_of_all_modules_and_each_is_one_of_a_program() -> None:
    drawn = mutants(PART, 60, seed=3)
    assert drawn == mutants(PART, 60, seed=3) != mutants(PART, 60, seed=4)
    assert {mutant.path.parent for mutant in drawn} == {PART, PART / "wssecurity"}
    for mutant in drawn:
        assert mutant.line <= mutant.end
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(mutant.path.read_text()))


@pytest.mark.slow
def test_a_change_is_tried_with_the_tests_that_reach_it_and_what_was_noticed_is_kept(tmp_path: Path) -> None:
    part, tests, state = tmp_path / "whole" / "part", tmp_path / "tests", tmp_path / "state"
    for folder in (part, tests, state):
        folder.mkdir(parents=True)
    (tmp_path / "whole" / "__init__.py").touch()
    (part / "__init__.py").touch()
    (part / "sums.py").write_text("def more(x):\n    return x + 1\n\n\ndef less(x):\n    return x - 1\n")
    (tests / "test_sums.py").write_text(
        "from whole.part.sums import less, more\n\n\ndef test_more():\n    assert more(1) == 2\n\n\n"
        "def test_less():\n    less(1)\n"
    )
    trial = Trial(root=tmp_path, package=part.parent, part=part, tests=("tests",), state=state)
    every = mutants(part, 100, seed=1)
    drawn = [next(mutant for mutant in every if mutant.before == text) for text in ("x + 1", "x - 1")]
    lived = trial.lived(drawn)
    assert [str(mutant) for mutant in lived] == ["sums.py:6: x - 1 -> x + 1"]
    before = (state / "noticed.txt").read_text()
    assert before.endswith("sums.py:2: x + 1 -> x - 1\n")
    assert trial.lived(drawn) == lived
    assert (state / "noticed.txt").read_text() == before, "only what lived is tried again"


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_most_changes_of_the_security_of_the_server_are_noticed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seed, count = request.config.getoption("--seed"), request.config.getoption("--mutants")
    state = Path(request.config.getoption("--state") or tmp_path)
    print(f"seed {seed}, kept in {state}")
    drawn = mutants(PART, count, seed)
    lived: list[Mutant] = Trial(
        root=ROOT, package=PACKAGE, part=PART, tests=FAST, state=state, imported=IMPORTED
    ).lived(drawn)
    for mutant in sorted(lived, key=lambda mutant: (str(mutant.path), mutant.line)):
        print(f"lived: {mutant.path.relative_to(PART)}:{mutant.line}: {mutant.before} -> {mutant.after}")
    print(f"{len(drawn) - len(lived)} of {len(drawn)} changes were noticed")
    assert len(lived) <= (1 - LEAST_NOTICED) * len(drawn)
