"""Processes that a benchmark starts: pinned to a core, observed in /proc, and always ended, by their own ids."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Refused

SERVER_CORE = 0
LOAD_CORE = 1
START_SECONDS = 30.0
STOP_SECONDS = 10.0

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Stat:
    """The fields of /proc/PID/stat that count here.

    `cpu_seconds` is with the children that have ended; `started` is when the process started, in clock ticks.
    """

    parent: int
    cpu_seconds: float
    started: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A process that has ended well: its standard output, its processor time and how long it ran, in seconds."""

    output: str
    cpu_seconds: float
    wall_seconds: float


def parse_stat(text: str) -> Stat:
    """Read /proc/PID/stat (proc(5)). The name of the process may hold spaces and brackets, so count from its end."""
    fields = text[text.rindex(")") + 2 :].split()
    used = sum(int(field) for field in fields[11:15]) / _TICKS
    return Stat(parent=int(fields[1]), cpu_seconds=used, started=int(fields[19]))


def stat_of(pid: int) -> Stat | None:
    """Read what the kernel says of a process; None when there is none."""
    try:
        return parse_stat((_PROC / str(pid) / "stat").read_text(encoding="utf-8"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pid: int) -> list[int]:
    """Give a process and all its living descendants."""
    stats = {int(entry.name): stat_of(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit()}
    found = [pid]
    for member in found:
        found.extend(child for child, stat in stats.items() if stat is not None and stat.parent == member)
    return found


def cpu_seconds(pid: int) -> float:
    """Give the processor time, user and system, that a process and its descendants have used."""
    return sum(stat.cpu_seconds for stat in map(stat_of, family(pid)) if stat is not None)


def rss_mib(pid: int) -> float:
    """Give the resident memory of a process and its descendants in MiB; a page that two share counts twice."""
    kibibytes = 0
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in (_PROC / str(member) / "status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmRSS:"):
                    kibibytes += int(line.split()[1])
    return kibibytes / 1024


def core_busy_seconds(core: int) -> float:
    """Give how long a core was not idle since the machine started, whoever used it (proc(5), /proc/stat)."""
    for line in (_PROC / "stat").read_text(encoding="utf-8").splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _waiting, hard, soft, stolen = (int(field) for field in fields[:8])
            return (user + nice + system + hard + soft + stolen) / _TICKS
    raise Refused(f"core {core} does not exist: server and load generator need a core each, so two at least")


def free_port() -> int:
    """Give a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def output_of(command: Sequence[str], *, directory: Path | None = None) -> str:
    """Run a command to its end and give what it wrote to both outputs. Raises Refused when it fails."""
    done = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    )
    if done.returncode:
        raise Refused(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def run_pinned(command: Sequence[str], *, core: int, limit_seconds: float) -> Finished:
    """Run a command on one core to its end and measure its processor time.

    Raises Refused when it fails or takes longer than `limit_seconds`.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, _started(command, core=core, output=output.fileno()) as process:
        # The kernel's own account, in microseconds: /proc counts in hundredths of a second.
        deadline = started + limit_seconds
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall_seconds = time.monotonic() - started
        if not ended:
            raise Refused(f"{command[0]} did not end within {limit_seconds:.0f} s")
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode:
        raise Refused(f"{' '.join(command)} failed with {process.returncode}:\n{text[-4000:]}")
    return Finished(output=text, cpu_seconds=usage.ru_utime + usage.ru_stime, wall_seconds=wall_seconds)


@contextmanager
def serving(
    command: Sequence[str], *, port: int, core: int, directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server on one core until the block ends and give its process id, once it accepts TCP connections on `port`.

    Raises Refused, with the end of what it wrote, when it ends or is not ready within 30 s.
    """
    with tempfile.TemporaryFile() as output:
        started = _started(command, core=core, output=output.fileno(), directory=directory, environment=environment)
        with started as process:
            try:
                _await_port(process, port)
            except Refused as refused:
                output.seek(0)
                text = output.read().decode(errors="replace")[-4000:]
                raise Refused(f"{' '.join(command)} {refused}:\n{text}") from None
            yield process.pid


@contextmanager
def _started(
    command: Sequence[str],
    *,
    core: int,
    output: int,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    taskset = shutil.which("taskset")
    if taskset is None:
        raise Refused("the command taskset is missing (Debian: apt-get install util-linux)")
    process = subprocess.Popen(
        # taskset becomes the command, so that the id is the command's, and pins it before its first thread.
        [taskset, "-c", str(core), *command],
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    children = {child: stat_of(child) for child in family(process.pid)[1:]}
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child, stat in children.items():
        now = stat_of(child)
        # The id of a child that has ended may be somebody else's by now.
        if stat is not None and now is not None and now.started == stat.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Refused(f"ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise Refused(f"did not listen on port {port} within {START_SECONDS:.0f} s")
