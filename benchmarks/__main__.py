"""The command line: `python -m benchmarks NAME`."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import access, attack, cycle, depot, engine, growth, orders, ozomm, slow, stages, stream, workers
from benchmarks.report import Options, Record, Refused, print_record

WIDTH = 160

BENCHMARKS: Mapping[str, Callable[[Options], Record]] = {
    "access": access.run,
    "attack": attack.run,
    "cycle": cycle.run,
    "depot": depot.run,
    "engine": engine.run,
    "growth": growth.run,
    "orders": orders.run,
    "ozomm": ozomm.run,
    "slow": slow.run,
    "stages": stages.run,
    "stream": stream.run,
    "workers": workers.run,
}
"""Every benchmark by its name; the first line of its docstring is its help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark that the command line names.

    Gives 0, or 1 when nothing honest can be reported; the reason is then on standard error.
    """
    chosen = _parser().parse_args(arguments)
    # Leaves through the blocks that end the servers, as Ctrl+C does.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
    options = Options(
        rounds=chosen.rounds,
        seconds=chosen.seconds,
        warm_up_seconds=chosen.warm_up,
        connections=chosen.connections,
        only=tuple(name for name in chosen.only.split(",") if name),
        tolerate_others=chosen.tolerate_others,
        orders=chosen.orders,
        mebibytes=chosen.mebibytes,
    )
    try:
        record = BENCHMARKS[chosen.name](options)
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 1
    console = Console(highlight=False)
    # Without a terminal rich takes 80 columns, which breaks numbers in two.
    print_record(record, console if console.is_terminal else Console(highlight=False, width=WIDTH))
    if chosen.json is not None:
        chosen.json.write_text(record.as_json(), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults = Options()
    firsts = {name: (run.__doc__ or "").partition("\n")[0] for name, run in BENCHMARKS.items()}
    listed = "\n".join(f"  {name}: {first}" for name, first in firsts.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the server or its parts, beside peers where there are any.",
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", choices=sorted(BENCHMARKS), help="which benchmark, see below")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write machine, versions, runs and figures there")
    parser.add_argument("--rounds", type=_positive, default=defaults.rounds, help="rounds (default %(default)s)")
    parser.add_argument(
        "--seconds", type=_positive, default=defaults.seconds, help="length of one measurement (default %(default)s)"
    )
    parser.add_argument(
        "--warm-up",
        metavar="SECONDS",
        type=_positive,
        default=defaults.warm_up_seconds,
        help="load before each measurement (default %(default)s)",
    )
    parser.add_argument(
        "--connections", type=_positive, default=defaults.connections, help="kept alive (default %(default)s)"
    )
    parser.add_argument("--only", metavar="NAME,NAME", default="", help="these contestants alone (default all)")
    parser.add_argument("--orders", type=int, help="how many orders the large database of growth holds")
    parser.add_argument("--mebibytes", type=_positive, help="how large the answer of stream is (default 256)")
    parser.add_argument(
        "--tolerate-others",
        action="store_true",
        help="report, with warnings, although something else kept the servers from their core",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 3600")
    return number


if __name__ == "__main__":
    sys.exit(main())
