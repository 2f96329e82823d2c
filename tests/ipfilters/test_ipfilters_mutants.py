"""The tests of this folder notice small changes of `ipfilters/`."""

import ast
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mutants import Mutant, mutants

import ipfilters

FOLDER = Path(ipfilters.__file__).parent
TESTS = Path(__file__).parent
LEAST_KILLED = 0.85
SECONDS = 120
"""A mutant that hangs is noticed, too."""


def test_a_seed_draws_the_same_changes_again_and_each_is_one_of_a_program() -> None:
    drawn = mutants(FOLDER, 40, seed=3)
    assert drawn == mutants(FOLDER, 40, seed=3) != mutants(FOLDER, 40, seed=4)
    assert len({(mutant.path, mutant.text) for mutant in drawn}) == 40
    for mutant in drawn:
        assert mutant.before != mutant.after
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(mutant.path.read_text()))


def survives(mutant: Mutant | None, folder: Path) -> bool:
    """Whether all tests pass with a module as the mutant has it."""
    shutil.copytree(FOLDER, folder / "ipfilters", ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        (folder / "ipfilters" / mutant.path.name).write_text(mutant.text)
    others = ["-k", "not hundred_thousand", "--ignore", str(TESTS / "test_ipfilters_mutants.py")]
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-n0", "-m", "not long and not slow"]
    try:
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *others, str(TESTS)],
            cwd=TESTS.parents[1],
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_most_changes_are_noticed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seed, count = request.config.getoption("--seed"), request.config.getoption("--mutants")
    print(f"seed {seed}")
    drawn = mutants(FOLDER, count, seed)
    assert survives(None, tmp_path / "as it is")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        lived = list(pool.map(survives, drawn, (tmp_path / str(number) for number in range(len(drawn)))))
    left = [mutant for mutant, alive in zip(drawn, lived, strict=True) if alive]
    for mutant in left:
        print(f"survived: {mutant}")
    print(f"{len(drawn) - len(left)} of {len(drawn)} changes were noticed")
    assert len(left) <= (1 - LEAST_KILLED) * len(drawn)
