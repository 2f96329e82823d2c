"""The commands of the operator's how-to pages run as they stand, on both databases."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.testing

from server.cli import main as cli

RUNNER = typer.testing.CliRunner()
ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests" / "storage"), str(ROOT / "tests" / "server" / "operating")]

from installations import Installed, installed, lived_in, removed  # noqa: E402
from postgres_server import PostgresServer, run_apart, started_server  # noqa: E402

ADDRESS = "postgresql://opendepot@db.example.com/opendepot?sslmode=verify-full&passfile=/etc/opendepot/pgpass"


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[PostgresServer]:
    """A server that fsyncs, since `doctor` fails where one does not."""
    server = started_server(durable=True)
    yield server
    server.remove()


def commands(page: str) -> str:
    """All shell commands of a page, in order."""
    text = (ROOT / "docs" / "how-to" / page).read_text()
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def run(script: str, depot: Installed, tmp_path: Path) -> str:
    """Run the commands of a script, all of which must succeed, with their folders in the test's own folder.

    They run in this process: a new one for each would mostly be loading modules.
    """
    for path in ("/var/backups", "/var/tmp", "/var/lib/opendepot"):
        (tmp_path / path.strip("/")).mkdir(parents=True, exist_ok=True)
        script = script.replace(path, str(tmp_path / path.strip("/")))
    script = script.replace("/etc/opendepot/opendepot.toml", str(depot.config))
    environment, output = {"OPENDEPOT_ADMIN_PORT": "0"}, []
    for line in filter(str.strip, script.splitlines()):
        words = shlex.split(line)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            environment[name] = value
            continue
        assert words[0] == "opendepot", line
        verb, _, file = " ".join(words[1:]).partition(" > ")
        result = RUNNER.invoke(cli.app, shlex.split(verb), env=environment)
        assert result.exit_code == 0, f"{line}: {result.output} {result.exception}"
        if file:
            (tmp_path / file).write_text(result.output)
        output.append(result.output)
    return "\n".join(output)


@pytest.fixture(params=["sqlite", "postgres"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installed]:
    """An installation that was lived in."""
    server = request.getfixturevalue("durable_postgres") if request.param == "postgres" else None
    made = installed(tmp_path / "depot", server)
    run_apart(lived_in, made)
    yield made
    removed(made)


def test_backing_up_and_restoring_as_the_page_says(depot: Installed, tmp_path: Path) -> None:
    output = run(commands("back-up-and-restore.md"), depot, tmp_path)
    assert "can be restored" in output
    assert "the old database is kept" in output
    assert json.loads((tmp_path / "report.json").read_text())["healthy"]


def test_upgrading_as_the_page_says(depot: Installed, tmp_path: Path) -> None:
    assert "nothing is due" in run(commands("upgrade.md"), depot, tmp_path)


def test_moving_to_postgresql_and_back_as_the_page_says(durable_postgres: PostgresServer, tmp_path: Path) -> None:
    depot = installed(tmp_path / "depot")
    run_apart(lived_in, depot)
    page = commands("move-to-postgresql.md")
    assert page.count(ADDRESS) == 1
    name = durable_postgres.new_database()
    output = run(page.replace(ADDRESS, durable_postgres.address(name)), depot, tmp_path)
    assert output.count("all compared with the export") == 2
    assert output.count(", 0 problems") == 3
