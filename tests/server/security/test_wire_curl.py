"""curl, which knows nothing of SOAP, in every way of identifying that it has, with certificates made by openssl; and
each way's wrong twin. It reads the message from a file, as a shell script would."""

import asyncio
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from filtered import put_policy
from lxml import etree
from openssl_made import Pair
from test_wire_certificates import register as register_tls
from test_wire_message_security import by_xmlsec1, register, template, username
from wire import Server, Start, envelope, order

from soap import Version
from soap.names import WSSE, WSU
from storage.records import AccessPolicy

pytestmark = pytest.mark.slow

LIST = '<ListItems xmlns="urn:opendepot:sales:1"/>'
BOTH = pytest.mark.parametrize("version", list(Version))
PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"


class Curl:
    """curl with a message in a file."""

    def __init__(self, server: Server, folder: Path, version: Version) -> None:
        self._server, self._version = server, version
        self._file = folder / "message.xml"

    async def __call__(self, *words: str | Path, message: bytes | None = None) -> str:
        """Send a message: `ok`, the code of a fault, or that no connection came about."""
        self._file.write_bytes(message or envelope(LIST, version=self._version))
        command = [
            *("curl", "-sS", "--max-time", "20", "--data-binary", f"@{self._file}", "-o", "-"),
            *("-H", f"Content-Type: {self._version.content_type}", *map(str, words), f"{self._server.url}/v1/sales"),
        ]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False, timeout=30)
        if done.returncode:
            return "no connection"
        payload = etree.fromstring(done.stdout)[-1][0]
        return "ok" if etree.QName(payload).localname.endswith("Response") else str(payload.findtext(".//{*}code"))


@BOTH
async def test_a_key_by_bearer_and_by_basic(server: Server, tmp_path: Path, version: Version) -> None:
    curl, shop = Curl(server, tmp_path, version), server.extra["shop"]
    assert await curl("-H", f"Authorization: Bearer {server.api_key}") == "ok"
    assert await curl("--oauth2-bearer", server.api_key) == "ok"
    assert await curl("--user", f"{shop}:{server.api_key}") == "ok"
    assert await curl() == "NotIdentified"
    assert await curl("-H", f"Authorization: Bearer {server.api_key}x") == "NotIdentified"
    assert await curl("--user", f"{shop}:{server.other_api_key}") == "NotIdentified"
    assert await curl("--user", f"nobody:{server.api_key}") == "NotIdentified"
    # First without a key: the answer's challenge says what is taken.
    assert await curl("--anyauth", "--user", f"{shop}:{server.api_key}") == "ok"


@BOTH
async def test_a_client_certificate(secure: Server, made: dict[str, Pair], tmp_path: Path, version: Version) -> None:
    await register_tls(secure, made["shop"])
    await put_policy(secure, AccessPolicy.MTLS)
    curl = Curl(secure, tmp_path, version)
    trusting = ("--cacert", made["server"].certificate)
    own, foreign = (("--cert", made[name].certificate, "--key", made[name].key) for name in ("shop", "foreign"))
    assert await curl(*trusting, *own) == "ok"
    assert await curl(*trusting) == "NotIdentified"
    assert await curl(*trusting, "-H", f"Authorization: Bearer {secure.api_key}") == "NotIdentified"
    assert await curl(*trusting, *foreign) == "no connection"
    assert await curl(*own) == "no connection", "curl does not know this server"
    assert await curl(*trusting, *own, "--tls-max", "1.1") == "no connection"


def with_token(username: str, secret: str, version: Version, *, kind: str = "Text", more: str = "") -> bytes:
    """A message with a UsernameToken, as a template with two blanks to fill in gives it."""
    block = (
        f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Username>{username}</w:Username>'
        f'<w:Password Type="{PROFILE}#Password{kind}">{secret}</w:Password>{more}</w:UsernameToken></w:Security>'
    )
    return envelope(LIST, version=version, header=block)


@BOTH
async def test_a_password_as_text(
    secure: Server, start: Start, made: dict[str, Pair], tmp_path: Path, version: Version
) -> None:
    name, secret = await username(secure)
    curl, trusting = Curl(secure, tmp_path, version), ("--cacert", made["server"].certificate)
    assert await curl(*trusting, message=with_token(name, secret, version)) == "ok"
    assert await curl(*trusting, message=with_token(name, secret, version)) == "ok", "a text holds more than once"
    assert await curl(*trusting, message=with_token(name, secret[:-1], version)) == "SecurityFailed"
    assert await curl(*trusting, message=with_token("nobody", secret, version)) == "SecurityFailed"
    plain = Curl(await start(), tmp_path, version)
    assert await plain(message=with_token(name, secret, version)) == "SecurityUnencrypted"


DIGEST = """
created=$(date -u +%Y-%m-%dT%H:%M:%SZ)
openssl rand 16 > nonce
digest=$({ cat nonce; printf %s "$created"; printf %s "$SECRET"; } | openssl dgst -sha1 -binary | base64)
printf '%s %s %s' "$created" "$(base64 nonce)" "$digest"
"""


@BOTH
async def test_a_password_digest_by_a_shell_script(server: Server, tmp_path: Path, version: Version) -> None:
    name, secret = await username(server)
    curl = Curl(server, tmp_path, version)

    async def message(told: str) -> bytes:
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-c", DIGEST],
            cwd=tmp_path,
            env={"SECRET": told, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        created, nonce, digest = done.stdout.split(" ")
        more = f'<w:Nonce>{nonce}</w:Nonce><c:Created xmlns:c="{WSU}">{created}</c:Created>'
        return with_token(name, digest, version, kind="Digest", more=more)

    once = await message(secret)
    assert await curl(message=once) == "ok"
    assert await curl(message=once) == "SecurityReplayed"
    assert await curl(message=await message(secret + "x")) == "SecurityFailed"
    assert b64encode(secret.encode()) not in once


@BOTH
async def test_a_signature_by_xmlsec1(server: Server, made: dict[str, Pair], tmp_path: Path, version: Version) -> None:
    await register(server, made["shop"])
    curl = Curl(server, tmp_path, version)

    def signed(which: str) -> bytes:
        text = template(order("t-curl", quantity=1), made[which], version=version)
        return by_xmlsec1(text, made[which], tmp_path, version=version)

    message = signed("shop")
    changed = message.replace(b"<quantity>1<", b"<quantity>9<")
    assert changed != message
    assert await curl(message=changed) == "SecurityFailed"
    assert await curl(message=message) == "ok"
    assert await curl(message=message) == "SecurityReplayed"
    assert await curl(message=signed("foreign")) == "SecurityFailed"
