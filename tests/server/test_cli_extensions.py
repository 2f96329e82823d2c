"""The verbs of extensions, and those of OZOMM beside it, on a server that serves: what an operator sees and mends."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import Result
from crm import ADDRESS, DECIDES, Crm, started
from extending import DATABASE, OZOMM_FILE, PRODUCT_CODE, SERVE, Deployment, free_port, in_one_process
from typer.testing import CliRunner
from wire import FIRM_CODE

from licensing.errors import ExtensionUnknown
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.core import opened_core
from server.errors import SettingsError
from server.settings import load_settings

CONFIGURATION = f"""
patience_seconds = 10
first_retry_seconds = 3600
mail = true
{DECIDES}
[[rules]]
items = ["STRICT"]
eligibility = "crm"
extend_with = "NEXT-YEAR"
"""


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    found = Crm()
    found.answer = lambda _: {"eligible": True, "email": ADDRESS}
    runner = await started(found)
    yield found
    await runner.cleanup()


@pytest.fixture
async def deployment(tmp_path: Path, crm: Crm) -> AsyncIterator[Deployment]:
    async with in_one_process(tmp_path / "depot", CONFIGURATION.format(url=crm.url)) as made:
        yield made


async def run(folder: Path, *arguments: str) -> Result:
    """Run a verb as an operator does beside a server that serves."""
    return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--config", str(folder / CONFIG)])


async def listed(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    result = await run(folder, "extension", "list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


@pytest.mark.slow
async def test_an_operator_sees_what_is_through_waits_or_is_stuck_and_has_it_gone_on_with(
    deployment: Deployment, crm: Crm
) -> None:
    folder = deployment.folder
    through, waiting, stuck = [await deployment.buys(item) for item in ("EDITOR", "EDITOR", "STRICT")]
    crm.answers[waiting.ticket] = lambda _: 503
    states = [(await licensee.extend()).state for licensee in (through, waiting, stuck)]
    assert states == ["Extended", "Pending", "Pending"]

    newest_first = [(each["state"], each["step"], each["last_failure"]) for each in await listed(folder)]
    assert newest_first == [
        ("Pending", "stuck", "ItemUnknown"),
        ("Pending", "check", "failed"),
        ("Extended", "done", None),
    ]
    (lame,) = await listed(folder, "--stuck")
    assert [each["state"] for each in await listed(folder, "--state", "Extended")] == ["Extended"]
    assert len(await listed(folder, "--limit", "2")) == 2
    as_text = (await run(folder, "extension", "list", "--stuck")).output
    assert as_text.startswith(f"{lame['extension_id']}  Pending  at stuck  ")
    assert as_text.endswith("  ItemUnknown\n")

    # The cause is mended, and the extension is gone on with.
    async with opened_core(load_settings(folder / CONFIG)) as core:
        await core.catalogue.add_item(
            item_number="NEXT-YEAR",
            firm_code=FIRM_CODE,
            product_code=PRODUCT_CODE,
            options=("expirationTime=add:365d",),
        )
    assert (await run(folder, "extension", "retry", "--all")).output == "1 to be gone on with\n"
    await stuck.until("Extended")
    assert await listed(folder, "--stuck") == []
    # What waits for an hour is hurried.
    crm.answers.clear()
    slow = next(each for each in await listed(folder, "--state", "Pending"))
    assert (await run(folder, "extension", "retry", slow["extension_id"])).output == "1 to be gone on with\n"
    await waiting.until("Extended")
    assert [licensee.orders() for licensee in (through, waiting, stuck)] == [1, 1, 1]


@pytest.mark.slow
async def test_an_extension_is_shown_without_its_ticket_and_its_customer(deployment: Deployment) -> None:
    folder, licensee = deployment.folder, await deployment.buys()
    assert (await licensee.extend("my-extension")).state == "Extended"
    (row,) = await listed(folder)

    result = await run(folder, "extension", "show", row["extension_id"], "--json")

    shown = json.loads(result.output)
    assert (shown["transaction_id"], shown["reason"], shown["state"]) == ("my-extension", "Approved", "Extended")
    assert shown["ticket"] == f"...-{licensee.ticket[-5:]}"
    assert list(shown["items"].values()) == ["EDITOR"]
    assert len(shown["licenses"]) == 1
    assert shown["order_id"]
    text = (await run(folder, "extension", "show", row["extension_id"])).output
    assert "state: Extended\n" in text
    assert "provisional_order_id: -\n" in text
    for secret in (licensee.ticket, ADDRESS):
        assert secret not in result.output + text


async def test_extensions_that_are_not_there_are_told_so(folder: Path) -> None:
    assert (await run(folder, "extension", "list")).output == ""
    for verb in ("show", "retry"):
        result = await run(folder, "extension", verb, "nothing")
        assert isinstance(result.exception, ExtensionUnknown)
        assert "opendepot extension list" in str(result.exception)
    assert (await run(folder, "extension", "retry", "--all")).output == "0 to be gone on with\n"
    for arguments in ((), ("nothing", "--all")):
        result = await run(folder, "extension", "retry", *arguments)
        assert result.exit_code == 2
        assert "give the id of an extension, or --all" in " ".join(result.output.split())


async def test_a_file_that_cannot_be_used_is_told_with_its_place(folder: Path) -> None:
    result = await run(folder, "ozomm", "check")
    assert isinstance(result.exception, SettingsError)
    assert "ozomm_file is not set" in str(result.exception)

    config, ozomm_file, secret = folder / CONFIG, folder / OZOMM_FILE, folder / "secrets" / "token"
    config.write_text(f'ozomm_file = "{OZOMM_FILE}"\n' + config.read_text())
    good = '[sources.crm]\nkind = "http"\nurl = "http://127.0.0.1:9/x"\nbearer_file = "secrets/token"\n'
    rule = '[[rules]]\nitems = ["A", "B*"]\neligibility = "crm"\nwhen_silent = "refuse"\n'
    secret.write_text("token")
    for text, mode, said in (
        ("[sources", 0o600, "ozomm_file"),
        (good + rule.replace('"crm"', '"other"'), 0o600, "there is no source other"),
        (good + rule, 0o644, "chmod 600"),
    ):
        ozomm_file.write_text(text)
        secret.chmod(mode)
        result = await run(folder, "ozomm", "check")
        assert isinstance(result.exception, SettingsError)
        assert said in str(result.exception)
    secret.chmod(0o600)
    assert (await run(folder, "ozomm", "check")).output == "A, B*: crm decides; while it is silent: refuse\n"
    assert (folder / DATABASE).exists()


@pytest.mark.slow
async def test_the_example_crm_is_down_when_it_shall_be() -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", SERVE, "ozomm", "example-crm", "--port", str(port), "--down"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        url = f"http://127.0.0.1:{port}/renewals"
        assert url in line
        async with aiohttp.ClientSession() as session, session.post(url, json={"contract": "1-1"}) as response:
            assert response.status == 503
    finally:
        process.kill()
        await process.wait()
