"""The whole cycle by a foreign client in a process of its own, which answers one line of JSON to each line of it."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from wire import FIRM_CODE, Server


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
        # All these libraries leave the one child of the response wrapper where it is.
        (result,) = answer["result"].values()
        found: dict[str, Any] = result
        return found


@contextmanager
def caller(command: Sequence[str], place: Path, server: Server) -> Iterator[Caller]:
    """Start a client; bytes come from it and go to it as Base64."""
    process = subprocess.Popen(
        command,
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


def cycle(call: Caller, name: str, server: Server) -> None:
    """Order, collect, confirm, look, and read a fault; `name` tells this run from others."""
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
