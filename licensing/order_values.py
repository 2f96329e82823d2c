"""Orders as values: what a shop asks for, and what it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from licensing.data import DataField


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Who bought; kept sealed."""

    name: str
    company: str | None = None
    email: str | None = None
    customer_number: str | None = None
    language: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """One line: it becomes one licence, or renews one."""

    item_number: str
    quantity: int
    extends_license_id: str | None = None
    container_serial: str | None = None
    data: tuple[DataField, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """What a shop orders, under its own transactionId."""

    transaction_id: str
    lines: tuple[OrderLine, ...]
    order_number: str | None = None
    original_order_number: str | None = None
    customer: Customer | None = None
    original_ticket: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderedLicense:
    """A licence that a line became."""

    license_id: str
    item_number: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReceipt:
    """An order as it was recorded; for the same transactionId the same for ever."""

    order_id: str
    ticket: str
    collect_url: str | None
    licenses: tuple[OrderedLicense, ...]


def plain(value: Any) -> dict[str, Any]:
    """Give the fields of a dataclass by name, as they are; `asdict` copies all that is in them, which takes long."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def answer_of(receipt: OrderReceipt) -> Mapping[str, Any]:
    """Give a receipt as it is stored."""
    return {**plain(receipt), "licenses": [plain(line) for line in receipt.licenses]}


def values_of(request: OrderRequest) -> Mapping[str, Any]:
    """Give the decoded values that the request is known by. What came later is left out where it is not given."""
    values = plain(request)
    values["lines"] = [plain(line) for line in request.lines]
    values["customer"] = None if request.customer is None else plain(request.customer)
    if request.original_ticket is None:
        del values["original_ticket"]
    for line in values["lines"]:
        line["data"] = [[field.kind, field.number, field.value.hex()] for field in line["data"]]
        for later in ("extends_license_id", "container_serial", "data"):
            if not line[later]:
                del line[later]
    return values


def receipt_of(found: Mapping[str, Any]) -> OrderReceipt:
    """Give a receipt as it was stored."""
    return OrderReceipt(**{**found, "licenses": tuple(OrderedLicense(**x) for x in found["licenses"])})
