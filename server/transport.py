"""The aiohttp shell of the SOAP services: HTTP rules around the dispatcher (design section 4, HTTP rules)."""

import asyncio
from collections.abc import Iterable

from aiohttp import web

from server.access import too_large
from server.dispatch import Dispatcher, Service
from server.errors import BodyTooSlow
from soap.envelope import read_content_type

_METHOD_HINT = "This is a SOAP service: POST a message here, or GET its WSDL with ?wsdl.\n"


class _Incoming:
    """An aiohttp request as the dispatcher wants it."""

    def __init__(self, request: web.Request, *, body_seconds: float) -> None:
        self._request = request
        self._body_seconds = body_seconds
        headers = request.headers
        self.content_type = headers.get("Content-Type")
        self.content_encoding = headers.get("Content-Encoding")
        self.content_length = request.content_length
        self.soap_action = headers.get("SOAPAction")
        self.authorization = headers.get("Authorization")
        self.peer = request.remote or ""

    async def read(self, most: int) -> bytes:
        """Read the body up to `most` bytes, within the time for a body."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for chunk in self._request.content.iter_any():
                    size += len(chunk)
                    if size > most:
                        raise too_large(most, read_content_type(self.content_type))
                    chunks.append(chunk)
        except TimeoutError as error:
            raise BodyTooSlow(f"the body did not arrive within {self._body_seconds:g} s") from error
        return b"".join(chunks)


def soap_application(services: Iterable[Service], dispatcher: Dispatcher, *, body_seconds: float) -> web.Application:
    """Make the application that serves the SOAP services at their paths."""
    application = web.Application()
    for service in services:
        application.router.add_route("*", service.path, _Endpoint(service, dispatcher, body_seconds).serve)
    return application


class _Endpoint:
    """One service at its path."""

    def __init__(self, service: Service, dispatcher: Dispatcher, body_seconds: float) -> None:
        self._service = service
        self._dispatcher = dispatcher
        self._body_seconds = body_seconds

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one HTTP request."""
        if request.method == "POST":
            incoming = _Incoming(request, body_seconds=self._body_seconds)
            answer = await self._dispatcher.exchange(self._service, incoming)
            response = web.Response(
                status=answer.reply.status,
                body=answer.reply.body,
                headers={"Content-Type": answer.reply.content_type, **answer.headers},
            )
            if not request.content.at_eof():
                response.force_close()
            return response
        if request.method in {"GET", "HEAD"} and request.query_string.lower() == "wsdl":
            return web.Response(body=self._service.wsdl, headers={"Content-Type": "text/xml; charset=utf-8"})
        return web.Response(status=405, text=_METHOD_HINT, headers={"Allow": "POST, GET, HEAD"})
