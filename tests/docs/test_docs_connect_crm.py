"""The how-to that connects a CRM, carried out: its files, its commands, its program, and the example CRM that ships."""

import asyncio
import os
import re
import shlex
import sys
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli.initialise import CONFIG
from server.cli.main import app
from server.listener import serving
from server.ozomm.configuration import OzommConfiguration
from server.ozomm.example_crm import decided, example_crm
from server.settings import load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "connect-your-crm.md").read_text(encoding="utf-8")
BLOCKS, SHELL = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("toml", "sh"))
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def first_file(url: str) -> str:
    """The file of the first part, with the line that is added to it."""
    first, added = BLOCKS[0], BLOCKS[1]
    assert "http://127.0.0.1:9000/renewals" in first
    return first.replace("seconds = 5\n", "seconds = 5\n" + added).replace("http://127.0.0.1:9000/renewals", url)


def test_all_that_the_page_configures_is_valid() -> None:
    assert OzommConfiguration(**tomllib.loads(first_file("http://127.0.0.1:9000/renewals"))).rules
    for block in BLOCKS[2:]:
        found = tomllib.loads(block)
        found["sources"].setdefault("crm", {"kind": "everybody"})
        assert OzommConfiguration(**found).sources.keys() == found["sources"].keys()


@pytest.mark.slow
async def test_the_example_crm_is_connected_by_what_the_page_says_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENDEPOT_CONFIG", f"depot/{CONFIG}")
    config = tmp_path / "depot" / CONFIG
    first, *_ = SHELL
    commands = [shlex.split(line)[1:] for line in first.splitlines() if line.startswith("opendepot ")]
    outputs = [await run(*command) for command in commands]
    api_key = re.findall(r"od_\S+", outputs[-1])[0]
    async with example_crm(port=0) as url:
        (tmp_path / "depot" / "ozomm.toml").write_text(first_file(url))
        config.write_text('ozomm_file = "ozomm.toml"\n' + config.read_text())
        checked = await run("ozomm", "check")
        assert checked == "EDITOR*: crm decides; while it is silent: queue\n"
        assert checked.strip() in PAGE
        async with serving(load_settings(config, port=0, admin_port=0)) as up:
            (tmp_path / "extend.py").write_text(PROGRAM)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "extend.py"),
                cwd=tmp_path,
                env={**os.environ, "OPENDEPOT_URL": up.url, "OPENDEPOT_API_KEY": api_key},
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
            assert process.returncode == 0
    before, state, *offers, after = output.decode().splitlines()
    if state.startswith("Refused"):  # the example CRM refuses one ticket of 32
        assert state == "Refused Bitte begleichen Sie zuerst Ihre Rechnung."
        return
    assert state == "Extended Ihre Lizenz wurde verlängert."
    assert offers == ["offer Mehr vom Editor https://shop.example.com/editor-pro"]
    ends = [datetime.fromisoformat(line.removeprefix("ends ")) for line in (before, after)]
    assert ends[1] - ends[0] == timedelta(days=365)


async def run(*arguments: str) -> str:
    """A command of the page, as somebody types it."""
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.output


def test_the_example_crm_refuses_who_has_not_paid() -> None:
    assert decided({"contract": "1-0", "speaks": "de"})["renewal"]["status"] == "unpaid"
    assert decided({"contract": "1-1"})["upgrades"][0]["headline"] == "More of the editor"
