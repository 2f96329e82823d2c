"""The page about signing messages runs as it stands, but for the address: its commands, zeep and xmlsec1 with curl."""

import asyncio
import io
import re
import shlex
import subprocess
import warnings
from pathlib import Path

import pytest
import typer.testing
import zeep.exceptions

from server.cli import main as cli
from server.cli.initialise import CONFIG, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "sign-messages.md").read_text()
INDENTED = re.findall(r"^    ((?:opendepot|openssl)(?:.*\\\n)*.*)$", PAGE, re.MULTILINE)


async def test_the_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "depot"
    await asyncio.to_thread(initialise, folder)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(folder / CONFIG, port=0, admin_port=0)
    async with opened_core(settings) as core:
        await core.catalogue.add_item(item_number="EDITOR", firm_code=6000010, product_code=100)
        await core.catalogue.add_shop("acme")
    assert [one.split()[:3] for one in INDENTED] == [
        ["opendepot", "shop", "add-username"],
        ["openssl", "req", "-x509"],
        ["opendepot", "shop", "add-certificate"],
        ["opendepot", "shop", "policy"],
    ]

    def by_command(command: str) -> str:
        words = shlex.split(command.replace("\\\n", " "))
        if words[0] == "openssl":
            subprocess.run(words, check=True, capture_output=True, timeout=30)
            return ""
        result = typer.testing.CliRunner().invoke(cli.app, words[1:], env={"OPENDEPOT_CONFIG": str(folder / CONFIG)})
        assert result.exit_code == 0, f"{command}: {result.output} {result.exception}"
        return result.output

    *before, policy = INDENTED
    told = [await asyncio.to_thread(by_command, command) for command in before]
    (secret,) = re.findall(r"od_[\w-]{20,}|\b[\w-]{40,}\b", told[0])
    async with serving(settings, log=io.StringIO()) as up:
        page = PAGE.replace("https://licences.example.com", up.url)
        digest, signing = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        (script,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)

        def by_zeep(program: str) -> None:
            # zeep leaves its session for the garbage collector to close.
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                names = {"SECRET": secret}
                exec(compile(program, "sign-messages.md", "exec"), names)
                names["client"].transport.session.close()

        def by_shell() -> str:
            done = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, check=True, timeout=30)
            return done.stdout

        await asyncio.to_thread(by_zeep, digest)
        # From here on a signature is needed.
        await asyncio.to_thread(by_command, policy)
        up.application.filters.hurry()
        for _ in range(1000):
            if up.application.filters.last().shops["acme"].access_policy.value == "signature":
                break
            await asyncio.sleep(0.01)
        with pytest.raises(zeep.exceptions.Fault, match="a signature over the message"):
            await asyncio.to_thread(by_zeep, digest)
        await asyncio.to_thread(by_zeep, signing)
        answers = [await asyncio.to_thread(by_shell) for _ in range(2)]
        tickets = {re.findall(r"ticket>(.*?)<", answer)[0] for answer in answers}
        assert len(tickets) == 1, "signed anew, the same order has the same answer"
