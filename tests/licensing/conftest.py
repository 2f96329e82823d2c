"""The rules over a real SQLite file, with what a server remembers in front of it."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rules import FIRM, OTHER_FIRM, World

from containers import SoftwareBox
from licensing.vault import Vault
from storage import open_storage
from storage.commands import InitialiseServer
from storage.remembering import RememberingStorage


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    rng = random.Random(0)
    storage = RememberingStorage(await open_storage(tmp_path / "depot.db"), monotonic=lambda: 0.0)
    vault = Vault(pepper=rng.randbytes(32), sealing_key=rng.randbytes(32), random=rng.randbytes)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = World(folder=tmp_path, storage=storage, vault=vault, box=SoftwareBox.create(now=start, random=rng.randbytes))
    epoch = int(start.timestamp() * 1000)
    await storage.execute(InitialiseServer(epoch=epoch, key_fingerprint=vault.fingerprint(), at=start))
    for number, firm in (("A", FIRM), ("B", FIRM), ("O", OTHER_FIRM)):
        await made.catalogue().add_item(item_number=number, firm_code=firm, product_code=1)
    for name in ("shop", "other"):
        made.shops[name], _ = await made.catalogue().add_shop(name)
    yield made
    await storage.close()
