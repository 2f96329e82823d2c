"""What is checked before anything is measured: that a contestant answers an order rightly, and what it refuses."""

import http.client
from collections.abc import Callable
from importlib.resources import files

from lxml import etree

from benchmarks.load import Request
from benchmarks.messages import BAD_REQUESTS, CONTENT_TYPE, CREATE_ORDER, SOAP_ACTION
from benchmarks.report import Refused

SALES = "urn:opendepot:sales:1"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
ORDER = Request(path="/v1/sales", body=CREATE_ORDER, headers={"Content-Type": CONTENT_TYPE, "SOAPAction": SOAP_ACTION})
_LINES = [("CAD-PRO-24", "5"), ("CAD-VIEW", "25"), ("CAM-5X", "1")]

Send = Callable[[bytes], tuple[int, bytes]]
"""Send the body of a request and give the status and the body of the answer."""


def sales_schema() -> etree.XMLSchema:
    """Give the schema of the messages of the Sales service."""
    return etree.XMLSchema(etree.fromstring(files("wsdl").joinpath("v1/sales.xsd").read_bytes()))


def sender(port: int, path: str = ORDER.path) -> Send:
    """Give what sends an order to a port of 127.0.0.1, on a new connection each time."""

    def send(body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", path, body, dict(ORDER.headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    return send


def check_answers(send: Send) -> int:
    """Send the order twice and check that both answers are right and have tickets of their own.

    Gives the number of bytes of an answer. Raises Refused and says what is wrong.
    """
    tickets = set()
    size = 0
    for _ in range(2):
        try:
            status, body = send(CREATE_ORDER)
        except (http.client.HTTPException, OSError) as error:
            raise Refused(f"the order was not answered: {error!r}") from None
        if status != 200:
            raise Refused(f"the order was answered with HTTP {status}: {body[:500]!r}")
        tickets.add(_ticket(body))
        size = len(body)
    if len(tickets) != 2:
        raise Refused("two orders were answered with the same ticket")
    return size


def check_orders(port: int, request: Request) -> None:
    """Send two orders to a server with storage, one of them twice, and check that they have a ticket each.

    Raises Refused and says what is wrong.
    """
    tickets = []
    for number in (0, 1, 1):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            named = request.body.replace((request.number or "").encode(), f"check-{number}-{'0' * 20}".encode())
            connection.request("POST", request.path, named, dict(request.headers))
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        finally:
            connection.close()
        if status != 200:
            raise Refused(f"the order was answered with HTTP {status}: {body[:500]!r}")
        tickets.append(_ticket(body))
    if len(set(tickets)) != 2 or tickets[1] != tickets[2]:
        raise Refused("two orders did not get a ticket each, or one that was sent again got another one")


def find_refusals(send: Send) -> dict[str, bool]:
    """Send each bad request and tell which were refused.

    Raises Refused when the right order is not answered any more afterwards.
    """
    refused = {}
    for name, body in BAD_REQUESTS.items():
        try:
            status, answer = send(body)
        except (http.client.HTTPException, ConnectionError):
            # No answer is not taken either, and the order afterwards tells whether the server still lives.
            refused[name] = True
        else:
            refused[name] = status != 200 or b"CreateOrderResponse" not in answer
    check_answers(send)
    return refused


def _ticket(body: bytes) -> str:
    try:
        envelope = etree.fromstring(body)
    except etree.XMLSyntaxError as error:
        raise Refused(f"the answer is not XML: {error}") from None
    payload = envelope.find(f"{{{SOAP11}}}Body/{{{SALES}}}CreateOrderResponse")
    if envelope.tag != f"{{{SOAP11}}}Envelope" or payload is None:
        raise Refused(f"the answer is no SOAP 1.1 message with CreateOrderResponse: {body[:500]!r}")
    schema = sales_schema()
    if not schema.validate(payload):
        raise Refused(f"the answer does not keep to the schema: {schema.error_log.last_error}")
    licenses = payload.findall(f"{{{SALES}}}receipt/{{{SALES}}}license")
    lines = [(_text(one, "itemNumber"), _text(one, "quantity")) for one in licenses]
    if lines != _LINES:
        raise Refused(f"the licences are not those of the order: {lines}")
    ticket = payload.findtext(f"{{{SALES}}}receipt/{{{SALES}}}ticket", default="")
    if len(ticket) < 25:
        raise Refused(f"the ticket is too short to be one: {len(ticket)} characters")
    return ticket


def _text(element: etree._Element, name: str) -> str:
    return element.findtext(f"{{{SALES}}}{name}", default="")
