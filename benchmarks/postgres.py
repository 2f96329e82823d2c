"""A PostgreSQL server of a benchmark's own, which keeps its promises: fsync and synchronous_commit are on."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.folders import ROOT
from benchmarks.report import Refused

_SERVERS = ROOT / "tests" / "storage" / "postgres_server.py"


@contextmanager
def own_postgres(**settings: str) -> Iterator[Any]:
    """Run a server with these settings until the block ends. Raises Refused when the tests that know how are not there.

    Give a `tests/storage/postgres_server.py: PostgresServer`.
    """
    # The tests know how to run one; they are no package, so that they cannot be imported by name.
    spec = importlib.util.spec_from_file_location("postgres_server", _SERVERS)
    if spec is None or spec.loader is None or not _SERVERS.exists():
        raise Refused(f"{_SERVERS} is missing; run this in a checkout")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.started_server(durable=True, **settings)
    try:
        yield server
    finally:
        server.remove()
