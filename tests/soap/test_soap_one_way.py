"""One-way operations: no output in the WSDL, status 202 and no envelope (SOAP 1.1 and 1.2 over HTTP)."""

from types import ModuleType
from typing import Any

import pytest

import wsdl
from soap import Engine, Version, load_contract
from soap.messages import sales
from xmlgate import Limits

REAL = wsdl.read


@pytest.fixture
def one_way(monkeypatch: pytest.MonkeyPatch) -> Engine:
    def read(path: str) -> bytes:
        return REAL(path).replace(b'<wsdl:output message="sales:ListItemsResponse"/>', b"")

    monkeypatch.setattr(wsdl, "read", read)
    messages: ModuleType = sales
    return Engine(load_contract("v1/sales.wsdl"), messages, limits=Limits(), validate_answers=True)


def test_an_operation_without_output_is_one_way_and_answered_with_status_202(
    one_way: Engine, shop: Any, version: Version
) -> None:
    body = shop.envelope("<m:ListItems/>", version=version)
    received = one_way.open(body, content_type=version.content_type, soap_action=None)

    assert one_way.contract.operations["ListItems"].one_way
    assert not one_way.contract.operations["GetOrder"].one_way
    assert one_way.decode(received) == sales.ListItemsRequest()
    reply = one_way.encode(received, None)
    assert (reply.status, reply.content_type, reply.body) == (202, "", b"")
