"""Each fuzz target takes what is kept for it, and a number of inputs that are made of that, all by their seed."""

from itertools import islice

import pytest
from fuzz_targets import TARGETS, TOKENS, kept
from fuzzing import inputs

SHORT = 150


def fuzzed(target: str, *, seed: int, count: int) -> int:
    tried = 0
    for number, data in enumerate(islice(inputs(kept(target), TOKENS, seed=seed), count)):
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target}, seed {seed}, input {number}: {data!r}") from error
        tried += 1
    return tried


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_and_what_is_made_of_them_end_as_they_must(target: str) -> None:
    assert len(kept(target)) >= 5
    count = len(kept(target)) + SHORT
    assert fuzzed(target, seed=1, count=count) == count


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("target", TARGETS)
def test_many_inputs_that_are_made_of_kept_ones_end_as_they_must(target: str, pytestconfig: pytest.Config) -> None:
    seed, count = pytestconfig.getoption("--seed") + 1, pytestconfig.getoption("--fuzz")
    print(f"{target}: {count} executions, seed {seed}")
    assert fuzzed(target, seed=seed, count=count) == count
