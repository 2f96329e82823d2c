"""What tests of the client share: a server with items and a shop, and a front that loses answers on purpose."""

import secrets
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from containers import Container
from opendepot import SalesClient
from server.cli.initialise import VENDOR_CERTIFICATE
from server.core import utc_now
from server.listener import Serving
from soap.messages import sales

FIRM_CODES = (6000010, 6000011)


class World:
    """A server with two items of two vendors' firm codes, and a shop."""

    def __init__(self, up: Serving, folder: Path, api_key: str) -> None:
        self.up, self.folder, self.api_key = up, folder, api_key

    def shop(self, url: str | None = None, **options: Any) -> SalesClient:
        return SalesClient(url or self.up.url, api_key=self.api_key, **options)

    def container(self, name: str = "c.json") -> Container:
        return Container.create(
            self.folder / name,
            trust_pem=(self.folder / VENDOR_CERTIFICATE).read_bytes(),
            clock=utc_now,
            random=secrets.token_bytes,
        )


def request(transaction_id: str, *lines: tuple[str, int]) -> sales.CreateOrderRequest:
    return sales.CreateOrderRequest(
        transaction_id=transaction_id,
        order_line=tuple(sales.OrderLine(item_number=number, quantity=quantity) for number, quantity in lines),
    )


class Front:
    """A proxy that passes requests on, loses the answers it is told to lose, and gives those it was told first."""

    def __init__(self, target: str) -> None:
        self.target, self.lose, self.passed = target, 0, 0
        self.instead: list[web.Response] = []
        self.seen: list[bytes] = []

    async def serve(self, incoming: web.Request) -> web.StreamResponse:
        self.seen.append(await incoming.read())
        if self.instead:
            return self.instead.pop(0)
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.target + incoming.path, data=await incoming.read(), headers=incoming.headers) as answer,
        ):
            body = await answer.read()
            self.passed += 1
            if self.lose > 0:
                self.lose -= 1
                assert incoming.transport is not None
                incoming.transport.close()
            return web.Response(status=answer.status, body=body, headers={"Content-Type": answer.content_type})


async def no_pause(_seconds: float) -> None:
    """Do not wait between attempts."""
