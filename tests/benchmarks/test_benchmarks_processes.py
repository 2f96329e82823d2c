import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import cpu_seconds, family, free_port, parse_stat, rss_mib, run_pinned, serving, stat_of
from benchmarks.report import Refused

pytestmark = pytest.mark.xdist_group("machine")

LISTEN = """
import socket, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


def test_the_statistics_are_read_behind_a_name_with_brackets_and_spaces() -> None:
    fields = "4242 (a (b) c) S 17 1 1 0 -1 4194560 1 2 3 4 150 50 20 30 20 0 5 0 987654 1 2"
    stat = parse_stat(fields)
    assert (stat.parent, stat.started) == (17, 987654)
    assert stat.cpu_seconds == pytest.approx(2.5)


def test_a_server_and_its_children_are_observed_and_ended_also_upon_failure() -> None:
    port = free_port()
    members: list[int] = []
    command = [sys.executable, "-S", "-c", LISTEN, str(port)]

    def fail() -> None:
        with serving(command, port=port, core=0, directory=Path("/")) as pid:
            members.extend(family(pid))
            assert rss_mib(pid) > 1
            assert cpu_seconds(pid) >= 0
            raise RuntimeError("the measurement failed")

    with pytest.raises(RuntimeError, match="the measurement failed"):
        fail()
    assert len(members) == 2
    deadline = time.monotonic() + 5
    while any(_runs(member) for member in members) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(_runs(member) for member in members)


def test_a_server_that_ends_before_it_listens_is_refused_with_what_it_said() -> None:
    command = [sys.executable, "-S", "-c", "import sys; sys.exit('no such database')"]
    with (
        pytest.raises(Refused, match="no such database"),
        serving(command, port=free_port(), core=0, directory=Path("/")),
    ):
        pass


def test_a_command_is_run_to_its_end_and_its_time_is_measured() -> None:
    finished = run_pinned(["sh", "-c", "echo done"], core=0, limit_seconds=10)
    assert finished.output == "done\n"
    assert 0 < finished.cpu_seconds < 1
    assert finished.wall_seconds > 0


def test_a_command_that_fails_is_refused() -> None:
    with pytest.raises(Refused, match="failed with 3"):
        run_pinned(["sh", "-c", "exit 3"], core=0, limit_seconds=10)


def test_a_command_that_does_not_end_is_ended() -> None:
    with pytest.raises(Refused, match="did not end"):
        run_pinned(["sleep", "60"], core=0, limit_seconds=0.05)


def _runs(pid: int) -> bool:
    """Whether a process is there; one that has ended and waits for whoever inherited it does not run."""
    return stat_of(pid) is not None and Path(f"/proc/{pid}/cmdline").read_bytes() != b""
