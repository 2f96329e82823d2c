import json
import signal
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import engine
from benchmarks.report import Machine, Options, Record, Refused, figure_of


@pytest.fixture(autouse=True)
def _signals_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def test_the_record_is_written_as_json_and_options_arrive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def run(options: Options) -> Record:
        seen.append(options)
        machine = Machine(cpu="a processor", cores=2, kernel="6.1", python="3.11.7")
        return Record(name="engine", machine=machine, versions={}, runs=[], figures={"rps": figure_of([5.0])})

    monkeypatch.setattr(command, "BENCHMARKS", {"engine": run})
    file = tmp_path / "engine.json"
    assert command.main(["engine", "--json", str(file), "--rounds", "2", "--seconds", "1", "--only", "ours,gsoap"]) == 0
    assert seen == [Options(rounds=2, seconds=1, only=("ours", "gsoap"))]
    assert json.loads(file.read_text())["figures"] == {"rps": 5.0}
    assert "a processor" in capsys.readouterr().out


def test_a_refusal_is_exit_1_with_its_reason_and_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(options: Options) -> Record:
        raise Refused("the load generator was the limit")

    monkeypatch.setattr(command, "BENCHMARKS", {"engine": run})
    assert command.main(["engine", "--json", str(tmp_path / "engine.json")]) == 1
    assert "the load generator was the limit" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [["nothing"], ["engine", "--rounds", "0"], ["engine", "--seconds", "x"], []])
def test_a_wrong_command_line_is_exit_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(wrong)
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_contestants_that_do_not_exist_and_too_many_connections_are_refused() -> None:
    with pytest.raises(Refused, match="no such contestant: axis"):
        engine.run(Options(only=("axis",)))
    with pytest.raises(Refused, match="65 connections"):
        engine.run(Options(connections=65))
