"""A soak: whole cycles at a moderate rate through `opendepot serve`, and what memory and descriptors do meanwhile."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.folders import ROOT
from benchmarks.processes import SERVER_CORE, free_port, serving
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core
from server.settings import load_settings

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("machine")]

SERVE = "from server.cli.main import main; main()"
RATE = 20
WARM_UP_SECONDS = 120
MOST_MIB_A_MINUTE = 1.0
MOST_DESCRIPTORS = 3
"""What timers and housekeeping may hold at the end and not at the beginning."""


async def _stocked(folder: Path) -> str:
    async with opened_core(load_settings(folder / CONFIG)) as core:
        await core.catalogue.add_item(item_number="EDITOR", firm_code=6_000_010, product_code=100)
        return (await core.catalogue.add_shop("load"))[1]


def test_memory_is_flat_after_the_warm_up_and_no_descriptor_is_left_open(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    minutes = pytestconfig.getoption("soak_minutes")
    folder, key, figures = tmp_path / "depot", tmp_path / "key", tmp_path / "soak.json"
    initialise(folder)
    key.write_text(asyncio.run(_stocked(folder)))
    port, admin_port = free_port(), free_port()
    server = ["serve", "--config", str(folder / CONFIG), "--port", str(port), "--admin-port", str(admin_port)]
    load = ["bench", f"http://127.0.0.1:{port}", "--scenario", "cycle", "--rate", str(RATE), "--processes", "1"]
    load += ["--soak", str(minutes), "--warm-up", str(WARM_UP_SECONDS), "--json", str(figures)]
    load += ["--api-key-file", str(key), "--trust", str(folder / VENDOR_CERTIFICATE)]
    load += ["--metrics", f"http://127.0.0.1:{admin_port}/metrics"]
    with serving([sys.executable, "-c", SERVE, *server], port=port, core=SERVER_CORE, directory=ROOT):
        done = subprocess.run(
            [sys.executable, "-c", SERVE, *load], capture_output=True, encoding="utf-8", check=False, cwd=ROOT
        )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    found = json.loads(figures.read_bytes())
    (level,) = found["levels"]
    assert (level["failures"], level["unanswered"]) == ({}, 0)
    assert found["resources"]["memory_mib_per_minute"] < MOST_MIB_A_MINUTE
    assert found["resources"]["descriptors_per_minute"] * minutes < MOST_DESCRIPTORS
