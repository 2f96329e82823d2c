"""Customers of the benchmark `cycle`: what they send in each stage, and what they make of the answers.

Each has a container in a file, which takes up what it is given and gives the receipt; that work is done between the
stages and counts nowhere.
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks.report import Refused
from containers import Container
from server.core import utc_now
from soap import ClientEngine, FaultReceived, Version, load_contract
from soap.messages import depot, sales

FIRM_CODE = 6_000_010
ITEM = "EDITOR"
STAGES = ("order", "collect", "confirm")
HOLDING: Mapping[str, str] = {"order": "orderId>", "collect": ">Done<", "confirm": ">Confirmed<"}
"""What a good answer of each stage holds."""


class Customers:
    """So many customers, each with a container that holds nothing yet."""

    def __init__(self, *, api_key: str, containers: Sequence[Container]) -> None:
        self._api_key = api_key
        self._containers = containers
        self._sales = ClientEngine(load_contract("v1/sales.wsdl"), sales, version=Version.SOAP12)
        self._depot = ClientEngine(load_contract("v1/depot.wsdl"), depot, version=Version.SOAP12)

    @classmethod
    def made(cls, folder: Path, count: int, *, api_key: str, trust_pem: bytes) -> Self:
        """Make so many, with their containers in a folder."""
        containers = [
            Container.create(folder / f"{place}.json", trust_pem=trust_pem, clock=utc_now, random=secrets.token_bytes)
            for place in range(count)
        ]
        return cls(api_key=api_key, containers=containers)

    def orders(self) -> list[bytes]:
        """Give an order of one licence for each customer, under a name that nobody has used."""
        line = sales.OrderLine(item_number=ITEM, quantity=1)
        key = {"Authorization": f"Bearer {self._api_key}"}

        def order() -> sales.CreateOrderRequest:
            return sales.CreateOrderRequest(transaction_id=secrets.token_hex(16), order_line=(line,))

        return [_post("/v1/sales", self._sales, "CreateOrder", order(), key) for _ in self._containers]

    def collections(self, orders: Sequence[bytes]) -> list[bytes]:
        """Give a request of each customer for the ticket that the answer to an order holds."""
        tickets = [self._read(self._sales, "CreateOrder", answer).receipt.ticket for answer in orders]
        return [
            _post(
                "/v1/depot",
                self._depot,
                "GetLicenseUpdate",
                depot.GetLicenseUpdateRequest(ticket=ticket, context=container.context(FIRM_CODE)),
            )
            for container, ticket in zip(self._containers, tickets, strict=True)
        ]

    def confirmations(self, collections: Sequence[bytes]) -> list[bytes]:
        """Take up the update file of each answer and give a request with the receipt for it."""
        updates = [self._read(self._depot, "GetLicenseUpdate", answer).result.update for answer in collections]
        receipts = [
            container.import_update(update).receipt for container, update in zip(self._containers, updates, strict=True)
        ]
        return [
            _post(
                "/v1/depot",
                self._depot,
                "ConfirmLicenseUpdate",
                depot.ConfirmLicenseUpdateRequest(receipt=receipt),
            )
            for receipt in receipts
        ]

    def held(self) -> int:
        """How many licences are in the containers."""
        return sum(len(container.listing(FIRM_CODE)) for container in self._containers)

    def _read(self, engine: ClientEngine, operation: str, body: bytes) -> Any:
        try:
            return engine.answer(operation, content_type=Version.SOAP12.content_type, body=body)
        except FaultReceived as fault:
            raise Refused(f"{operation} was refused: {fault}") from fault


def _post(
    path: str, engine: ClientEngine, operation: str, message: object, fields: Mapping[str, str] | None = None
) -> bytes:
    """Give a whole HTTP request."""
    request = engine.request(operation, message)
    headers = {"Host": "127.0.0.1", **request.headers, **(fields or {}), "Content-Length": str(len(request.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + request.body
