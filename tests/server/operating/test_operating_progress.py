"""The progress bar shows what is done where somebody looks, and stays away where nobody does."""

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from installations import Installed

from server.cli.progress import progress_bar
from storage.maintenance.exporting import export


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for stream, shown, drawn in ((Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)):
        monkeypatch.setattr("sys.stderr", stream)
        with progress_bar(shown=shown) as progress:
            assert (progress is not None) is drawn
            if progress is not None:
                progress("orders", 3, 10)
        assert ("orders" in stream.getvalue()) is drawn


def test_progress_rises_to_the_whole(originals: Callable[[str], Installed], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    depot = originals("sqlite")
    manifest = asyncio.run(
        export(
            depot.settings.database,
            tmp_path / "export",
            version="1",
            now=datetime.now(UTC),
            progress=lambda _what, done, total: told.append((done, total)),
        )
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (manifest.rows, manifest.rows)
