"""Foreign clients of Node.js, soap and strong-soap, run the whole cycle from the served WSDL over TCP."""

import asyncio
import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from node_packages import installed
from wire import FIRM_CODE, Server

# One process, so that the packages are installed once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node")]


@pytest.fixture(scope="session")
def place() -> Path:
    """Where the packages and the program are."""
    return installed(Path(__file__).parent / "node", also=["cycle.js"])


class Refused(Exception):
    """A fault, as the foreign client hands it over."""


class Caller:
    """A foreign client in a process of its own, one operation at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise AssertionError(f"the client ended: {self._process.stderr.read()}")
        read: dict[str, Any] = json.loads(line)
        return read

    def __call__(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"service": service, "operation": operation, "given": given}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "result" not in answer:
            raise Refused(json.dumps(answer))
        # Both libraries leave the one child of the response wrapper where it is.
        (result,) = answer["result"].values()
        found: dict[str, Any] = result
        return found


@contextmanager
def caller(place: Path, library: str, version: str, server: Server) -> Iterator[Caller]:
    process = subprocess.Popen(
        ["node", "cycle.js", library, version, server.url],
        cwd=place,
        env={**os.environ, "OPENDEPOT_API_KEY": server.api_key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Caller(process)
    finally:
        process.kill()
        process.communicate()


def cycle(place: Path, library: str, version: str, server: Server) -> None:
    name = f"{library}-{version}"
    with caller(place, library, version, server) as call:
        order = call(
            "sales",
            "CreateOrder",
            transactionId=name,
            orderNumber=name,
            customer={"name": "A. Buyer", "language": "de"},
            orderLine=[{"itemNumber": "EDITOR", "quantity": 2}],
        )
        ticket = order["ticket"]
        assert call("depot", "GetTicket", ticket=[ticket])["state"] == "NotCollected"

        # Both libraries leave xs:base64Binary as text.
        container = server.container(f"{name}.json")
        context = base64.b64encode(container.context(FIRM_CODE)).decode()
        answer = call("depot", "GetLicenseUpdate", ticket=ticket, context=context)
        assert answer["state"] == "Done"
        imported = container.import_update(base64.b64decode(answer["update"], validate=True))
        receipt = base64.b64encode(imported.receipt).decode()
        assert call("depot", "ConfirmLicenseUpdate", receipt=receipt)["state"] == "Confirmed"
        assert [(entry.item_number, entry.quantity) for entry in container.listing(FIRM_CODE)] == [("EDITOR", 2)]
        assert call("depot", "GetTicket", ticket=[ticket])["state"] == "WhollyCollected"

        with pytest.raises(Refused) as refused:
            call("depot", "GetTicket", ticket=["AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"])
        assert '"TicketUnknown"' in str(refused.value).replace("\\", "")


@pytest.mark.parametrize("version", ["11", "12"])
@pytest.mark.parametrize("library", ["soap", "strong-soap"])
async def test_a_client_of_node_runs_the_whole_cycle(server: Server, place: Path, library: str, version: str) -> None:
    await asyncio.to_thread(cycle, place, library, version, server)
    assert all(event["level"] == "info" for event in server.events())
