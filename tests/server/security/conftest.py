"""A database for each test of the gates, migrated once; a server with TLS, and the certificates of its clients."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gates_bench import World, opened
from openssl_made import Pair, self_signed
from wire import Server, Start


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("security") / "empty.sqlite3"


@pytest.fixture
async def world(tmp_path: Path, empty_database: Path) -> AsyncIterator[World]:
    async for made in opened(tmp_path, empty_database):
        yield made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Certificates of a server, of a shop, and of nobody that the server knows."""
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "server": self_signed(folder, "server", alt="DNS:localhost,IP:127.0.0.1"),
        "shop": self_signed(folder, "shop"),
        "foreign": self_signed(folder, "foreign"),
    }


@pytest.fixture
async def secure(start: Start, made: dict[str, Pair]) -> Server:
    """A server with TLS that asks for client certificates."""
    pair = made["server"]
    return await start(tls_certificate_file=pair.certificate, tls_key_file=pair.key, tls_ask_client_certificate=True)
