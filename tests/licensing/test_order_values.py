"""Texts that are put together by hand are those that an encoder makes, byte for byte: what was stored goes by them."""

import hashlib
import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from licensing.data import DataField
from licensing.order_values import (
    Customer,
    OrderedLicense,
    OrderLine,
    OrderReceipt,
    OrderRequest,
    customer_text,
    receipt_of,
    receipt_text,
    request_text,
)

TEXTS = st.text(st.characters(codec=None), max_size=12)
GIVEN = st.none() | TEXTS
NUMBERS = st.integers(1, 2**31 - 1)
CUSTOMERS = st.builds(Customer, name=TEXTS, company=GIVEN, email=GIVEN, customer_number=GIVEN, language=GIVEN)
FIELDS = st.builds(DataField, kind=st.sampled_from(["hidden", "secret"]), number=NUMBERS, value=st.binary(max_size=4))
LINES = st.builds(
    OrderLine,
    item_number=TEXTS,
    quantity=NUMBERS,
    extends_license_id=GIVEN,
    container_serial=GIVEN,
    data=st.lists(FIELDS, max_size=2).map(tuple),
)
REQUESTS = st.builds(
    OrderRequest,
    transaction_id=TEXTS,
    lines=st.lists(LINES, min_size=1, max_size=3).map(tuple),
    order_number=GIVEN,
    original_order_number=GIVEN,
    customer=st.none() | CUSTOMERS,
    original_ticket=GIVEN,
)
ORDERED = st.builds(OrderedLicense, license_id=TEXTS, item_number=TEXTS, quantity=NUMBERS)


def known_values(request: OrderRequest) -> dict[str, object]:
    """What a request is known by: its values, but for what came later and is not given."""
    values = asdict(request)
    if request.original_ticket is None:
        del values["original_ticket"]
    for line in values["lines"]:
        line["data"] = [[field["kind"], field["number"], field["value"].hex()] for field in line["data"]]
        for later in ("extends_license_id", "container_serial", "data"):
            if not line[later]:
                del line[later]
    return values


@given(request=REQUESTS)
def test_the_text_of_a_request_is_its_values_by_their_sorted_names(request: OrderRequest) -> None:
    assert request_text(request) == json.dumps(known_values(request), sort_keys=True)


def test_the_text_of_a_request_never_changes() -> None:
    request = OrderRequest(
        transaction_id="t-1",
        order_number="n",
        customer=Customer(name='Änn "Buyer"', email="ann@example.com"),
        lines=(OrderLine(item_number="A", quantity=2), OrderLine(item_number="O", quantity=1, container_serial="3-1")),
    )
    found = hashlib.sha256(request_text(request).encode()).hexdigest()
    assert found == "0bd9d2d84b8f640710c29782d15f1f63949916c817bf763419ba5ddf1765a7c0"


@given(customer=CUSTOMERS)
def test_the_text_of_a_customer_is_its_fields_by_name(customer: Customer) -> None:
    assert customer_text(customer) == json.dumps(asdict(customer))


@given(url=GIVEN, lines=st.lists(ORDERED, max_size=3).map(tuple))
def test_a_receipt_is_read_as_it_was_written(url: str | None, lines: tuple[OrderedLicense, ...]) -> None:
    receipt = OrderReceipt(order_id="o-1", ticket="AAAAA-BBBBB", collect_url=url, licenses=lines)
    assert receipt_of(json.loads(receipt_text(receipt))) == receipt
