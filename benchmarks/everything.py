"""All benchmarks, one after the other: `python -m benchmarks.everything`, or `make bench`.

Each runs in a process of its own and leaves `NAME.json` in the folder of results; what it said is in `NAME.log`. Out of
all that is there a table (`results.md`), plots (`NAME.png`) and a page with both (`results.html`) are made. What was
measured with the same options since the last commit is kept, so that a series which was interrupted goes on.
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.__main__ import BENCHMARKS
from benchmarks.folders import ROOT
from benchmarks.results import Measured, write_results

RESULTS = ROOT / "benchmarks" / "results"
"""Git ignores it."""
LIMIT_SECONDS = 4 * 3600.0
REFUSED = 1
"""The exit of a benchmark that has nothing honest to report."""

Run = Callable[[Sequence[str], Path], int]
"""Runs a command, its output going to a file as well as to where ours goes, and gives its exit."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a series is to do. `options` go to each benchmark as they are; `committed` is when what is measured was."""

    names: Sequence[str]
    options: Sequence[str]
    folder: Path
    anew: bool
    committed: float | None


def series(asked: Asked, run: Run) -> list[Measured]:
    """Run what is not there yet, and give what became of each benchmark."""
    asked.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for place, name in enumerate(asked.names, 1):
        if not asked.anew and _is_kept(asked, name):
            print(f"{place}/{len(asked.names)} {name}: kept, measured since the last commit; --anew repeats it")
            found.append(_read(asked.folder, name, "kept"))
            continue
        print(f"{place}/{len(asked.names)} {name}", flush=True)
        found.append(_measured(asked, name, run))
    return found


def _measured(asked: Asked, name: str, run: Run) -> Measured:
    file, options = asked.folder / f"{name}.json", asked.folder / f"{name}.options"
    # What an earlier commit measured must not stand for what this one could not.
    for old in (file, options):
        old.unlink(missing_ok=True)
    log = asked.folder / f"{name}.log"
    code = run([sys.executable, "-m", "benchmarks", name, "--json", str(file), *asked.options], log)
    if code == 0 and file.exists():
        options.write_text(json.dumps(list(asked.options)), encoding="utf-8")
        return _read(asked.folder, name, "measured")
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    told = next((line for line in reversed(last) if line.startswith("refused: ")), last[-1] if last else "")
    if code == REFUSED and told.startswith("refused: "):
        return Measured(name=name, outcome="refused", reason=told.removeprefix("refused: "))
    return Measured(name=name, outcome="failed", reason=f"exit {code}: {told}" if told else f"exit {code}")


def _is_kept(asked: Asked, name: str) -> bool:
    file, options = asked.folder / f"{name}.json", asked.folder / f"{name}.options"
    if asked.committed is None or not file.exists() or not options.exists():
        return False
    return file.stat().st_mtime > asked.committed and json.loads(options.read_bytes()) == list(asked.options)


def _read(folder: Path, name: str, outcome: str) -> Measured:
    file = folder / f"{name}.json"
    record: dict[str, Any] = json.loads(file.read_bytes())
    return Measured(name=name, outcome=outcome, record=record, ended=file.stat().st_mtime)


def run_and_tell(command: Sequence[str], log: Path, *, limit_seconds: float = LIMIT_SECONDS) -> int:
    """Run a command to its end, its output to ours and into a file; a limit of time ends one that hangs."""
    with (
        log.open("wb") as file,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        # A benchmark ends its own servers when it is told to end.
        limit = threading.Timer(limit_seconds, process.terminate)
        limit.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
            return process.wait()
        finally:
            limit.cancel()
            process.terminate()


def committed_at() -> float | None:
    """When the commit that is checked out was made, in seconds; None where git does not say."""
    try:
        told = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, check=True, encoding="ascii"
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return float(told.stdout) if told.stdout.strip() else None


def main(arguments: Sequence[str] | None = None, *, run: Run = run_and_tell) -> int:
    """Run the series; gives 0, or 1 when a benchmark was refused or failed."""
    parser = _parser()
    chosen, options = parser.parse_known_args(arguments)
    names = _names(chosen.only) or list(BENCHMARKS)
    left_out = _names(chosen.without)
    unknown = sorted({*names, *left_out} - set(BENCHMARKS))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
    asked = Asked(
        names=[name for name in names if name not in left_out],
        options=options,
        folder=chosen.folder,
        anew=chosen.anew,
        committed=committed_at(),
    )
    found = series(asked, run)
    written = write_results(found, asked.folder)
    print(f"results: {', '.join(map(str, written))}")
    bad = [one for one in found if one.record is None]
    for one in bad:
        print(f"{one.outcome}: {one.name}: {one.reason}", file=sys.stderr)
    return 1 if bad else 0


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.everything",
        description="Run all benchmarks, one after the other, and write a table, plots and a page of what they found.",
        epilog="Every other option goes to each benchmark: --rounds, --seconds, --tolerate-others and so on "
        "(python -m benchmarks --help).",
        allow_abbrev=False,
    )
    parser.add_argument("--only", metavar="NAME,NAME", default="", help="these benchmarks alone (default all)")
    parser.add_argument("--without", metavar="NAME,NAME", default="", help="all but these")
    parser.add_argument("--anew", action="store_true", help="repeat what was measured since the last commit")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where results go (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
