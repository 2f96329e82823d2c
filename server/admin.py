"""The operator's own listener: is the process alive, may it receive requests, its metrics."""

import json
from typing import Protocol

from aiohttp import web

from observe import Health, Metrics, Readiness


class Observed(Protocol):
    """What an operator sees of a server, in one process or in several."""

    async def readiness(self) -> Readiness:
        """Run the checks."""
        ...

    async def exposition(self) -> bytes:
        """Give all metrics in the Prometheus text format."""
        ...


class InProcess:
    """A server that is this process alone."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics

    async def readiness(self) -> Readiness:
        """Run the checks."""
        readiness = await self._health.readiness()
        self._metrics.ready.set(1 if readiness.ready else 0)
        return readiness

    async def exposition(self) -> bytes:
        """Give all metrics in the Prometheus text format."""
        return self._metrics.exposition()


def admin_application(observed: Observed) -> web.Application:
    """Make the application of the admin listener."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        readiness = await observed.readiness()
        body = json.dumps({"ready": readiness.ready, "degraded": readiness.degraded, "checks": dict(readiness.checks)})
        return web.Response(status=200 if readiness.ready else 503, text=body + "\n", content_type="application/json")

    async def exposition(_request: web.Request) -> web.Response:
        return web.Response(body=await observed.exposition(), headers={"Content-Type": Metrics.content_type})

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", exposition)
    return application
