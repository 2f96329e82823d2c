"""The page about the Python client runs as it stands: its commands, and its Python read as one program, over TLS."""

import asyncio
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.testing

from server.cli import main as cli
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "use-the-client.md").read_text()
OPENSSL = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=licences "
    "-addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.pem"
)


async def test_the_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "depot"
    await asyncio.to_thread(initialise, folder)
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / VENDOR_CERTIFICATE, tmp_path / "vendor-certificate.pem")
    (made,) = re.findall(r"^    (openssl [^`]*?webshop\.pem)$", PAGE, re.MULTILINE)
    for command in (OPENSSL, made.replace("\\\n", " ")):
        await asyncio.to_thread(subprocess.run, command, shell=True, check=True, capture_output=True, timeout=30)
    settings = load_settings(
        folder / CONFIG,
        port=0,
        admin_port=0,
        tls_ask_client_certificate=True,
        tls_certificate_file=tmp_path / "server.pem",
        tls_key_file=tmp_path / "server.key",
    )
    async with opened_core(settings) as core:
        await core.catalogue.add_item(
            item_number="EDITOR-1Y", firm_code=6000010, product_code=100, options=("expirationTime=add:365d",)
        )
        _, api_key = await core.catalogue.add_shop("webshop")

    def by_command() -> str:
        secret = ""
        for line in "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).split("\n"):
            if not line:
                continue
            words = shlex.split(line)[1:]
            result = typer.testing.CliRunner().invoke(cli.app, words, env={"OPENDEPOT_CONFIG": str(folder / CONFIG)})
            assert result.exit_code == 0, f"{line}: {result.output} {result.exception}"
            if "add-username" in words:
                secret = json.loads(result.output)["secret"]
        return secret

    secret = await asyncio.to_thread(by_command)
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    async with serving(settings, log=io.StringIO()) as up:
        environment = {"OPENDEPOT_URL": up.url, "OPENDEPOT_API_KEY": api_key, "ERP_SECRET": secret}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", program),
            cwd=tmp_path,
            env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    assert b"free: 2" in out
