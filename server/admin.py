"""The operator's own listener: is the process alive, may it receive requests, its metrics."""

import json

from aiohttp import web

from observe import Health, Metrics


def admin_application(health: Health, metrics: Metrics) -> web.Application:
    """Make the application of the admin listener."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        readiness = await health.readiness()
        metrics.ready.set(1 if readiness.ready else 0)
        body = json.dumps({"ready": readiness.ready, "checks": dict(readiness.checks)})
        return web.Response(status=200 if readiness.ready else 503, text=body + "\n", content_type="application/json")

    async def exposition(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.content_type})

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", exposition)
    return application
