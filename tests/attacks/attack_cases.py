"""What an attack is: bytes on a connection, and the one way in which they end.

A family is a module `attacks_*.py` with a function `attacks`, which gives its cases. What a case sends is made when it
is asked for, since many are as large as a body may be.

Two names stand in what is sent for what must never be reached: OUTSIDE for an address that nobody may connect to, and
SECRET_FILE for a file that nobody may read. CANARY stands in values and names; no answer may repeat it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from soap import Version

CANARY = "canary"
OUTSIDE = "outside.test:80"
SECRET_FILE = "/outside/secret"
SALES = "urn:opendepot:sales:1"
DEPOT = "urn:opendepot:depot:1"
WSA = "http://www.w3.org/2005/08/addressing"
TICKET = "00000-00000-00000-00000-00000"

_STATUS = {
    "TooLarge": (413, 413),
    "MediaTypeUnsupported": (415, 415),
    "ContentEncodingRefused": (415, 415),
    "ContentTypeMismatch": (415, 415),
    "VersionMismatch": (500, 500),
    "NotUnderstood": (500, 500),
    "EncodingStyleUnknown": (500, 500),
    "NotIdentified": (401, 401),
    "BodyTooSlow": (408, 408),
    "": (200, 200),
}
"""The HTTP status of a code in SOAP 1.1 and 1.2, where it is not 500 and 400."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A SOAP message and its HTTP fields."""

    body: bytes
    service: str = "sales"
    version: Version = Version.SOAP11
    content_type: str | None = None
    charset: str | None = "utf-8"
    soap_action: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    identified: bool = True

    @property
    def kind(self) -> str:
        """The Content-Type that is sent."""
        if self.content_type is not None:
            return self.content_type
        return self.version.media_type + ("" if self.charset is None else f"; charset={self.charset}")

    def wire(self, key: str) -> bytes:
        """Write it as the only request of a connection, identified by a key where the service needs it."""
        head = {"Host": "attacked.test", "Content-Type": self.kind, "Content-Length": str(len(self.body))}
        if self.soap_action is not None:
            head["SOAPAction"] = self.soap_action
        if self.service in {"sales", "admin"} and self.identified:
            head["Authorization"] = f"Bearer {key}"
        head |= {"Connection": "close", **self.fields}
        lines = [f"POST /v1/{self.service} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """`make` gives a message, or the bytes of a connection.

    `statuses` are those of the answers, in order; none: the connection ends without one. `code` is that of the fault
    in the last of them, '' for an answer that is none, or that is not SOAP's. `holds_open`: the attacker does not end
    his half of the connection, and waits for what the server does. `bulk`: the attacker is a shop, and sends what only
    shops may send, which may cost more.
    """

    name: str
    make: Callable[[], Message | bytes]
    statuses: tuple[int, ...]
    code: str = ""
    holds_open: bool = False
    bulk: bool = False
    admin: bool = False


Text = str | Callable[[], str]


def text_of(text: Text) -> str:
    """Make a text that is made late."""
    return text if isinstance(text, str) else text()


def envelope(body: str, *, version: Version = Version.SOAP11, header: str = "", declared: str = "") -> str:
    """Write an envelope: prefix e for SOAP, s for Sales, w for WS-Addressing, xsi for instances."""
    head = f"<e:Header>{header}</e:Header>" if header else ""
    return (
        f'<e:Envelope xmlns:e="{version}" xmlns:s="{SALES}" xmlns:w="{WSA}"'
        f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"{declared}>{head}<e:Body>{body}</e:Body></e:Envelope>'
    )


def order(
    *,
    transaction: str = f"{CANARY}-1",
    item: str = "EDITOR",
    quantity: str = "1",
    middle: str = "",
    lines: str | None = None,
    attributes: str = "",
) -> str:
    """Write an order, each part as markup; with an item that is sold it is taken."""
    line = f"<s:orderLine><s:itemNumber>{item}</s:itemNumber><s:quantity>{quantity}</s:quantity></s:orderLine>"
    return (
        f"<s:CreateOrder{attributes}><s:transactionId>{transaction}</s:transactionId>{middle}"
        f"{line if lines is None else lines}</s:CreateOrder>"
    )


def both(
    name: str, code: str, body: Text, *, header: Text = "", declared: Text = "", **sent: object
) -> Iterator[Attack]:
    """Give an attack in an envelope, in each SOAP version; `sent` goes to `Message`."""

    def make(version: Version) -> str:
        return envelope(text_of(body), version=version, header=text_of(header), declared=text_of(declared))

    yield from around(name, code, make, **sent)


def around(name: str, code: str, document: Callable[[Version], str | bytes], **sent: object) -> Iterator[Attack]:
    """Give an attack that is a whole document, in each SOAP version."""
    for version in Version:
        yield Attack(
            name=f"{name}, {version.name}",
            make=partial(_message, document, version, sent),
            statuses=(status(code, version),),
            code=code,
        )


def _message(document: Callable[[Version], str | bytes], version: Version, sent: Mapping[str, object]) -> Message:
    made = document(version)
    data = made.encode() if isinstance(made, str) else made
    return Message(body=data, version=version, **sent)  # type: ignore[arg-type]


def status(code: str, version: Version = Version.SOAP11) -> int:
    """Give the HTTP status that a fault code is sent with."""
    return _STATUS.get(code, (500, 400))[0 if version is Version.SOAP11 else 1]
