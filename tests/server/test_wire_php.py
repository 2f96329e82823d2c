"""PHP's own SoapClient, a foreign client, runs the whole cycle from the served WSDL over TCP, in both SOAP versions."""

import asyncio
import shutil
from pathlib import Path

import pytest
from foreign_cycle import caller, cycle, faults
from wire import Server

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "php" / "cycle.php"


@pytest.mark.parametrize("version", ["11", "12"])
async def test_the_client_of_php_runs_the_whole_cycle_and_reads_faults(server: Server, version: str) -> None:
    php = shutil.which("php")
    if php is None:
        pytest.fail("php is missing: run scripts/system-packages")

    def run() -> None:
        with caller([php, str(PROGRAM), version, server.url], server.folder, server) as call:
            cycle(call, f"php-{version}", server)
            faults(call, version, server)

    await asyncio.to_thread(run)
    assert all(event["level"] == "info" for event in server.events())
