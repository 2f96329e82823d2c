"""What wire tests share: a running server as a value, raw bytes to it, and messages written by hand."""

import io
import json
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from lxml import etree

from containers import Container
from server.cli.initialise import VENDOR_CERTIFICATE, initialise
from server.core import utc_now
from server.listener import Serving
from soap import Version

FIRM_CODE = 6000010
OTHER_FIRM_CODE = 6000011


@dataclass
class Server:
    """A running server and what a test needs to talk to it."""

    up: Serving
    folder: Path
    api_key: str
    other_api_key: str
    log: io.StringIO
    session: aiohttp.ClientSession
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.up.url

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def container(self, name: str = "container.json") -> Container:
        return Container.create(
            self.folder / name,
            trust_pem=(self.folder / VENDOR_CERTIFICATE).read_bytes(),
            clock=utc_now,
            random=secrets.token_bytes,
        )

    async def post(
        self,
        service: str,
        body: bytes,
        *,
        version: Version = Version.SOAP11,
        headers: Mapping[str, str] | None = None,
        identified: bool = True,
    ) -> "Received":
        given = {"Content-Type": version.content_type, **(headers or {})}
        if identified and service == "sales":
            given.setdefault("Authorization", f"Bearer {self.api_key}")
        async with self.session.post(f"{self.url}/v1/{service}", data=body, headers=given) as response:
            return Received(status=response.status, headers=dict(response.headers), body=await response.read())


@dataclass(frozen=True)
class Received:
    """An HTTP answer; `fault` reads the typed fault in it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def payload(self) -> etree._Element:
        return etree.fromstring(self.body)[-1][0]

    def fault(self) -> dict[str, str]:
        payload = self.payload
        assert etree.QName(payload).localname == "Fault"
        detail = payload.find("detail")
        if detail is None:
            detail = payload.find(f"{{{Version.SOAP12}}}Detail")
        if detail is None:
            return {}
        found = {etree.QName(child).localname: child.text or "" for child in detail[0]}
        return {"element": etree.QName(detail[0]).localname, **found}


def envelope(body: str, *, version: Version = Version.SOAP11, header: str = "") -> bytes:
    head = f"<e:Header>{header}</e:Header>" if header else ""
    return f'<e:Envelope xmlns:e="{version}">{head}<e:Body>{body}</e:Body></e:Envelope>'.encode()


def order(transaction_id: str = "t-1", *, item: str = "EDITOR", quantity: int | str = 1, extra: str = "") -> str:
    return (
        f'<CreateOrder xmlns="urn:opendepot:sales:1"><transactionId>{transaction_id}</transactionId>{extra}'
        f"<orderLine><itemNumber>{item}</itemNumber><quantity>{quantity}</quantity></orderLine></CreateOrder>"
    )


Start = Callable[..., Awaitable[Server]]


def initialise_in_thread(place: Path) -> None:
    """`initialise` runs a loop of its own, so it cannot run inside a test's."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            initialise(place)
        except BaseException as error:  # noqa: BLE001  handed on below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
