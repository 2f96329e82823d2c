"""Installations for the operator's commands, on both databases."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "storage"))

from installations import Installed, copied, installed, lived_in, removed
from postgres_server import PostgresServer, run_apart, started_server

BACKENDS = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    """A server for these tests. It does not fsync, which `doctor` must be told is all right."""
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], Installed]:
    """For each database an installation that was lived in; made once and copied. They end with their server."""
    made: dict[str, Installed] = {}

    def original(backend: str) -> Installed:
        if backend not in made:
            server = request.getfixturevalue("own_postgres") if backend == "postgres" else None
            made[backend] = installed(tmp_path_factory.mktemp("original") / "depot", server)
            run_apart(lived_in, made[backend])
        return made[backend]

    return original


@pytest.fixture(params=BACKENDS)
def depot(request: pytest.FixtureRequest, originals: Callable[[str], Installed], tmp_path: Path) -> Iterator[Installed]:
    """An installation that was lived in, a copy of its own for each test."""
    installation = copied(originals(request.param), tmp_path / "depot")
    yield installation
    removed(installation)
