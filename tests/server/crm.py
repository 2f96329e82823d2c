"""A CRM on a real socket: HTTP and JSON, as a vendor's may be; a test says what it answers, and how slowly."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from licensing.extensions.questions import Customer, Question
from licensing.extensions.values import SeenLicense

ADDRESS = "someone@example.com"
DECIDES = """
[sources.crm]
kind = "http"
url = "{url}/ask"
failures = 1000
read = {{ eligible = "eligible", email = "email" }}

[[rules]]
items = ["EDITOR"]
eligibility = "crm"
"""
"""The part of an ozomm_file in which the CRM at {url} decides about EDITOR, and knows the customer's address."""

QUESTION = Question(
    extension_id="e-1",
    ticket="AAAAA-BBBBB",
    licenses=(
        SeenLicense(
            license_id="l-1",
            item_number="EDITOR",
            firm_code=1,
            quantity=2,
            expires_at=datetime(2027, 1, 2, tzinfo=UTC),
        ),
    ),
    customer=Customer(number="K-1"),
)


@dataclass
class Crm:
    """What was asked; `answer` gives the answer to a question: a value, a status, a response, or any of them later.

    `answers`: those about a ticket, by it; `answer` is for all others.
    """

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Any] = lambda _: {"eligible": True}
    answers: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    tokens: list[dict[str, str]] = field(default_factory=list)
    waiting: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        question = json.loads(body) if body else dict(request.query)
        self.asked.append(question)
        self.headers.append({name.lower(): value for name, value in request.headers.items()} | {"": body.decode()})
        answer = self.answers.get(question.get("ticket", ""), self.answer)(question)
        if asyncio.iscoroutine(answer) or isinstance(answer, asyncio.Future):
            self.waiting += 1
            try:
                answer = await answer
            finally:
                self.waiting -= 1
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(status=answer) if isinstance(answer, int) else web.json_response(answer)

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.tokens.append(
            {**{name: str(value) for name, value in form.items()}, "proof": request.headers["Authorization"]}
        )
        return web.json_response({"access_token": f"token-{len(self.tokens)}", "expires_in": 3600})


async def started(crm: Crm) -> web.AppRunner:
    """Let a CRM listen."""
    application = web.Application()
    application.router.add_route("*", "/ask", crm.handle)
    application.router.add_post("/token", crm.token)
    runner, crm.url = await listening(application)
    return runner


async def listening(application: web.Application) -> tuple[web.AppRunner, str]:
    """Listen on a free port of the loopback; give the address."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"
