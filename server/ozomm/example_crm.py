"""A CRM to try OZOMM with, in the place of a vendor's own: HTTP and JSON, with field names of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

PATH = "/renewals"
UNPAID = "0"
"""What the ticket of a customer ends with who has not paid."""


@asynccontextmanager
async def example_crm(*, port: int, slow_seconds: float = 0.0, down: bool = False) -> AsyncIterator[str]:
    """Serve on 127.0.0.1 until the block ends; gives the address that questions go to."""

    async def renewals(request: web.Request) -> web.Response:
        question = await request.json()
        await asyncio.sleep(slow_seconds)
        if down:
            return web.Response(status=503)
        return web.json_response(decided(question))

    application = web.Application()
    application.router.add_post(PATH, renewals)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


def decided(question: dict[str, Any]) -> dict[str, Any]:
    """Give what this CRM says to a question with the fields `contract`, `article` and `speaks`."""
    german = str(question.get("speaks") or "").startswith("de")
    if str(question.get("contract", "")).endswith(UNPAID):
        text = "Bitte begleichen Sie zuerst Ihre Rechnung." if german else "Please pay your invoice first."
        return {"renewal": {"status": "unpaid", "message": text}}
    return {
        "renewal": {"status": "paid"},
        "contact": {"mail": "customer@example.com", "name": "A Customer"},
        "upgrades": [
            {
                "campaign": "stay",
                "sku": "EDITOR-PRO",
                "headline": "Mehr vom Editor" if german else "More of the editor",
                "words": "Zum halben Preis bis zum Ende des Monats." if german else "Half price until the month ends.",
                "link": "https://shop.example.com/editor-pro",
            }
        ],
    }


async def run_example(*, port: int, slow_seconds: float, down: bool, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C."""
    async with example_crm(port=port, slow_seconds=slow_seconds, down=down) as url:
        say(f"the example CRM answers at {url}; Ctrl-C ends it")
        await asyncio.Event().wait()
