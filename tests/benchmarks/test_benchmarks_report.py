import io
import json

import pytest
from rich.console import Console

from benchmarks.report import Figure, Machine, Record, Refused, Table, figure_of, print_record, this_machine

RECORD = Record(
    name="engine",
    machine=Machine(cpu="a processor", cores=2, kernel="6.1", python="3.11.7"),
    versions={"wrk": "4.1.0", "ours": "opendepot 0.1.0"},
    runs=[{"contestant": "ours", "round": 1, "rps": 100.0}, {"contestant": "ours", "round": 2, "rps": 104.0}],
    figures={"rps": figure_of([100.0, 104.0])},
    tables=[Table(title="Contestants", columns=("contestant", "requests/s"), rows=(("ours", "102"),))],
    warnings=["a busy machine"],
    details={"refusals": {"ours": {"DTD": True}}},
)


def test_a_figure_is_the_median_with_the_lowest_and_the_highest() -> None:
    assert figure_of([5.0, 1.0, 100.0]) == Figure(median=5.0, lowest=1.0, highest=100.0)
    assert figure_of([1.0, 4.0]).median == 2.5


def test_no_figure_is_made_of_nothing() -> None:
    with pytest.raises(Refused):
        figure_of([])


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (figure_of([24612.4, 21000.0, 25000.0]), "24,612 (21,000..25,000)"),
        (figure_of([0.5234, 0.4911, 0.5511]), "0.523 (0.491..0.551)"),
        (figure_of([35.44]), "35.4 (35.4..35.4)"),
    ],
)
def test_a_figure_is_written_with_three_digits_or_in_full(figure: Figure, text: str) -> None:
    assert str(figure) == text


def test_the_json_has_machine_versions_every_run_and_flat_figures() -> None:
    content = json.loads(RECORD.as_json())
    assert content == {
        "name": "engine",
        "machine": {"cpu": "a processor", "cores": 2, "kernel": "6.1", "python": "3.11.7"},
        "versions": {"wrk": "4.1.0", "ours": "opendepot 0.1.0"},
        "runs": [{"contestant": "ours", "round": 1, "rps": 100.0}, {"contestant": "ours", "round": 2, "rps": 104.0}],
        "figures": {"rps": 102.0},
        "spread": {"rps": [100.0, 104.0]},
        "warnings": ["a busy machine"],
        "refusals": {"ours": {"DTD": True}},
    }


def test_what_is_printed_has_tables_figures_and_warnings() -> None:
    printed = io.StringIO()
    print_record(RECORD, Console(file=printed, width=120))
    for part in ("a processor, 2 cores", "wrk 4.1.0", "Contestants", "102 (100..104)", "warning: a busy machine"):
        assert part in printed.getvalue()


def test_this_machine_has_a_processor_and_cores() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1
