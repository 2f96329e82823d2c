"""A receiver of webhooks on a real socket, which checks signatures by the specification and not by our code."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET = base64.b64encode(bytes(range(32))).decode()
SECRET_TEXT = f"whsec_{SECRET}\n"


@dataclass
class Receiver:
    """What arrived; `answer` decides each status, or waits, or gives a response."""

    url: str = ""
    arrived: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Any] = lambda _: 204
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()).decode()
        assert f"v1,{expected}" in headers["webhook-signature"].split(" ")
        assert headers["Content-Type"] == "application/json"
        message = {"id": headers["webhook-id"], "sent": int(headers["webhook-timestamp"]), **json.loads(body)}
        self.arrived.append(message)
        async with self.came:
            self.came.notify_all()
        answer = self.answer(message)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, web.StreamResponse) else web.Response(status=answer)

    async def count(self, number: int, seconds: float = 20) -> None:
        """Wait until so many have arrived."""
        async with asyncio.timeout(seconds), self.came:
            await self.came.wait_for(lambda: len(self.arrived) >= number)


async def started(receiver: Receiver) -> web.AppRunner:
    """Listen on a free port of the loopback."""
    application = web.Application()
    application.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    return runner
