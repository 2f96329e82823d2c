"""One SOAP service over HTTP: a typed call, repeated where that is safe when the network or the server asks for it.

Safe is what the contract makes so: what carries a transactionId, what carries a context of a container, and what only
reads. Such a request never acts twice, so it is sent again as it stands; any other is sent once.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, Self

import aiohttp

from opendepot.credentials import Credential
from opendepot.faults import typed
from soap import ArrivingAnswer, ClientEngine, FaultReceived, Version, load_contract
from soap.client import Request
from soap.messages.header import FrontClient

STREAM_CHUNK_BYTES = 64 * 1024


class ServiceUnreachable(Exception):
    """No answer came, after all attempts. The request may have been carried out: repeat it with the same values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchanged:
    """One exchange as it went over the wire, for whoever wants to look."""

    operation: str
    address: str
    request: bytes
    status: int
    answer: bytes


class ServiceClient:
    """A client of one service. Use it as an async context manager; one HTTP session lives inside.

    `credential` proves who is calling (see `opendepot.credentials`), `tls` is a context such as `tls_context` makes,
    `proxy` the URL of an HTTP proxy to go through, such as http://proxy.example:3128.
    `timeout_seconds` is for a whole call, `connect_seconds` for a connection; of a streamed answer only the next bytes
    must come within `timeout_seconds`. `connections` bounds how many are open at a time. `attempts` counts all tries of
    one call, `pause_seconds` is waited between them, doubled each time; `repeatable` names the operations that are safe
    to repeat without a transactionId. `on_exchange` is shown every exchange that came back whole.
    """

    def __init__(
        self,
        url: str,
        *,
        wsdl: str,
        messages: ModuleType,
        path: str,
        credential: Credential | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        version: Version = Version.SOAP12,
        timeout_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        connections: int = 100,
        attempts: int = 3,
        pause_seconds: float = 0.2,
        repeatable: frozenset[str] = frozenset(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_exchange: Callable[[Exchanged], None] | None = None,
    ) -> None:
        base = url.rstrip("/")
        self.address = base if base.endswith(path) else base + path
        self.attempts = attempts
        self.sleep = sleep
        self._engine = ClientEngine(load_contract(wsdl), messages, version=version)
        self._credential = credential
        self._tls = tls
        self._proxy = proxy
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=connect_seconds)
        self._stream_timeout = aiohttp.ClientTimeout(sock_read=timeout_seconds, sock_connect=connect_seconds)
        self._connections = connections
        self._pause_seconds = pause_seconds
        self._repeatable = repeatable
        self._on_exchange = on_exchange
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=True if self._tls is None else self._tls)
        self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, operation: str, message: Any, *, on_behalf_of: FrontClient | None = None) -> Any:
        """Send a request and give its typed answer. `on_behalf_of` names the client whom a front speaks for.

        Raises a class of `opendepot.faults`, `soap.AnswerInvalid`, ServiceUnreachable.
        """
        attempts = self.attempts if self._safe(operation, message) else 1
        for attempt in range(1, attempts + 1):
            try:
                request = self._request(operation, message, on_behalf_of)
                async with self._posted(request, self._timeout) as response:
                    body = await response.read()
                self._show(operation, request, response.status, body)
                return self._engine.answer(operation, content_type=response.headers.get("Content-Type"), body=body)
            except FaultReceived as fault:
                if not fault.retry or attempt == attempts:
                    raise typed(fault) from None
            except (aiohttp.ClientError, TimeoutError) as error:
                if attempt == attempts:
                    raise self._unreachable(error) from error
            await self.pause(attempt)
        raise AssertionError("the last attempt either answers or raises")

    async def stream(self, operation: str, message: Any, *, at_end: Callable[[Any], None]) -> AsyncGenerator[Any, None]:
        """Send a request whose answer is a list and give its items as they come, in constant memory.

        Sent once: who knows what has arrived knows how to go on. `at_end` is given the rest of the answer once it is
        whole. Raises what `call` raises; ServiceUnreachable also when the answer breaks off.
        """
        try:
            async with self._posted(self._request(operation, message), self._stream_timeout) as response:
                arriving = self._engine.arriving(operation, content_type=response.headers.get("Content-Type"))
                async for item in _items(response, arriving):
                    yield item
                at_end(self._engine.arrived(operation, arriving))
        except FaultReceived as fault:
            raise typed(fault) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def pause(self, attempt: int) -> None:
        """Wait after an attempt that failed, twice as long after each."""
        await self.sleep(self._pause_seconds * 2 ** (attempt - 1))

    def _safe(self, operation: str, message: Any) -> bool:
        return operation in self._repeatable or getattr(message, "transaction_id", None) is not None

    def _unreachable(self, error: Exception) -> ServiceUnreachable:
        return ServiceUnreachable(f"no answer from {self.address}: {type(error).__name__}: {error}")

    def _request(self, operation: str, message: Any, on_behalf_of: FrontClient | None = None) -> Request:
        request = self._engine.request(operation, message, on_behalf_of=on_behalf_of)
        return request if self._credential is None else self._credential.applied(request)

    @asynccontextmanager
    async def _posted(
        self,
        request: Request,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's own
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        if self._session is None:
            raise RuntimeError("use the client as an async context manager: async with ...")
        # A redirect would take the credential to somewhere else, and a POST is not what a redirect repeats.
        async with self._session.post(
            self.address,
            data=request.body,
            headers=request.headers,
            timeout=timeout,
            allow_redirects=False,
            proxy=self._proxy,
        ) as response:
            yield response

    def _show(self, operation: str, request: Request, status: int, body: bytes) -> None:
        if self._on_exchange is not None:
            self._on_exchange(
                Exchanged(operation=operation, address=self.address, request=request.body, status=status, answer=body)
            )


async def _items(response: aiohttp.ClientResponse, arriving: ArrivingAnswer) -> AsyncGenerator[Any, None]:
    async for data in response.content.iter_chunked(STREAM_CHUNK_BYTES):
        for item in arriving.feed(data):
            yield item
