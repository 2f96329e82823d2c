"""The audit chain where transactions commit in another order than that of their rows' ids."""

import random

import asyncpg

from licensing.audit import Sealer, SealingKey, verify_audit
from storage.audit import WalkAudit


async def test_rows_of_transactions_that_commit_after_later_ones_were_sealed_are_not_left_out(stocked, make, place):
    key = SealingKey(bytes(32))
    sealer = Sealer(storage=stocked, key=key, clock=lambda: make.now, random=random.Random(1).randbytes, owner="one")
    slow = await asyncpg.connect(place.location)
    try:
        async with slow.transaction():
            await slow.execute(
                "INSERT INTO audit (at, actor, action, subject, details) VALUES (1, 'a', 'A', 'slow', '{}')"
            )
            await stocked.execute(make.order())
            assert (await sealer.seal()).sealed == 5
        assert (await sealer.seal()).sealed == 1
    finally:
        await slow.close()
    links = await stocked.query(WalkAudit(after=0, limit=100))
    assert links[-1][0].audit_id < links[-2][0].audit_id
    assert links[-1][1].row.subject == "slow"
    found = await verify_audit(stocked, public_key=key.public_key)
    assert (found.whole, found.unsealed) == (True, 0)
