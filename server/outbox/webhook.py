"""Webhooks: messages sent by HTTP POST in the form of the Standard Webhooks specification, version 1.

Headers `webhook-id` (the same at every try), `webhook-timestamp` (seconds since 1970) and `webhook-signature`:
`v1,` and the Base64 of HMAC-SHA256 over "id.timestamp.body", with the secret that both sides hold.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp

from licensing.announcing import WEBHOOK
from server.errors import SettingsError
from server.outbox.channels import Delivered, Delivery, Failed
from server.private_files import open_to_others

SECRET_PREFIX = "whsec_"  # noqa: S105  the mark of a secret, not one
LEAST_SECRET_BYTES = 24
MOST_SECRET_BYTES = 64
GONE = 410
USER_AGENT = "OpenDepot-Webhook/1"


def read_webhook_secret(path: Path) -> bytes:
    """Read a secret: `whsec_` and the Base64 of 24 to 64 bytes. Raises SettingsError."""
    setting = "webhook_secret_file"
    try:
        if open_to_others(path):
            raise SettingsError(f"{setting}: {path} can be read by others; chmod 600 it")
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    try:
        secret = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.startswith(SECRET_PREFIX) or not LEAST_SECRET_BYTES <= len(secret) <= MOST_SECRET_BYTES:
        raise SettingsError(
            f"{setting}: {path} must hold {SECRET_PREFIX} and the Base64 of {LEAST_SECRET_BYTES} to "
            f"{MOST_SECRET_BYTES} random bytes"
        )
    return secret


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Give the value of `webhook-signature`."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()


class WebhookChannel:
    """Delivers to one URL. `seconds`: how long a try takes at most, the connection included."""

    name = WEBHOOK

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        url: str,
        secret: bytes,
        seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._url = url
        self._secret = secret
        self._seconds = seconds
        self._clock = clock

    @property
    def seconds(self) -> float:
        """How long a try takes at most."""
        return self._seconds

    async def deliver(self, delivery: Delivery) -> Delivered | Failed:
        """Send once. Any status from 200 to 299 is a receipt; redirects are not followed, and 410 ends all tries."""
        timestamp = int(self._clock().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, delivery.message_id, timestamp, delivery.content),
        }
        try:
            async with self._session.post(
                self._url, data=delivery.content, headers=headers, allow_redirects=False
            ) as response:
                status, after = response.status, response.headers.get("Retry-After", "")
        except TimeoutError:
            return Failed(reason="TimeoutError")
        except (aiohttp.ClientError, OSError) as error:
            return Failed(reason=type(error).__name__)
        if 200 <= status <= 299:
            return Delivered()
        wait = timedelta(seconds=int(after)) if after.isdecimal() and len(after) < 7 else None
        return Failed(reason=f"HTTP {status}", final=status == GONE, after=wait)
