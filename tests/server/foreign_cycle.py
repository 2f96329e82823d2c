"""The whole cycle by a foreign client in a process of its own, which answers one line of JSON to each line of it."""

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from wire import FIRM_CODE, Server


class Refused(Exception):
    """A fault as the foreign client has parsed it: SOAP's own parts, and the element and the fields of the detail.

    `status` and `subcode` are None where a library does not give them.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(json.dumps(answer))
        assert "unread" not in answer, f"the library could not read the fault: {answer}"
        self.status: int | None = answer.get("status")
        self.code = str(answer["code"])
        self.subcode: str | None = answer.get("subcode")
        self.text = str(answer["text"])
        self.element = str(answer["element"])
        self.detail: dict[str, str] = answer["detail"]


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

    def __call__(
        self, service: str, operation: str, *, header: dict[str, str] | None = None, **given: Any
    ) -> dict[str, Any]:
        assert self._process.stdin is not None
        asked = {"service": service, "operation": operation, "given": given, "header": header}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "result" not in answer:
            raise Refused(answer)
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
    """Order, collect, confirm and look; `name` tells this run from others."""
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


UNKNOWN = {"ticket": ["AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"]}
TOO_FEW = {"transactionId": "few", "orderLine": [{"itemNumber": "EDITOR", "quantity": 0}]}


def faults(call: Caller, version: str, server: Server) -> None:
    """A refusal of the rules, one of the schema and one about a header block, each by all that its fault has."""
    cases = (
        ("depot", "GetTicket", UNKNOWN, "NotFoundFault", "TicketUnknown", "ticket[1]"),
        ("sales", "CreateOrder", TOO_FEW, "RequestFault", "SchemaViolation", "CreateOrder/orderLine/quantity"),
    )
    for service, operation, given, element, code, path in cases:
        refused = _refused(call, service, operation, **given)
        assert refused.status in {None, 500 if version == "11" else 400}
        assert (refused.element, refused.detail["code"], refused.detail["path"]) == (element, code, path)
        assert refused.detail["retry"] == "Never"
        assert refused.detail["message"] == refused.text
        assert outcome_of(server, refused.detail["reference"]) == code
        assert refused.code.rpartition(":")[2] == ("Client" if version == "11" else "Sender")
        assert (refused.subcode or code).rpartition(":")[2] == code
    refused = _refused(call, "depot", "GetTicket", header={"namespace": "urn:x", "name": "Unknown"}, **UNKNOWN)
    assert refused.status in {None, 500}
    assert refused.code.rpartition(":")[2] == "MustUnderstand"
    if version == "11":
        # No detail about a header block (SOAP 1.1, section 4.4): code and reference stand in the text.
        assert refused.detail == {}
        told = re.fullmatch(r"NotUnderstood: .+ \(reference ([0-9a-f]{16})\)", refused.text)
        assert told is not None
        assert outcome_of(server, told[1]) == "NotUnderstood"
    else:
        assert refused.detail["code"] == "NotUnderstood"
        assert outcome_of(server, refused.detail["reference"]) == "NotUnderstood"


def outcome_of(server: Server, reference: str) -> str:
    """How the exchange of a reference ended by the log, where it stands once the client has taken its answer."""
    for _ in range(1000):
        for event in server.events():
            if event["event"] == "exchange" and event["reference"] == reference:
                return str(event["outcome"])
        time.sleep(0.01)
    return "no event"


def _refused(call: Caller, service: str, operation: str, **given: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        call(service, operation, **given)
    return refused.value
