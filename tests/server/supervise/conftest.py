"""A depot made once and copied for each test, and servers that are ended whatever happens."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from supervised import Depot, Supervised, make_depot


@pytest.fixture(scope="session")
def depot_template(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    return make_depot(tmp_path_factory.mktemp("supervised") / "template")


@pytest.fixture
def depot(depot_template: Depot, tmp_path: Path) -> Depot:
    return depot_template.copied(tmp_path / "depot")


@pytest.fixture
def supervised() -> Iterator[Any]:
    """Start a server: give it what Supervised takes."""
    with ExitStack() as stack:

        def start(depot: Depot, **options: Any) -> Supervised:
            server = Supervised(depot, **options)
            stack.callback(server.end)
            return server

        yield start
