"""Options of the long tests: counts and seeds."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=100, help="how often the server is killed (make long)")
    parser.addoption("--seed", type=int, default=1, help="the seed of random moments (make long)")
