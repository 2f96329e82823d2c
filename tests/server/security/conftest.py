"""A database for each test of the gates, migrated once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gates_bench import World, opened


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("security") / "empty.sqlite3"


@pytest.fixture
async def world(tmp_path: Path, empty_database: Path) -> AsyncIterator[World]:
    async for made in opened(tmp_path, empty_database):
        yield made
