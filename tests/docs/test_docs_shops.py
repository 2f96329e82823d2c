"""The commands of the page about identifying shops run as they stand."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer.testing

from server.cli import main as cli
from server.cli.initialise import CONFIG, initialise

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "identify-shops.md").read_text()


def test_the_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "depot"
    initialise(place)
    monkeypatch.chdir(tmp_path)
    (made,) = re.findall(r"^    (openssl [^`]*?webshop\.pem)$", PAGE, re.MULTILINE)
    subprocess.run(made.replace("\\\n", " "), shell=True, check=True, capture_output=True, timeout=30)
    runner = typer.testing.CliRunner()
    output = ""
    for line in "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines():
        if not line or line.startswith("export "):
            continue
        words = shlex.split(line.replace("/var/tmp", str(tmp_path)))
        result = runner.invoke(cli.app, words[1:], env={"OPENDEPOT_CONFIG": str(place / CONFIG)})
        assert result.exit_code == 0, f"{line}: {result.output} {result.exception}"
        output += result.output
    for said in ("API key, shown this once", "the key before holds until", "sha256:", "jo  read support", "disabled"):
        assert said in output, said
