"""One SOAP service over HTTP: a typed call, repeated as it stands when the network or the server asks for it.

Repeating is safe by the contract: an order carries its transactionId and a collection its context, so the same request
never acts twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, Self

import aiohttp

from soap import ClientEngine, FaultReceived, Version, load_contract
from soap.client import Request


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

    `attempts` counts all tries of one call, `pause_seconds` is waited between them, doubled each time; `on_exchange` is
    shown every exchange that came back.
    """

    def __init__(
        self,
        url: str,
        *,
        wsdl: str,
        messages: ModuleType,
        path: str,
        headers: Mapping[str, str],
        version: Version = Version.SOAP12,
        timeout_seconds: float = 30.0,
        attempts: int = 3,
        pause_seconds: float = 0.2,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_exchange: Callable[[Exchanged], None] | None = None,
    ) -> None:
        base = url.rstrip("/")
        self.address = base if base.endswith(path) else base + path
        self._engine = ClientEngine(load_contract(wsdl), messages, version=version)
        self._headers = dict(headers)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._attempts = attempts
        self._pause_seconds = pause_seconds
        self.sleep = sleep
        self._on_exchange = on_exchange
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, operation: str, message: Any) -> Any:
        """Send a request and give its typed answer.

        Raises `soap.FaultReceived`, `soap.AnswerInvalid`, ServiceUnreachable.
        """
        request = self._engine.request(operation, message)
        pause = self._pause_seconds
        for attempt in range(1, self._attempts + 1):
            try:
                content_type, body = await self._post(operation, request)
                return self._engine.answer(operation, content_type=content_type, body=body)
            except FaultReceived as fault:
                if not fault.retry or attempt == self._attempts:
                    raise
            except (aiohttp.ClientError, TimeoutError) as error:
                if attempt == self._attempts:
                    raise ServiceUnreachable(
                        f"no answer from {self.address}: {type(error).__name__}: {error}"
                    ) from error
            await self.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt either answers or raises")

    async def _post(self, operation: str, request: Request) -> tuple[str | None, bytes]:
        if self._session is None:
            raise RuntimeError("use the client as an async context manager: async with ...")
        headers = {**self._headers, **request.headers}
        async with self._session.post(self.address, data=request.body, headers=headers) as response:
            body = await response.read()
            if self._on_exchange is not None:
                self._on_exchange(
                    Exchanged(
                        operation=operation,
                        address=self.address,
                        request=request.body,
                        status=response.status,
                        answer=body,
                    )
                )
            return response.headers.get("Content-Type"), body
