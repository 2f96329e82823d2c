import pytest
from lxml import etree

from benchmarks.checks import SALES, SOAP11, sales_schema
from benchmarks.messages import BAD_REQUESTS, CREATE_ORDER, ITEMS, varied_orders


def payload(message: bytes) -> etree._Element:
    found = etree.fromstring(message).find(f"{{{SOAP11}}}Body/{{{SALES}}}CreateOrder")
    assert found is not None
    return found


def test_the_order_is_valid_and_about_1_kb_with_three_lines() -> None:
    order = payload(CREATE_ORDER)
    sales_schema().assertValid(order)
    assert 1000 <= len(CREATE_ORDER) <= 1200
    assert len(order.findall(f"{{{SALES}}}orderLine")) == 3
    assert order.find(f"{{{SALES}}}customer/{{{SALES}}}customerNumber") is not None
    assert order.find(f"{{{SALES}}}orderNumber") is not None


@pytest.mark.parametrize("name", [name for name in BAD_REQUESTS if name != "DTD"])
def test_each_bad_request_is_well_formed_and_invalid_by_the_schema(name: str) -> None:
    assert not sales_schema().validate(payload(BAD_REQUESTS[name]))


def test_the_dtd_is_all_that_is_wrong_with_its_request() -> None:
    order = payload(BAD_REQUESTS["DTD"])
    assert order.getroottree().docinfo.doctype
    sales_schema().assertValid(order)


def test_there_are_eight_bad_requests_and_each_is_another() -> None:
    assert len({CREATE_ORDER, *BAD_REQUESTS.values()}) == 9


def test_varied_orders_are_valid_and_differ_in_all_that_differs_between_the_orders_of_a_shop() -> None:
    messages = varied_orders(400)
    orders = [payload(message) for message in messages]
    schema = sales_schema()
    for order in orders:
        schema.assertValid(order)

    def values(path: str) -> set[str | None]:
        names = "/".join(f"{{{SALES}}}{name}" for name in path.split("/"))
        return {found.text for order in orders for found in order.iterfind(names)}

    assert len(values("transactionId")) == len(values("orderNumber")) == 400
    for name in ("name", "company", "email", "customerNumber", "language"):
        assert len(values(f"customer/{name}")) > (200 if name != "language" else 2)
    assert values("orderLine/itemNumber") == {*ITEMS}
    assert len(values("orderLine/quantity")) > 100
    lines = [len(order.findall(f"{{{SALES}}}orderLine")) for order in orders]
    assert (set(lines), round(sum(lines) / len(lines), 1)) == ({2, 3, 4}, 3.0)
    for name in ("company", "customerNumber"):
        assert 250 < sum(order.find(f"{{{SALES}}}customer/{{{SALES}}}{name}") is not None for order in orders) < 350
    for unusual in (b"&amp;", "ö".encode()):
        assert 20 < sum(unusual in message for message in messages) < 60
    assert 0.95 < sum(map(len, messages)) / len(messages) / len(CREATE_ORDER) < 1.05
    assert varied_orders(400) == messages
