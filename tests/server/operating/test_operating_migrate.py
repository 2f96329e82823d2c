"""`opendepot migrate` says what is due, applies it once, and refuses what it does not know."""

import json
from pathlib import Path

import pytest
import typer.testing
from installations import Installed, installed, removed
from postgres_server import PostgresServer

from server.cli import main as cli
from storage.errors import ForeignDatabase, LocationInvalid, MigrationChanged, SchemaTooNew

RUNNER = typer.testing.CliRunner()


def migrate(depot: Installed, *arguments: str) -> str:
    result = RUNNER.invoke(cli.app, ["migrate", "--config", str(depot.config), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path):
    """An installation whose database is there, but has no tables."""
    server: PostgresServer | None = request.getfixturevalue("own_postgres") if request.param == "postgres" else None
    depot = installed(tmp_path / "depot", server)
    if server is None:
        for path in depot.folder.glob("opendepot.sqlite3*"):
            path.unlink()
        (depot.folder / depot.database).touch(0o600)
    yield depot
    removed(depot)


def tables(depot: Installed) -> set[str]:
    name = "name FROM sqlite_schema" if depot.backend == "sqlite" else "tablename FROM pg_tables"
    schema = "" if depot.backend == "sqlite" else " WHERE schemaname = 'public'"
    return {row[0] for row in depot.run(f"SELECT {name}{schema}")}


def test_the_plan_changes_nothing_and_migrating_applies_it_once(fresh: Installed) -> None:
    assert "due: 0001_initial" in migrate(fresh, "--plan")
    assert tables(fresh) == set()
    plan = json.loads(migrate(fresh, "--plan", "--json"))
    assert {"number": 1, "name": "initial"} in plan["pending"]
    assert plan["applied"] == []
    assert "applied: 0001_initial" in migrate(fresh)
    assert "orders" in tables(fresh)
    assert "nothing is due" in migrate(fresh)
    assert "nothing is due" in migrate(fresh, "--plan")
    done = json.loads(migrate(fresh, "--json"))
    assert (done["pending"], done["done"]) == ([], [])
    assert {"number": 1, "name": "initial"} in done["applied"]


@pytest.mark.parametrize("plan", [[], ["--plan"]])
def test_a_newer_schema_or_another_one_is_refused(fresh: Installed, plan: list[str]) -> None:
    migrate(fresh)
    nothing = "x''" if fresh.backend == "sqlite" else "''"
    fresh.run(f"INSERT INTO schema_migrations VALUES (9000, 'later', {nothing})")
    with pytest.raises(SchemaTooNew, match="use the newer version"):
        migrate(fresh, *plan)
    fresh.run("DELETE FROM schema_migrations WHERE number = 9000", f"UPDATE schema_migrations SET checksum = {nothing}")
    with pytest.raises(MigrationChanged):
        migrate(fresh, *plan)
    fresh.run("DROP TABLE schema_migrations")
    with pytest.raises(ForeignDatabase):
        migrate(fresh, *plan)


def test_no_database_is_made_where_there_is_none(tmp_path: Path) -> None:
    depot = installed(tmp_path / "depot")
    (depot.folder / depot.database).unlink()
    with pytest.raises(LocationInvalid, match="opendepot init"):
        migrate(depot)
    assert not (depot.folder / depot.database).exists()
