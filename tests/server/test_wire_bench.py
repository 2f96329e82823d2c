"""`opendepot bench` against a server on the wire: scenarios, reports, and what is wrong told."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from wire import Server

from server.cli.initialise import VENDOR_CERTIFICATE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]

MAIN = "from server.cli.main import main; main()"
SHORT = ("--rate", "20", "--seconds", "1", "--warm-up", "0.2", "--processes", "1")


async def bench(server: Server, *words: str, key: str | None = None) -> tuple[int, str]:
    file = server.folder / "key-of-the-shop"
    file.write_text(f"{key or server.api_key}\n")
    trust = server.folder / VENDOR_CERTIFICATE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MAIN, "bench", server.url, "--api-key-file", str(file), "--trust", str(trust), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize(("scenario", "operation"), [("order", "CreateOrder"), ("cycle", "ConfirmLicenseUpdate")])
async def test_what_is_due_is_carried_out_and_reported(
    server: Server, tmp_path: Path, scenario: str, operation: str
) -> None:
    figures, page = tmp_path / "bench.json", tmp_path / "bench.html"
    where = ("--json", str(figures), "--html", str(page), "--metrics", f"{server.up.admin_url}/metrics")
    code, output = await bench(server, "--scenario", scenario, *SHORT, "--seconds", "2", *where)
    assert code == 0, output
    found = json.loads(figures.read_bytes())
    (level,) = found["levels"]
    assert (level["achieved"], level["failures"], level["unanswered"]) == (20, {}, 0)
    assert level["ms"]["p50"] <= level["ms"]["p99"] <= level["ms"]["p100"]
    assert found["resources"] is None or found["resources"]["last_memory_mib"] > 1
    done = [e for e in server.events() if e["event"] == "exchange" and e["operation"] == operation]
    assert [e["outcome"] for e in done] == ["ok"] * 44
    assert "<svg" in page.read_text()
    assert server.api_key not in output + page.read_text() + figures.read_text()


async def test_tickets_are_ordered_ahead_and_a_run_stands_beside_the_one_before(server: Server, tmp_path: Path) -> None:
    first, page = tmp_path / "first.json", tmp_path / "second.html"
    code, output = await bench(server, "--scenario", "collect", *SHORT, "--json", str(first))
    assert code == 0, output
    code, output = await bench(server, "--scenario", "collect", *SHORT, "--compare", str(first), "--html", str(page))
    assert code == 0, output
    assert "p99 ms at 20/s:" in output
    assert "Beside the run before" in page.read_text()


async def test_what_a_server_refuses_beforehand_ends_the_run_and_is_told(server: Server) -> None:
    code, output = await bench(server, "--item", "NO-SUCH-ITEM", *SHORT)
    assert code == 1
    assert "no such item" in output
    code, output = await bench(server, *SHORT, key="od_wrong")
    assert code == 1
    assert "API key" in output


async def test_what_is_missing_is_named_with_the_way_out(server: Server, tmp_path: Path) -> None:
    code, output = await bench(server, "--compare", str(tmp_path / "none.json"), *SHORT)
    assert (code, "cannot read" in output) == (1, True)
    (tmp_path / "other.json").write_text("{}")
    code, output = await bench(server, "--compare", str(tmp_path / "other.json"), *SHORT)
    assert (code, "--json" in output) == (1, True)
