"""`make bench`: what runs and what is kept, what became of each, and the table, the plots and the page of it."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks import everything
from benchmarks.__main__ import BENCHMARKS
from benchmarks.everything import Asked, main, run_and_tell, series
from benchmarks.results import Measured, rows_of, unit_of, write_results

COMMITTED = 1_700_000_000.0
RECORD = {
    "name": "stages",
    "machine": {"cpu": "a | processor", "cores": 2, "kernel": "6.1", "python": "3.11.2"},
    "versions": {"lxml": "6.1"},
    "runs": [{"round": 1}, {"round": 2}],
    "figures": {"ratio_raw": 2.5, "cpu_us": 1234.5, "descriptors_left": 0},
    "spread": {"ratio_raw": [2.0, 3.0], "cpu_us": [1200.0, 1300.0], "descriptors_left": [0, 0]},
    "warnings": ["others used <much>"],
}


class Runs:
    """Runs what is canned in place of a benchmark, and keeps what was asked for."""

    def __init__(self, does: dict[str, Callable[[Path, Path], int]] | None = None) -> None:
        self.names: list[str] = []
        self.options: list[str] = []
        self._does = does or {}

    def __call__(self, command: Sequence[str], log: Path) -> int:
        python, flag, module, name, option, file, *self.options = command
        assert (python, flag, module, option) == (sys.executable, "-m", "benchmarks", "--json")
        self.names.append(name)
        return self._does.get(name, measured)(Path(file), log)


def measured(file: Path, log: Path) -> int:
    log.write_text("round 1/1\n")
    file.write_text(json.dumps(RECORD))
    return 0


def refused(file: Path, log: Path) -> int:
    log.write_text("round 1/2\nrefused: something else used the core\n")
    return 1


def crashed(file: Path, log: Path) -> int:
    log.write_text("Traceback\nZeroDivisionError: division by zero\n")
    return 1


def asked(folder: Path, *names: str, anew: bool = False, options: Sequence[str] = (), at: float = COMMITTED) -> Asked:
    return Asked(names=names, options=options, folder=folder, anew=anew, committed=at)


def test_what_was_measured_since_the_commit_with_the_same_options_is_kept(tmp_path: Path) -> None:
    first, second, other, later, again = (Runs() for _ in range(5))
    assert [one.outcome for one in series(asked(tmp_path, "cycle", "depot"), first)] == ["measured", "measured"]
    assert [one.outcome for one in series(asked(tmp_path, "cycle", "stages"), second)] == ["kept", "measured"]
    assert second.names == ["stages"]
    series(asked(tmp_path, "cycle", options=["--rounds", "2"]), other)
    assert (other.names, other.options) == (["cycle"], ["--rounds", "2"])
    os.utime(tmp_path / "depot.json", (COMMITTED - 1, COMMITTED - 1))
    series(asked(tmp_path, "depot", "stages"), later)
    assert later.names == ["depot"]
    series(asked(tmp_path, "depot", anew=True), again)
    assert again.names == ["depot"]


def test_without_a_commit_everything_is_measured(tmp_path: Path) -> None:
    runs = Runs()
    for _ in range(2):
        series(Asked(names=["cycle"], options=[], folder=tmp_path, anew=False, committed=None), runs)
    assert runs.names == ["cycle", "cycle"]


def test_a_refusal_and_a_failure_are_told_apart_and_leave_no_figures_of_before(tmp_path: Path) -> None:
    series(asked(tmp_path, "cycle", "depot"), Runs())
    found = series(asked(tmp_path, "cycle", "depot", anew=True), Runs({"cycle": refused, "depot": crashed}))
    assert [(one.outcome, one.reason) for one in found] == [
        ("refused", "something else used the core"),
        ("failed", "exit 1: ZeroDivisionError: division by zero"),
    ]
    assert not list(tmp_path.glob("*.json"))
    kept = series(asked(tmp_path, "depot"), runs := Runs())
    assert (runs.names, kept[0].outcome) == (["depot"], "measured"), "what failed is tried again"


def test_the_exit_tells_whether_all_have_figures_and_the_end_says_which_have_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(everything.signal, "signal", lambda *_: None)
    words = ["--only", "cycle,depot,stages", "--without", "stages", "--folder", str(tmp_path), "--seconds", "1"]
    runs = Runs({"cycle": refused})
    assert main(words, run=runs) == 1
    assert (runs.names, runs.options) == (["cycle", "depot"], ["--seconds", "1"])
    assert "refused: cycle: something else used the core" in capsys.readouterr().err
    assert main([*words, "--anew"], run=Runs()) == 0
    all_of_them = Runs(dict.fromkeys(BENCHMARKS, refused))
    assert main(["--folder", str(tmp_path / "all")], run=all_of_them) == 1
    assert all_of_them.names == list(BENCHMARKS)


def test_a_benchmark_that_there_is_not_is_exit_2_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--without", "cycles"], run=Runs())
    assert left.value.code == 2
    assert "no such benchmark: cycles; there are access, attack, cycle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("figure", "unit"),
    [
        ("ratio_depot_p50_while_waiting", "ratio"),
        ("sqlite_p99_ms_order", "milliseconds"),
        ("postgres_cpu_us_collect", "microseconds"),
        ("sqlite_cycles_per_second", "a second"),
        ("mib_per_s", "MiB a second"),
        ("growth_mib", "MiB"),
        ("descriptors_left", ""),
    ],
)
def test_the_unit_of_a_figure_is_in_its_name(figure: str, unit: str) -> None:
    assert unit_of(figure) == unit


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data.strip())


def test_table_plot_and_page_tell_every_figure_with_its_spread_versions_and_what_has_none(tmp_path: Path) -> None:
    good = Measured(name="stages", outcome="measured", record=RECORD, ended=COMMITTED)
    bad = Measured(name="cycle", outcome="refused", reason="something else\nused the core")
    files = write_results([good, bad], tmp_path)
    assert [file.name for file in files] == ["results.md", "results.html", "stages.png"]
    table = (tmp_path / "results.md").read_text()
    assert "- cycle refused: something else used the core" in table
    assert "| stages | cpu_us | 1,234 | 1,200 | 1,300 | microseconds |" in table
    assert "| stages | 2023-11-14 22:13 | 2 | a \\| processor, 2 cores, kernel 6.1, Python 3.11.2 | lxml 6.1 |" in table
    assert (tmp_path / "stages.png").read_bytes().startswith(b"\x89PNG")
    page = _Cells()
    page.feed((tmp_path / "results.html").read_text())
    assert {"cycle", "ratio_raw", "2.5", "1,300", "warnings: others used <much>"} <= {*page.found}
    assert "data:image/png;base64," in (tmp_path / "results.html").read_text()
    assert len(rows_of(good)) == 3


def test_a_command_that_takes_too_long_is_ended_and_what_it_said_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import time; print('there', flush=True); time.sleep(60)"]
    assert run_and_tell(command, log, limit_seconds=1.0) != 0
    assert "there" in log.read_text() or not log.read_text()


@pytest.mark.long
@pytest.mark.xdist_group("machine")
def test_a_real_benchmark_leaves_its_json_its_table_and_its_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(everything.signal, "signal", lambda *_: None)
    words = ["--only", "stages", "--folder", str(tmp_path), "--rounds", "1", "--seconds", "1", "--tolerate-others"]
    assert main(words) == 0
    assert json.loads((tmp_path / "stages.json").read_bytes())["figures"]
    assert {"stages.log", "stages.png", "results.md", "results.html"} <= {file.name for file in tmp_path.iterdir()}
    assert "| stages | " in (tmp_path / "results.md").read_text()
