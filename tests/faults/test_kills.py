"""Kill -9 at random moments loses nothing that was acknowledged and doubles nothing; and the check can fail."""

import random
from pathlib import Path

import pytest
from checking import Ledger
from killing import FORGETFUL, Kills, run_and_kill, violations
from worlds import make_world

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]


async def test_a_few_kills_lose_and_double_nothing_even_when_the_run_is_interrupted(tmp_path: Path) -> None:
    first = await Kills.in_folder(tmp_path / "depot", seed=1)
    assert await first.to(2) == []
    first.world.ledger.close()
    with (tmp_path / "depot" / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"asked": "half a li')
    second = await Kills.in_folder(tmp_path / "depot", seed=1)
    assert second.progress.kills == 2
    assert second.world.ledger.orders == first.world.ledger.orders
    assert second.world.ledger.files == first.world.ledger.files
    assert await second.to(3) == []
    assert second.world.ledger.orders
    assert second.world.ledger.files
    assert len(second.world.ledger.asked) > len(first.world.ledger.asked)


@pytest.mark.long
@pytest.mark.timeout(0)
async def test_many_kills_lose_nothing_and_double_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    folder = pytestconfig.getoption("--state") or tmp_path
    run = await Kills.in_folder(Path(folder) / f"sqlite-kills-{seed}", seed=seed)
    print(f"kills {kills}, seed {seed}, of which done before: {run.progress.kills}")
    found = await run.to(kills)
    ledger = run.world.ledger
    print(f"{kills} kills, {len(ledger.orders)} orders, {len(ledger.files)} update files: {found or 'none lost'}")
    assert found == []


async def test_the_check_goes_red_when_commit_does_nothing(tmp_path: Path) -> None:
    world = await make_world(tmp_path / "depot")
    await run_and_kill(world, name="forgetful", rng=random.Random(2), collect=False, code=FORGETFUL)
    assert world.ledger.orders, "it acknowledged orders"
    found = await violations(world)
    assert any("is another one now" in violation for violation in found)


def test_a_ledger_that_hears_two_answers_to_one_order_says_so(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.acknowledged("T", {"ticket": "one"})
    ledger.acknowledged("T", {"ticket": "one"})
    assert ledger.contradictions == []
    ledger.acknowledged("T", {"ticket": "two"})
    ledger.close()
    assert Ledger(tmp_path / "ledger.jsonl").contradictions == ["order T was acknowledged twice, differently"]
