"""The SDK proves who is calling, in every way that it has, over TCP; and each way's wrong twin is a typed fault."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filtered import put_policy
from openssl_made import Pair
from tcp_relay import Relay, place_of, relaying
from test_wire_certificates import register as register_tls
from test_wire_message_security import register, username
from wire import Server

from opendepot import ApiKey, Basic, SalesClient, ServiceUnreachable, Signature, UsernameToken, faults, tls_context
from opendepot.credentials import Credential
from soap import Version
from soap.client import Request
from soap.messages import sales
from soap.signing import SigningKeyWrong
from storage.records import AccessPolicy

pytestmark = pytest.mark.slow

ORDER = sales.CreateOrderRequest(
    transaction_id="t-client", order_line=(sales.OrderLine(item_number="EDITOR", quantity=1),)
)


async def asked(server: Server, credential: Credential | None, **options: Any) -> str:
    """Order, which is the same order every time: `ok`, or the name of the exception."""
    try:
        async with SalesClient(server.url, credential=credential, attempts=1, **options) as shop:
            await shop.create_order(ORDER)
    except (faults.AccessFault, faults.RequestFault, ServiceUnreachable) as error:
        return type(error).__name__
    return "ok"


@pytest.mark.parametrize("version", list(Version))
async def test_key_basic_digest_and_signature_prove_a_shop_and_their_twins_do_not(
    server: Server, made: dict[str, Pair], version: Version
) -> None:
    name, secret = await username(server)
    await register(server, made["shop"])
    late = datetime.now(UTC) - timedelta(hours=1)

    def signature(which: str) -> Signature:
        return Signature.read(made[which].certificate, made[which].key)

    token = UsernameToken(username=name, secret=secret)
    for credential, expected in (
        (ApiKey(key=server.api_key), "ok"),
        (ApiKey(key=server.api_key[:-1]), "NotIdentified"),
        (None, "NotIdentified"),
        (Basic(name=server.extra["shop"], key=server.api_key), "ok"),
        (Basic(name=server.extra["shop"], key=server.other_api_key), "NotIdentified"),
        (token, "ok"),
        (dataclasses.replace(token, secret=secret + "x"), "SecurityFailed"),
        (dataclasses.replace(token, username="nobody"), "SecurityFailed"),
        (dataclasses.replace(token, clock=lambda: late), "SecurityExpired"),
        (dataclasses.replace(token, digest=False), "SecurityUnencrypted"),
        (signature("shop"), "ok"),
        (signature("foreign"), "SecurityFailed"),
        (Signature.read(made["shop"].certificate, made["shop"].key, clock=lambda: late), "SecurityExpired"),
    ):
        assert await asked(server, credential, version=version) == expected, credential
    assert secret not in repr(token)
    assert server.api_key not in repr(Basic(name="shop", key=server.api_key))


async def test_a_message_that_is_changed_on_its_way_is_refused(server: Server, made: dict[str, Pair]) -> None:
    await register(server, made["shop"])
    signing = Signature.read(made["shop"].certificate, made["shop"].key)

    class Changed:
        def applied(self, request: Request) -> Request:
            signed = signing.applied(request)
            return dataclasses.replace(signed, body=signed.body.replace(b"quantity>1<", b"quantity>9<"))

    assert await asked(server, Changed()) == "SecurityFailed"
    assert await asked(server, signing) == "ok"


@pytest.mark.parametrize("kind", ["digest", "signature"])
async def test_each_attempt_has_a_proof_of_its_own(server: Server, made: dict[str, Pair], kind: str) -> None:
    """The answer is lost after the server has used up the nonce or the signature."""
    if kind == "digest":
        name, secret = await username(server)
        credential: Credential = UsernameToken(username=name, secret=secret)
    else:
        await register(server, made["shop"])
        credential = Signature.read(made["shop"].certificate, made["shop"].key)
    host, port = place_of(server.url)
    lost: list[int] = []

    class Losing(Relay):
        async def answered(self, data: bytes) -> bytes:
            lost.append(len(data))
            return b"" if len(lost) == 1 else data

    async with relaying(Losing((host, port))) as relay, SalesClient(relay.url, credential=credential) as shop:
        receipt = await shop.create_order(ORDER)
        assert await shop.create_order(ORDER) == receipt
    assert len(lost) >= 3


async def test_a_client_certificate_proves_a_shop_and_a_server_that_is_not_known_gets_nothing(
    secure: Server, made: dict[str, Pair]
) -> None:
    await register_tls(secure, made["shop"])
    await put_policy(secure, AccessPolicy.MTLS)

    def tls(which: str | None) -> Any:
        own = {} if which is None else {"certificate": made[which].certificate, "key": made[which].key}
        return tls_context(authorities=made["server"].certificate, **own)

    assert await asked(secure, None, tls=tls("shop")) == "ok"
    assert await asked(secure, None, tls=tls(None)) == "NotIdentified"
    assert await asked(secure, ApiKey(key=secure.api_key), tls=tls(None)) == "NotIdentified", "a key is not enough"
    assert await asked(secure, None, tls=tls("foreign")) == "ServiceUnreachable"
    # The system's authorities do not know this server, so it never gets to see the key.
    with pytest.raises(ServiceUnreachable, match="certificate verify failed"):
        async with SalesClient(secure.url, api_key=secure.api_key, attempts=1) as shop:
            await shop.list_items()
    async with relaying(Relay()) as proxy:
        assert await asked(secure, None, tls=tls("shop"), proxy=proxy.url) == "ok"
        host, port = place_of(secure.url)
        assert proxy.asked == [f"CONNECT {host}:{port}"], "a proxy passes on what it cannot read"


async def test_a_text_password_goes_over_tls(secure: Server, made: dict[str, Pair]) -> None:
    name, secret = await username(secure)
    trusting = tls_context(authorities=made["server"].certificate)
    token = UsernameToken(username=name, secret=secret, digest=False)
    assert await asked(secure, token, tls=trusting) == "ok"
    assert await asked(secure, dataclasses.replace(token, secret="guess"), tls=trusting) == "SecurityFailed"


def test_files_that_cannot_sign_are_told_of(made: dict[str, Pair], tmp_path: Path) -> None:
    with pytest.raises(SigningKeyWrong, match="not that of the certificate"):
        Signature.read(made["shop"].certificate, made["foreign"].key)
    with pytest.raises(SigningKeyWrong, match="must be PEM"):
        Signature.read(made["shop"].key, made["shop"].key)
    with pytest.raises(FileNotFoundError):
        Signature.read(tmp_path / "none.pem", made["shop"].key)
