"""A CRM over HTTP and JSON: field mapping, a bearer token or OAuth2 client credentials, a signature by HMAC.

A question carries `Idempotency-Key`, the same however often it is asked. With a secret it is signed as webhooks are
(docs/how-to/webhooks.md). Redirects are not followed.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from licensing.extensions.questions import Question, Unanswered, Verdict
from server.errors import SettingsError
from server.outbox.webhook import read_webhook_secret, signature
from server.ozomm.configuration import HttpSource, OAuth2
from server.ozomm.reading import sent, verdict_of
from server.private_files import open_to_others

MOST_BYTES = 1024 * 1024
EARLY_SECONDS = 30.0
"""So long before its end a token counts as ended."""
NOT_FOUND, UNAUTHORIZED = 404, 401


def read_text_secret(path: Path, *, what: str) -> str:
    """Read a secret of one line. Raises SettingsError when it is missing, empty or open to others."""
    try:
        if open_to_others(path):
            raise SettingsError(f"{what}: {path} can be read by others; chmod 600 it")
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{what}: cannot read {path}: {error.strerror}") from None
    if not secret or not secret.isprintable():
        raise SettingsError(f"{what}: {path} must hold one line of printable text")
    return secret


@dataclass(kw_only=True, slots=True)
class _Token:
    value: str = ""
    until: float = 0.0


class TokenKeeper:
    """Fetches an access token by client credentials and keeps it while it lasts (RFC 6749, section 4.4)."""

    def __init__(
        self, settings: OAuth2, *, folder: Path, session: aiohttp.ClientSession, monotonic: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._secret = read_text_secret(folder / settings.client_secret_file, what="client_secret_file")
        self._session = session
        self._monotonic = monotonic
        self._token = _Token()
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """Give a token that lasts. Raises Unanswered, aiohttp's errors."""
        async with self._fetching:
            if self._monotonic() >= self._token.until:
                self._token = await self._fetched()
            return self._token.value

    def forget(self, token: str) -> None:
        """Do not use a token again: it was refused."""
        if self._token.value == token:
            self._token = _Token()

    async def _fetched(self) -> _Token:
        form = {"grant_type": "client_credentials"}
        if self._settings.scope is not None:
            form["scope"] = self._settings.scope
        proof = {"Authorization": aiohttp.encode_basic_auth(self._settings.client_id, self._secret)}
        async with self._session.post(
            self._settings.token_url, data=form, headers=proof, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise Unanswered(f"token HTTP {response.status}")
            found = _json(await _body(response))
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            raise Unanswered("token not understood")
        lasts = found.get("expires_in")
        seconds = float(lasts) if isinstance(lasts, int | float) else 300.0
        return _Token(value=found["access_token"], until=self._monotonic() + max(1.0, seconds - EARLY_SECONDS))


class HttpCrm:
    """Asks a CRM over HTTP. Raises SettingsError for secrets that cannot be used."""

    def __init__(
        self,
        source: HttpSource,
        *,
        folder: Path,
        session: aiohttp.ClientSession,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._source = source
        self._session = session
        self._clock = clock
        self._bearer = None
        if source.bearer_file is not None:
            self._bearer = read_text_secret(folder / source.bearer_file, what="bearer_file")
        self._secret = None
        if source.hmac_secret_file is not None:
            self._secret = read_webhook_secret(folder / source.hmac_secret_file)
        self._tokens = None
        if source.oauth2 is not None:
            self._tokens = TokenKeeper(source.oauth2, folder=folder, session=session, monotonic=monotonic)

    async def ask(self, question: Question) -> Verdict:
        """Ask once; once more with a new token where the old one was refused. Raises Unanswered."""
        try:
            status, body, token = await self._exchanged(question)
            if status == UNAUTHORIZED and token is not None and self._tokens is not None:
                self._tokens.forget(token)
                status, body, _ = await self._exchanged(question)
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered(type(error).__name__) from error
        if status == NOT_FOUND:
            return Verdict(eligible=False)
        if not 200 <= status <= 299:
            raise Unanswered(f"HTTP {status}")
        return verdict_of(_json(body), self._source)

    async def _exchanged(self, question: Question) -> tuple[int, bytes, str | None]:
        values = sent(question, self._source.send)
        token = None if self._tokens is None else await self._tokens.token()
        body = json.dumps(values, separators=(",", ":")).encode()
        headers = {"Accept": "application/json", "Idempotency-Key": question.extension_id, **self._source.headers}
        proof = token or self._bearer
        if proof is not None:
            headers["Authorization"] = f"Bearer {proof}"
        asked: dict[str, Any] = {"headers": headers, "allow_redirects": False}
        if self._source.method == "GET":
            asked["params"] = {name: str(value) for name, value in values.items() if value is not None}
            body = b""
        else:
            headers["Content-Type"] = "application/json"
            asked["data"] = body
        if self._secret is not None:
            timestamp = int(self._clock().timestamp())
            headers["webhook-id"] = question.extension_id
            headers["webhook-timestamp"] = str(timestamp)
            headers["webhook-signature"] = signature(self._secret, question.extension_id, timestamp, body)
        async with self._session.request(self._source.method, self._source.url, **asked) as response:
            return response.status, await _body(response), token


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MOST_BYTES:
            raise Unanswered("too large")
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Unanswered("not JSON") from None
