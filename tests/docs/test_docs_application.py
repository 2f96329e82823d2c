"""The application of the tutorial, as it stands on its page: it checks, collects, follows and gives back."""

import asyncio
import io
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from opendepot import SalesClient
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings
from soap.messages import sales

ROOT = Path(__file__).parents[2]
LINE_SECONDS = 30


async def line_of(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), LINE_SECONDS)).decode().strip()


@pytest.mark.slow
async def test_the_application_of_the_tutorial_lives_as_its_page_says(tmp_path: Path) -> None:
    folder, home = tmp_path / "depot", tmp_path / "home"
    await asyncio.to_thread(initialise, folder)
    home.mkdir()
    shutil.copy(folder / VENDOR_CERTIFICATE, home / "vendor-certificate.pem")
    page = (ROOT / "docs" / "tutorial" / "licensed-application.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "editor.py").write_text(program)
    settings = load_settings(folder / CONFIG, port=0, admin_port=0)
    async with serving(settings, log=io.StringIO()) as up:
        environment = os.environ | {"OPENDEPOT_URL": up.url, "EDITOR_HOME": str(home), "PYTHONPATH": str(ROOT)}

        async def begun(*arguments: str) -> Process:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", str(tmp_path / "editor.py"), *arguments),
                env=environment,
                stdout=PIPE,
            )

        async def ran(*arguments: str) -> tuple[int | None, str]:
            process = await begun(*arguments)
            out, _ = await asyncio.wait_for(process.communicate(), LINE_SECONDS)
            return process.returncode, out.decode().partition(":")[0]

        async with opened_core(settings) as core:
            await core.catalogue.add_item(
                item_number="EDITOR-1Y", firm_code=6000010, product_code=100, options=("expirationTime=add:365d",)
            )
            _, api_key = await core.catalogue.add_shop("tutorial-shop")
        async with SalesClient(up.url, api_key=api_key) as shop:
            line = sales.OrderLine(item_number="EDITOR-1Y", quantity=1)
            order = await shop.create_order(
                sales.CreateOrderRequest(transaction_id="1", order_number="1", order_line=(line,))
            )
            (license_,) = order.license
            assert await ran("start") == (1, "NotHeld")
            assert await ran("collect", order.ticket) == (0, "Held")
            assert await ran("give-back") == (0, "NotHeld")
            assert await ran("collect", order.ticket) == (0, "Held")
            running = await begun("start")
            try:
                first = await line_of(running)
                assert first.startswith("Held")
                more = sales.OrderLine(item_number="EDITOR-1Y", quantity=1, extends_license_id=license_.license_id)
                await shop.create_order(
                    sales.CreateOrderRequest(transaction_id="2", original_order_number="1", order_line=(more,))
                )
                extended = await line_of(running)
                assert extended.startswith("Held")
                assert extended[-10:] > first[-10:], "a later date, while it runs"
                gone = sales.WithdrawLicenseRequest(
                    transaction_id="3", license_id=license_.license_id, reason="not paid"
                )
                await shop.call("WithdrawLicense", gone)
                assert (await line_of(running)).startswith("NotHeld")
                assert await asyncio.wait_for(running.wait(), LINE_SECONDS) == 1
            finally:
                if running.returncode is None:
                    running.kill()
                    await running.wait()
