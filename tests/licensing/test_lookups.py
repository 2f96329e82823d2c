"""Hashes of several peppers: renewed at their use, never taken back, and a login does not fail of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rules import World

from licensing.credentials import Credentials
from licensing.errors import CredentialExists
from licensing.keyring import KeyRing, make_key
from licensing.lookups import Lookups
from licensing.vault import Vault, pepper_of
from storage.commands import FindIdentity
from storage.errors import StorageError, StorageUnavailable
from storage.keys import Renew

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PEPPERS = KeyRing(
    keys=tuple(
        make_key(bytes([number]) * 32, made_at=NOW + timedelta(days=number), first=number == 0) for number in range(3)
    )
)


def credentials(world: World, *, uses: int, storage: Any = None) -> Credentials:
    """A process that has all peppers and makes hashes with one of them."""
    vault = Vault(pepper=PEPPERS, sealing_key=world.vault.sealing_keys, random=world.random)
    vault.use(pepper=PEPPERS.keys[uses].key_id, sealing_key=vault.sealing_key.key_id)
    return Credentials(storage=storage or world.storage, vault=vault, clock=world.clock, random=world.random)


async def made(world: World, *, uses: int) -> str:
    process = credentials(world, uses=uses)
    new, _ = await process.rotate_key("shop", overlap=timedelta(hours=1))
    return new.secret


async def pepper_in_use(world: World, api_key: str) -> bytes:
    """Which pepper the hash in the database is of."""
    vault = Vault(pepper=PEPPERS, sealing_key=world.vault.sealing_keys, random=world.random)
    for lookup in vault.candidates("api-key", api_key):
        if await world.storage.query(FindIdentity(lookup=lookup)) is not None:
            return pepper_of(lookup)
    raise AssertionError("it is found by no pepper")


@pytest.mark.parametrize(("made_with", "used"), [(0, 0), (0, 1), (0, 2), (1, 2), (2, 1), (2, 0), (1, 0)])
async def test_a_hash_is_renewed_towards_the_newest_pepper_and_never_back(
    world: World, made_with: int, used: int
) -> None:
    api_key = await made(world, uses=made_with)
    process = credentials(world, uses=used)
    renewed: list[tuple[str, StorageError | None]] = []
    process.lookups.on_renewed = lambda what, error: renewed.append((what, error))
    for _ in range(2):
        assert await process.find_api_key(api_key, "shop") is not None
    newest = max(made_with, used)
    assert await pepper_in_use(world, api_key) == (b"" if newest == 0 else PEPPERS.keys[newest].key_id)
    assert renewed == [("credentials", None)] * (made_with < used), "once, and only forwards"


async def test_a_login_does_not_fail_when_its_hash_cannot_be_renewed(world: World) -> None:
    api_key = await made(world, uses=0)

    class Full:
        """A storage whose disk is full."""

        async def execute(self, command: Any) -> Any:
            assert isinstance(command, Renew)
            raise StorageUnavailable("the disk is full")

        async def query(self, query: Any) -> Any:
            return await world.storage.query(query)

    process = credentials(world, uses=1, storage=Full())
    told: list[StorageError | None] = []
    process.lookups.on_renewed = lambda _what, error: told.append(error)
    assert await process.find_api_key(api_key, "shop") is not None
    assert [type(error) for error in told] == [StorageUnavailable]
    assert await pepper_in_use(world, api_key) == b""


async def test_a_credential_that_does_not_hold_is_not_renewed(world: World) -> None:
    api_key = await made(world, uses=0)
    view = await credentials(world, uses=0).show("shop")
    await credentials(world, uses=0).revoke("shop", view.credentials[-1].credential_id)
    assert await credentials(world, uses=1).find_api_key(api_key, "shop") is None


async def test_a_username_stays_one_shop_s_whatever_pepper_it_was_hashed_with(world: World) -> None:
    await credentials(world, uses=0).add_username("shop", "machine")
    for uses in range(3):
        with pytest.raises(CredentialExists):
            await credentials(world, uses=uses).add_username("other", "machine")
    assert await credentials(world, uses=2).find_username("machine") is not None


async def test_a_hash_that_is_renewed_while_it_is_looked_for_does_not_slip_by(world: World) -> None:
    """Older hashes are asked for first, so that one which moves on is met at the later place."""
    api_key = await made(world, uses=0)
    process = credentials(world, uses=1)
    other = credentials(world, uses=1)
    lookups = Lookups(storage=world.storage, vault=process._vault)
    asked: list[bytes] = []

    async def query(lookup: bytes) -> object | None:
        if not asked:
            asked.append(lookup)
            found = await world.storage.query(FindIdentity(lookup=lookup))
            assert found is not None, "the oldest comes first"
            assert await other.find_api_key(api_key) is not None, "somebody else renews it just now"
            return None  # as a reader would see it who came a moment later
        return await world.storage.query(FindIdentity(lookup=lookup))

    assert await lookups.find("api-key", api_key, query) is not None
