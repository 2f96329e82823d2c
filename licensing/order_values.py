"""Orders as values: what a shop asks for, and what it is answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frozen import quickly_made
from licensing.data import DataField

CREATE_ORDER = "CreateOrder"
"""The name that orders are answered, and stand in the audit, under."""

_encode = json.JSONEncoder().encode


def _text(value: str | None) -> str:
    # An encoder is quick with a text, and slow with anything else.
    return "null" if value is None else _encode(value)


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Who bought; kept sealed."""

    name: str
    company: str | None = None
    email: str | None = None
    customer_number: str | None = None
    language: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """One line: it becomes one licence, or renews one."""

    item_number: str
    quantity: int
    extends_license_id: str | None = None
    container_serial: str | None = None
    data: tuple[DataField, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """What a shop orders, under its own transactionId."""

    transaction_id: str
    lines: tuple[OrderLine, ...]
    order_number: str | None = None
    original_order_number: str | None = None
    customer: Customer | None = None
    original_ticket: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderedLicense:
    """A licence that a line became."""

    license_id: str
    item_number: str
    quantity: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReceipt:
    """An order as it was recorded; for the same transactionId the same for ever."""

    order_id: str
    ticket: str
    collect_url: str | None
    licenses: tuple[OrderedLicense, ...]


def request_text(request: OrderRequest) -> str:
    """Give the decoded values that a request is known by, as JSON with sorted names.

    What came into the contract later is left out where it is not given. The text must never change for a request that
    was known before: its keyed hash tells whether a request that comes again is the same. It is put together here,
    since an encoder takes several times as long for it.
    """
    original = "" if request.original_ticket is None else f', "original_ticket": {_text(request.original_ticket)}'
    return (
        f'{{"customer": {_customer_by_name(request.customer)}, '
        f'"lines": [{", ".join([_line_text(line) for line in request.lines])}], '
        f'"order_number": {_text(request.order_number)}, '
        f'"original_order_number": {_text(request.original_order_number)}{original}, '
        f'"transaction_id": {_text(request.transaction_id)}}}'
    )


def _customer_by_name(customer: Customer | None) -> str:
    if customer is None:
        return "null"
    return (
        f'{{"company": {_text(customer.company)}, "customer_number": {_text(customer.customer_number)}, '
        f'"email": {_text(customer.email)}, "language": {_text(customer.language)}, "name": {_text(customer.name)}}}'
    )


def _line_text(line: OrderLine) -> str:
    serial = f'"container_serial": {_text(line.container_serial)}, ' if line.container_serial else ""
    renews = f'"extends_license_id": {_text(line.extends_license_id)}, ' if line.extends_license_id else ""
    data = f'"data": {_encode([[x.kind, x.number, x.value.hex()] for x in line.data])}, ' if line.data else ""
    return f'{{{serial}{data}{renews}"item_number": {_text(line.item_number)}, "quantity": {line.quantity}}}'


def customer_text(customer: Customer) -> str:
    """Give a customer as JSON, as it is sealed."""
    return (
        f'{{"name": {_text(customer.name)}, "company": {_text(customer.company)}, "email": {_text(customer.email)}, '
        f'"customer_number": {_text(customer.customer_number)}, "language": {_text(customer.language)}}}'
    )


def receipt_text(receipt: OrderReceipt) -> str:
    """Give a receipt as JSON, as it is stored."""
    licenses = [
        f'{{"license_id": {_text(line.license_id)}, "item_number": {_text(line.item_number)}, '
        f'"quantity": {line.quantity}}}'
        for line in receipt.licenses
    ]
    return (
        f'{{"order_id": "{receipt.order_id}", "ticket": "{receipt.ticket}", '
        f'"collect_url": {_text(receipt.collect_url)}, "licenses": [{", ".join(licenses)}]}}'
    )


def receipt_of(found: Mapping[str, Any]) -> OrderReceipt:
    """Give a receipt as it was stored."""
    return OrderReceipt(**{**found, "licenses": tuple(OrderedLicense(**x) for x in found["licenses"])})
