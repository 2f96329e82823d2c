"""Header blocks of shops' messages against what the shops have registered in a real database."""

import hashlib
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from gates_bench import World, calling, front
from made_certificates import certificate
from signed_messages import NOW, Message, Signer, opened, signer

from server.errors import ServerError
from server.security.messages import MessageProofs
from server.security.proofs import ProofKind
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.messages import LARGE_BYTES, WsSecurity
from server.security.wssecurity.refusals import (
    SecurityExpired,
    SecurityFailed,
    SecurityInvalid,
    SecurityUnencrypted,
)
from soap import Received
from soap.names import HEADER


class Asked:
    """The security of messages as gate B asks for it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.security = WsSecurity(world.credentials, world.metrics, window=Window())

    async def __call__(self, received: Received, *, secure: bool = False) -> MessageProofs:
        world = self.world
        call = calling(world.gates(), secure=secure)
        return await self.security.prove(received, call, certificates=world.keeper.last().certificates, now=world.now)

    async def refused(self, received: Received, kind: type[ServerError] = SecurityFailed, **options: Any) -> str:
        with pytest.raises(kind) as found:
            await self(received, **options)
        return found.value.message


@pytest.fixture
async def asked(world: World) -> Asked:
    await world.shop()
    await world.certificate("acme", signer().certificate)
    return Asked(world)


def signed(by: Signer | None = None, **options: Any) -> Received:
    return opened(Message.of().timestamp().sign(by or signer(), **options).bytes())


async def test_a_message_without_a_header_block_proves_nothing_and_is_itself(asked: Asked) -> None:
    received = signed()._replace(security=None)
    assert await asked(received) == MessageProofs(received=received)


@pytest.mark.parametrize("key", ["binary", "ski", "thumbprint", "embedded", "serial", "serial-and-certificate"])
async def test_a_signature_proves_the_shop_whose_certificate_it_names(asked: Asked, key: str) -> None:
    received = signed(key=key)
    found = await asked(received)
    (proof,), (mark,) = found.proofs, found.marks
    assert (proof.kind, proof.shop.name) == (ProofKind.SIGNATURE, "acme")
    view = await asked.world.credentials.show("acme")
    assert proof.credential_id in {one.credential_id for one in view.credentials if one.kind == "certificate"}
    assert found.received is received
    assert mark.until == NOW + timedelta(seconds=360)


@pytest.mark.parametrize("key", ["binary", "ski", "serial"])
async def test_a_key_that_nobody_registered_or_that_was_revoked_proves_nothing(asked: Asked, key: str) -> None:
    with pytest.raises(SecurityFailed) as found:
        await asked(signed(signer("foreign"), key=key))
    assert "no usable certificate is registered under this" in found.value.detail
    await asked(signed(key=key))
    changed = opened(Message.of().timestamp().sign(signer(), key=key).bytes().replace(b"EDITOR", b"EDITOS"))
    with pytest.raises(SecurityFailed) as found:
        await asked(changed)
    assert found.value.detail == "signature or digest does not fit the message"
    view = await asked.world.credentials.show("acme")
    (mine,) = (one for one in view.credentials if one.kind == "certificate")
    await asked.world.credentials.revoke("acme", mine.credential_id)
    await asked.world.keeper.look()
    await asked.refused(signed(key=key))


async def test_a_certificate_that_was_registered_since_is_known_and_of_its_shop(asked: Asked) -> None:
    other = signer("other")
    await asked.refused(signed(other, key="ski"))
    await asked.world.shop("other")
    await asked.world.certificate("other", other.certificate)
    (proof,) = (await asked(signed(other, key="ski"))).proofs
    assert proof.shop.name == "other"


async def test_a_client_of_a_shop_s_authority_may_sign_where_the_message_holds_its_certificate(asked: Asked) -> None:
    root = certificate("root", authority=True)
    await asked.world.certificate("acme", root.certificate, authority=True)
    made = certificate("client", by=root, authority=False)
    client = Signer(key=made.key, certificate=made.certificate)
    (proof,) = (await asked(signed(client))).proofs
    assert proof.shop.name == "acme"
    await asked.refused(signed(client, key="serial"))


async def test_a_certificate_on_a_curve_for_tls_alone_signs_no_message(asked: Asked) -> None:
    wide = signer("wide", "p384")
    await asked.world.certificate("acme", wide.certificate)
    received = Message.of().timestamp().sign(wide, method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
    await asked.refused(opened(received.bytes()))


async def test_the_certificate_s_own_time_counts(asked: Asked) -> None:
    asked.world.now = NOW + timedelta(days=364, seconds=1)
    received = opened(Message.of().timestamp(asked.world.now).sign(signer()).bytes())
    assert "register a new one" in await asked.refused(received, SecurityExpired)
    await asked.world.keeper.look()


async def test_a_digest_proves_the_shop_of_its_username_and_leaves_a_mark(asked: Asked) -> None:
    secret = (await asked.world.credentials.add_username("acme", "erp")).secret.encode()
    found = await asked(opened(Message.of().username(name="erp", secret=secret).bytes()))
    assert [(proof.kind, proof.shop.name) for proof in found.proofs] == [(ProofKind.USERNAME, "acme")]
    assert len(found.marks) == 1
    said = await asked.refused(opened(Message.of().username(name="erp", secret=secret + b"x").bytes()))
    assert said == await asked.refused(opened(Message.of().username(name="nobody", secret=secret).bytes()))
    metric = asked.world.counted
    assert (metric("message_security", outcome="digest"), metric("message_security", outcome="SecurityFailed")) == (
        1,
        2,
    )


async def test_a_password_is_taken_where_nobody_reads_along_and_leaves_no_mark(asked: Asked) -> None:
    secret = (await asked.world.credentials.add_username("acme", "erp")).secret
    received = opened(Message.of().text_username(name="erp", secret=secret).bytes())
    await asked.refused(received, SecurityUnencrypted)
    found = await asked(received, secure=True)
    assert ([proof.kind for proof in found.proofs], found.marks) == ([ProofKind.USERNAME], ())
    assert asked.world.counted("message_security", outcome="password") == 1
    assert asked.world.counted("message_security", outcome="SecurityUnencrypted") == 1


async def test_signature_and_digest_of_one_shop_are_two_proofs_and_of_two_shops_none(asked: Asked) -> None:
    secret = (await asked.world.credentials.add_username("acme", "erp")).secret.encode()
    await asked.world.shop("other")
    theirs = (await asked.world.credentials.add_username("other", "their-erp")).secret.encode()
    both = Message.of().timestamp().username(name="erp", secret=secret).sign(signer())
    found = await asked(opened(both.bytes()))
    assert [proof.kind for proof in found.proofs] == [ProofKind.SIGNATURE, ProofKind.USERNAME]
    assert len(found.marks) == 2
    mixed = Message.of().timestamp().username(name="their-erp", secret=theirs).sign(signer())
    await asked.refused(opened(mixed.bytes()))


async def test_a_front_that_signs_must_sign_what_it_tells_of_its_client(asked: Asked) -> None:
    def fronted() -> Message:
        return Message.of(header=front()).timestamp()

    await asked.refused(opened(fronted().sign(signer()).bytes()), SecurityInvalid)
    made = fronted()
    block = made.header.find(f"{{{HEADER}}}OnBehalfOf")
    block.set("{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id", "block")
    made.sign(signer(), over=[made.body, made.security[0], block])
    received = opened(made.bytes())
    assert received.on_behalf_of is not None
    assert len((await asked(received)).proofs) == 1
    # Whoever proves itself otherwise signs nothing; whether that is enough for a front is for the gate to say.
    secret = (await asked.world.credentials.add_username("acme", "erp")).secret.encode()
    found = await asked(opened(Message.of(header=front()).username(name="erp", secret=secret).bytes()))
    assert len(found.proofs) == 1


async def test_a_large_message_is_checked_in_a_thread_and_proves_the_same(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    import asyncio  # noqa: PLC0415

    original = asyncio.to_thread

    async def counted(work: Any, *arguments: Any) -> Any:
        threads.append(work)
        return await original(work, *arguments)

    monkeypatch.setattr("server.security.wssecurity.checking.asyncio.to_thread", counted)
    for size, used in ((LARGE_BYTES, 0), (LARGE_BYTES + 1, 2)):
        threads.clear()
        found = await asked(signed()._replace(size=size))
        assert ([proof.kind for proof in found.proofs], len(threads)) == ([ProofKind.SIGNATURE], used)


async def test_a_digest_is_made_of_nonce_time_and_secret(asked: Asked) -> None:
    """The profile's own formula, beside the code that checks it."""
    secret = (await asked.world.credentials.add_username("acme", "erp")).secret.encode()
    made = Message.of().username(name="erp", secret=secret)
    token = made.security[0]
    nonce, created = b"0123456789abcdef", token[3].text
    assert token[1].text == b64encode(hashlib.sha1(nonce + created.encode() + secret).digest()).decode()
    assert len((await asked(opened(made.bytes()))).proofs) == 1
    for place, text in ((1, b64encode(bytes(20)).decode()), (2, b64encode(bytes(16)).decode())):
        changed = Message.of().username(name="erp", secret=secret)
        changed.security[0][place].text = text
        await asked.refused(opened(changed.bytes()))
