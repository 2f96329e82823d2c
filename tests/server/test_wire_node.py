"""Foreign clients of Node.js, soap and strong-soap, run the whole cycle from the served WSDL over TCP."""

import asyncio
from pathlib import Path

import pytest
from foreign_cycle import caller, cycle, faults
from node_packages import installed
from wire import Server

# One process, so that the packages are installed once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node")]


@pytest.fixture(scope="session")
def place() -> Path:
    """Where the packages and the program are."""
    return installed(Path(__file__).parent / "node", also=["cycle.js"])


@pytest.mark.parametrize("version", ["11", "12"])
@pytest.mark.parametrize("library", ["soap", "strong-soap"])
async def test_a_client_of_node_runs_the_whole_cycle_and_reads_faults(
    server: Server, place: Path, library: str, version: str
) -> None:
    def run() -> None:
        # Both libraries leave xs:base64Binary as text.
        with caller(["node", "cycle.js", library, version, server.url], place, server) as call:
            cycle(call, f"{library}-{version}", server)
            faults(call, version, server)

    await asyncio.to_thread(run)
    assert all(event["level"] == "info" for event in server.events())
