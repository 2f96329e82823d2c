"""TLS client certificates made by openssl: pinned, by a shop's own authority, told by a proxy; and their twins."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from filtered import LIST_ITEMS, core_of, outcome, until
from openssl_made import Pair, issued, openssl, self_signed
from wire import Received, Server, Start

from storage.records import AccessPolicy


class Made:
    """All certificates, made once."""

    def __init__(self, folder: Path) -> None:
        self.server = self_signed(folder, "server", alt="DNS:localhost,IP:127.0.0.1")
        self.pinned = self_signed(folder, "pinned")
        self.foreign = self_signed(folder, "foreign")
        self.authority = self_signed(folder, "authority", authority=True)
        self.issued = issued(folder, "issued", self.authority)
        self.server_only = issued(folder, "server-only", self.authority, extensions="extendedKeyUsage=serverAuth")
        self.below = issued(folder, "below", self.authority, extensions="basicConstraints=critical,CA:TRUE")
        self.by_other = issued(folder, "by-other", self_signed(folder, "other", authority=True))
        self.expired = issued(folder, "expired", self.authority, days=-1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("certificates"))


def read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


async def ask_tls(server: Server, made: Made, client: Pair | None, *, path: str = "sales", key: str = "") -> str:
    """What comes of listing items over TLS: ok, the code of a fault, or `handshake`."""
    context = ssl.create_default_context(cafile=made.server.certificate)
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    headers = {"Content-Type": "text/xml", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
            session.post(f"{server.url}/v1/{path}", data=LIST_ITEMS, headers=headers) as answer,
        ):
            return outcome(Received(status=answer.status, headers={}, body=await answer.read()))
    except (aiohttp.ClientConnectionError, ssl.SSLError, OSError):
        return "handshake"


async def register(server: Server, pair: Pair, *, authority: bool = False, shop: str | None = None) -> str:
    """Register a certificate and wait until the server knows it; give its id."""
    name = shop or server.extra["shop"]
    async with core_of(server) as core:
        added = await core.credentials.add_certificate(name, read(pair), authority=authority)
    wait_for = added.credential_id
    server.up.application.filters.hurry()
    await until(lambda: wait_for in _known(server))
    return added.credential_id


def _known(server: Server) -> set[str]:
    store = server.up.application.filters.last().certificates
    return {one.credential.credential_id for one in (*store.pinned.values(), *store.authorities)}


@asynccontextmanager
async def policy(server: Server, what: AccessPolicy) -> AsyncIterator[None]:
    shop = server.extra["shop"]
    async with core_of(server) as core:
        await core.catalogue.set_policy(shop, what)
    server.up.application.filters.hurry()
    await until(lambda: server.up.application.filters.last().shops[shop].access_policy is what)
    yield


@pytest.fixture
async def secure(start: Start, made: Made) -> Server:
    return await start(
        tls_certificate_file=made.server.certificate, tls_key_file=made.server.key, tls_ask_client_certificate=True
    )


async def test_a_pinned_certificate_proves_its_shop_until_it_is_revoked(secure: Server, made: Made) -> None:
    shop = secure.extra["shop"]
    assert await ask_tls(secure, made, None) == "NotIdentified"
    assert await ask_tls(secure, made, made.pinned) == "handshake"
    credential = await register(secure, made.pinned)
    assert await ask_tls(secure, made, made.pinned) == "ok"
    assert await ask_tls(secure, made, made.pinned, path=f"sales/{shop}") == "ok"
    assert await ask_tls(secure, made, made.pinned, path="sales/somebody") == "NotIdentified"
    assert await ask_tls(secure, made, made.foreign) == "handshake"
    async with core_of(secure) as core:
        await core.credentials.revoke(shop, credential)
    secure.up.application.filters.hurry()
    await until(lambda: credential not in _known(secure))
    assert await ask_tls(secure, made, made.pinned) == "NotIdentified"


async def test_a_shop_s_own_authority_lets_its_clients_in_and_nobody_else(secure: Server, made: Made) -> None:
    await register(secure, made.authority, authority=True)
    assert await ask_tls(secure, made, made.issued) == "ok"
    assert await ask_tls(secure, made, made.by_other) == "handshake"
    assert await ask_tls(secure, made, made.expired) == "handshake"
    assert await ask_tls(secure, made, made.server_only) == "handshake"
    # OpenSSL lets an authority of its own in as a client, and the shop's certificates do not.
    assert await ask_tls(secure, made, made.below) == "NotIdentified"
    assert await ask_tls(secure, made, made.authority) == "NotIdentified"


async def test_under_mtls_a_key_alone_is_not_enough(secure: Server, made: Made) -> None:
    await register(secure, made.pinned)
    async with policy(secure, AccessPolicy.MTLS):
        assert await ask_tls(secure, made, None, key=secure.api_key) == "NotIdentified"
        assert await ask_tls(secure, made, made.pinned) == "ok"
        assert await ask_tls(secure, made, made.pinned, key=secure.api_key) == "ok"
        # Two proofs of two shops prove nothing.
        assert await ask_tls(secure, made, made.pinned, key=secure.other_api_key) == "NotIdentified"
        assert await ask_tls(secure, made, made.pinned, key="od_wrong") == "NotIdentified"
    async with policy(secure, AccessPolicy.IP_AND_MTLS):
        # No rule lets the address in.
        assert await ask_tls(secure, made, made.pinned) == "AddressDenied"
    async with policy(secure, AccessPolicy.IP_OR_MTLS):
        assert await ask_tls(secure, made, made.pinned) == "ok"
        assert await ask_tls(secure, made, None, key=secure.api_key) == "NotIdentified"
    async with policy(secure, AccessPolicy.SIGNATURE):
        assert await ask_tls(secure, made, made.pinned) == "NotIdentified"


async def test_a_certificate_is_one_shop_s(secure: Server, made: Made) -> None:
    await register(secure, made.pinned)
    async with core_of(secure) as core:
        other, _ = await core.catalogue.add_shop("another")
        with pytest.raises(Exception, match="registered already"):
            await core.credentials.add_certificate(other.name, read(made.pinned))


def forms(pair: Pair) -> dict[str, str]:
    """How proxies write a certificate into a header."""
    der = base64.b64encode(read(pair).public_bytes(Encoding.DER)).decode()
    return {"haproxy": der, "rfc9440": f":{der}:", "nginx": quote(pair.certificate.read_text())}


async def told(server: Server, header: str, *, name: str = "Client-Cert") -> str:
    received = await server.post("sales", LIST_ITEMS, headers={name: header}, identified=False)
    return outcome(received)


async def test_a_trusted_proxy_is_believed_the_certificate_that_it_tells(start: Start, made: Made) -> None:
    server = await start(trusted_proxies=("127.0.0.1",), client_certificate_header="Client-Cert")
    await register(server, made.pinned)
    await register(server, made.authority, authority=True)
    for name, header in forms(made.pinned).items():
        assert await told(server, header) == "ok", name
    assert await told(server, forms(made.issued)["nginx"]) == "ok"
    for refused in (made.foreign, made.by_other, made.expired, made.server_only, made.below, made.authority):
        assert await told(server, forms(refused)["haproxy"]) == "NotIdentified", refused
    assert await told(server, forms(made.pinned)["haproxy"], name="X-Client-Cert") == "NotIdentified"
    for garbage in ("no base64!", base64.b64encode(b"no certificate").decode(), ":", "-----BEGIN", "A" * 15000):
        assert await told(server, garbage) == "ClientUnknown", garbage


async def test_nobody_else_is_believed(start: Start, made: Made) -> None:
    server = await start(trusted_proxies=("192.0.2.1",), client_certificate_header="Client-Cert")
    await register(server, made.pinned)
    assert await told(server, forms(made.pinned)["haproxy"]) == "NotIdentified"


async def test_without_the_setting_no_header_is_believed(start: Start, made: Made) -> None:
    server = await start(trusted_proxies=("127.0.0.1",))
    await register(server, made.pinned)
    assert await told(server, forms(made.pinned)["haproxy"]) == "NotIdentified"


def weak(folder: Path) -> Pair:
    pair = Pair(folder / "weak.pem", folder / "weak.key")
    openssl(
        *("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak"),
        *("-keyout", pair.key, "-out", pair.certificate),
    )
    return pair


async def test_what_proves_nothing_for_long_cannot_be_registered(server: Server, made: Made, tmp_path: Path) -> None:
    weak_pair = await asyncio.to_thread(weak, tmp_path)
    refused: list[tuple[Pair, dict[str, Any], str]] = [
        (weak_pair, {}, "2048 bits"),
        (made.expired, {}, "expired"),
        (made.pinned, {"authority": True}, "CA:TRUE"),
    ]
    async with core_of(server) as core:
        for pair, options, words in refused:
            with pytest.raises(Exception, match=words):
                await core.credentials.add_certificate(server.extra["shop"], read(pair), **options)
