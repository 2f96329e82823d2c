"""Kill -9 at random moments loses nothing that was acknowledged and doubles nothing; and the check can fail."""

import random
from pathlib import Path

import pytest
from killing import FORGETFUL, make_world, run_and_kill, violations


async def killed(folder: Path, *, kills: int, seed: int) -> tuple[list[str], int, int]:
    world = await make_world(folder)
    rng = random.Random(seed)
    print(f"kills {kills}, seed {seed}")
    for number in range(kills):
        await run_and_kill(world, name=f"k{number}", rng=rng)
        if number % 20 == 19:
            found = await violations(world)
            print(f"  {number + 1} kills, {len(world.ledger.orders)} orders, {len(world.ledger.files)} files: {found}")
            assert found == [], f"after {number + 1} kills, seed {seed}"
    return await violations(world), len(world.ledger.orders), len(world.ledger.files)


async def test_a_few_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    found, orders, files = await killed(tmp_path / "depot", kills=3, seed=1)
    assert found == []
    assert orders > 0
    assert files > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_many_kills_lose_nothing_and_double_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    found, orders, files = await killed(tmp_path / "depot", kills=kills, seed=seed)
    print(f"{kills} kills, {orders} orders, {files} update files: {found or 'nothing lost, nothing doubled'}")
    assert found == []


async def test_the_check_goes_red_when_commit_does_nothing(tmp_path: Path) -> None:
    world = await make_world(tmp_path / "depot", code=FORGETFUL)
    await run_and_kill(world, name="forgetful", rng=random.Random(2), collect=False)
    assert world.ledger.orders, "it acknowledged orders"
    found = await violations(world)
    assert any("is another one now" in violation for violation in found)
