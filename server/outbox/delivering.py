"""The dispatcher of webhooks, put together from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import SystemRandom

import aiohttp

from server.app import Application
from server.core import Core, utc_now
from server.errors import SettingsError
from server.outbox.dispatcher import Backoff, Dispatcher
from server.outbox.webhook import WebhookChannel, read_webhook_secret
from server.settings import Settings


@asynccontextmanager
async def webhooks(settings: Settings, core: Core, application: Application) -> AsyncIterator[Dispatcher]:
    """Give what delivers to `webhook_url` until the block ends. Raises SettingsError for the secret."""
    if settings.webhook_url is None or settings.webhook_secret_file is None:
        raise SettingsError("webhook_secret_file: name the file with the secret that signs what goes to webhook_url")
    secret = read_webhook_secret(settings.webhook_secret_file)
    timeout = aiohttp.ClientTimeout(total=settings.webhook_seconds)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        channel = WebhookChannel(
            session=session,
            url=settings.webhook_url,
            secret=secret,
            seconds=settings.webhook_seconds,
            clock=utc_now,
        )
        yield Dispatcher(
            storage=core.storage,
            vault=core.vault,
            channel=channel,
            backoff=Backoff(attempts=settings.webhook_attempts, random=SystemRandom().random),
            clock=utc_now,
            owner=core.owner,
            events=application.events,
            metrics=application.metrics,
        )
