"""The commands of the how-to about IP filters run in their order and say what the page says."""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.app import opened_core
from server.cli.initialise import CONFIG, initialise
from server.cli.main import app
from server.settings import load_settings

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tune-ip-filters.md"
WANTED = 'format = 1\n[[shop.acme]]\nallow = "192.0.2.0/28"\n'


def commands() -> Iterator[tuple[str, str]]:
    """Give each command of the page and what it prints there."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def written(folder: Path) -> None:
    config = folder / CONFIG
    settings = 'trusted_proxies = ["10.0.0.5"]\n'
    assert settings.strip() in PAGE.read_text(encoding="utf-8")
    config.write_text(config.read_text() + settings)


def test_the_commands_run_and_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "depot"
    initialise(folder)
    written(folder)

    async def stocked() -> None:
        async with opened_core(load_settings(folder / CONFIG)) as core:
            await core.catalogue.add_shop("acme")

    asyncio.run(stocked())
    request = {"event": "exchange", "service": "Sales", "shop": "acme", "outcome": "ok", "address_allowed": False}
    clients = ("192.0.2.7", "192.0.2.9", "192.0.2.7")
    (tmp_path / "server.log").write_text(
        "".join(json.dumps({**request, "client": client}) + "\n" for client in clients)
    )
    (tmp_path / "wanted.toml").write_text(WANTED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENDEPOT_CONFIG", str(Path("depot") / CONFIG))
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    ran = 0
    for command, shown in commands():
        name, *words = shlex.split(command)
        assert name == "opendepot"
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (command, result.output, result.exception)
        assert result.output == shown, command
        ran += 1
    assert ran > 8
