from collections.abc import Callable, Iterator

import pytest

from benchmarks.checks import check_answers, find_refusals
from benchmarks.messages import BAD_REQUESTS, CREATE_ORDER
from benchmarks.report import Refused

ANSWER = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<CreateOrderResponse xmlns="urn:opendepot:sales:1"><receipt><orderId>1</orderId><ticket>TICKET</ticket>
<license><licenseId>1-1</licenseId><itemNumber>CAD-PRO-24</itemNumber><quantity>5</quantity></license>
<license><licenseId>1-2</licenseId><itemNumber>CAD-VIEW</itemNumber><quantity>25</quantity></license>
<license><licenseId>1-3</licenseId><itemNumber>CAM-5X</itemNumber><quantity>1</quantity></license>
</receipt></CreateOrderResponse></s:Body></s:Envelope>"""
FAULT = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault/></s:Body></s:Envelope>'


def server(answer: str = ANSWER) -> Callable[[bytes], tuple[int, bytes]]:
    """A server that refuses whatever is not the order, with a new ticket each time."""
    tickets: Iterator[str] = (f"{number:029}" for number in range(1000))

    def send(body: bytes) -> tuple[int, bytes]:
        if body != CREATE_ORDER:
            return 500, FAULT
        return 200, answer.replace("TICKET", next(tickets)).encode()

    return send


def test_a_right_answer_passes_and_its_size_is_given() -> None:
    assert check_answers(server()) == len(ANSWER) - len("TICKET") + 29


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("CreateOrderResponse", "GetOrderResponse", "no SOAP 1.1 message with CreateOrderResponse"),
        ("<orderId>1</orderId>", "", "schema"),
        ("<quantity>25</quantity>", "<quantity>24</quantity>", "not those of the order"),
        ("TICKET", "2" * 29, "same ticket"),
        ("TICKET", "short", "too short"),
        ("</s:Body>", "", "not XML"),
    ],
)
def test_a_wrong_answer_is_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check_answers(server(ANSWER.replace(old, new)))


def test_a_status_other_than_200_is_refused() -> None:
    with pytest.raises(Refused, match="HTTP 500"):
        check_answers(lambda _: (500, FAULT))


def test_what_is_taken_and_what_is_refused_is_told_apart() -> None:
    right = server()

    def send(body: bytes) -> tuple[int, bytes]:
        if body == BAD_REQUESTS["no lines"]:
            raise ConnectionResetError
        return right(CREATE_ORDER if body in (BAD_REQUESTS["DTD"], BAD_REQUESTS["wrong order"]) else body)

    refused = find_refusals(send)
    assert list(refused) == list(BAD_REQUESTS)
    assert [name for name, was in refused.items() if not was] == ["wrong order", "DTD"]


def test_a_fault_with_status_200_is_a_refusal() -> None:
    right = server()
    refused = find_refusals(lambda body: right(body) if body == CREATE_ORDER else (200, FAULT))
    assert all(refused.values())


def test_a_server_that_dies_of_a_bad_request_does_not_count_as_one_that_refuses() -> None:
    with pytest.raises(Refused, match="HTTP 503"):
        find_refusals(lambda _: (503, b""))
