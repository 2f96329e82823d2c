"""Options of the long tests: counts and seeds. What is done once to a process that runs tests."""

import gc

import pytest
from hypothesis import settings

settings.register_profile("long", max_examples=10 * settings.get_profile("default").max_examples)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=100, help="how often the server is killed (make long)")
    parser.addoption("--steps", type=int, default=2_000, help="steps of the transfer protocol's machine (CI: 2,000)")
    parser.addoption("--shrink", action="store_true", help="let that machine look for fewer steps to a failure")
    parser.addoption("--cuts", type=int, default=1000, help="how often a connection is cut (make long)")
    parser.addoption("--seed", type=int, default=1, help="the seed of random moments (make long)")
    parser.addoption("--fuzz", type=int, default=50_000, help="how many mutated messages are sent (make long)")
    parser.addoption("--fuzz-from", type=int, default=10_000, help="the first seed of mutated messages (make long)")
    parser.addoption("--state", default=None, help="the folder in which long runs are kept and go on (make long)")
    parser.addoption("--power-losses", type=int, default=200, help="how often the power goes (make long)")
    parser.addoption("--power-from", type=int, default=1_000, help="the first seed of power losses (make long)")
    parser.addoption("--guesses", type=int, default=100_000, help="how many tickets are guessed at (make long)")
    parser.addoption("--filled", type=int, default=1_000_000, help="orders in a database that is large (make long)")
    parser.addoption("--soak-minutes", type=float, default=20, help="how long the soak is, 5 at least (make long)")
    parser.addoption("--mutants", type=int, default=400, help="how many changes of ipfilters/ are tried (make long)")


def pytest_collection_finish() -> None:
    """Thousands of tests and all libraries stay; a look for garbage, which many tests ask for, passes them by."""
    gc.collect()
    gc.freeze()
