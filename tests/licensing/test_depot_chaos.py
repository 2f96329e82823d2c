"""The transfer protocol under everything that can go wrong at once (transfer protocol, sections 3 to 5).

A failure prints the steps that led to it, and comes back with the same `--seed`; `--shrink` looks for fewer steps.
"""

import pytest
from depot_chaos import Chaos
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

pytestmark = pytest.mark.slow

STEPS = 40
STEPS_OF_CI, LONG_STEPS = 2_000, 100_000


def run(request: pytest.FixtureRequest, *, least: int = 0) -> None:
    option = request.config.getoption
    steps, number = max(least, option("--steps")), option("--seed")
    print(f"--seed {number} --steps {steps}")

    @seed(number)
    class Seeded(Chaos):
        pass

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Seeded,
        settings=settings(
            max_examples=max(1, steps // STEPS),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if option("--shrink") else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(Chaos.happened))
    if steps >= STEPS_OF_CI:
        assert {"Done", "NothingNew", "ExportAgain", "Marked", "Lost"} <= set(Chaos.happened), "it is about something"


def test_nothing_is_doubled_and_no_honest_container_is_refused(request: pytest.FixtureRequest) -> None:
    run(request)


@pytest.mark.long
def test_nothing_is_doubled_in_the_long_run(request: pytest.FixtureRequest) -> None:
    run(request, least=LONG_STEPS)
