"""PostgreSQL's own client programs: found on this machine, run, their refusals told without values of rows."""

import asyncio
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from storage.maintenance.errors import MaintenanceError

PROGRAMS = ("pg_dump", "pg_restore", "psql")
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_MAJOR = re.compile(r"\(PostgreSQL\) (\d+)")
_REFUSAL = re.compile(r"^(?:pg_dump|pg_restore|psql).*?: (?:error|ERROR|fatal|FATAL): .*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The folder of a set of client programs of one version."""

    folder: Path
    major: int

    def command(self, program: str, *arguments: str) -> list[str]:
        """A command line."""
        return [str(self.folder / program), *arguments]


def find_tools(server_major: int, *, path: str | None = None) -> Tools:
    """The newest client programs here that fit the server's version. Raises MaintenanceError without any."""
    on_path = shutil.which("pg_dump", path=path)
    folders = [Path(on_path).resolve().parent] if on_path else []
    if path is None:
        folders += [folder for pattern in FOLDERS for folder in Path("/").glob(pattern.lstrip("/"))]
    found = [_tools(folder) for folder in folders if all((folder / program).exists() for program in PROGRAMS)]
    fitting = [tools for tools in found if tools is not None and tools.major >= server_major]
    if not fitting:
        raise MaintenanceError(
            f"pg_dump, pg_restore and psql of PostgreSQL {server_major} or later are needed, and not found; install "
            f"them (Debian: apt-get install postgresql-client-{server_major}) or put their folder on PATH"
        )
    return max(fitting, key=lambda tools: tools.major)


def _tools(folder: Path) -> Tools | None:
    said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - a program of PostgreSQL
    major = _MAJOR.search(said)
    return None if major is None else Tools(folder=folder, major=int(major[1]))


async def run_tool(command: list[str]) -> bytes:
    """Run a program; what it said. Raises MaintenanceError where it fails."""
    process = await _started(command)
    output, error = await process.communicate()
    _refuse_failure(command, process.returncode, error)
    return output


async def run_script(command: list[str], *, before: str, source: list[str], after: str) -> None:
    """Run psql with a script on its standard input: what comes before, what a program says, what comes after.

    `before` begins a transaction and `after` commits it, so that nothing is written when the program fails, or when
    this process is killed: psql's input ends then too, and psql must not take that for the end of the work. Raises
    MaintenanceError where one of them fails.
    """
    psql = await _started(command, stdin=asyncio.subprocess.PIPE)
    program = await _started(source)
    assert psql.stdin is not None  # noqa: S101  tells the type checker
    assert psql.stdout is not None  # noqa: S101  as above
    assert psql.stderr is not None  # noqa: S101  as above
    assert program.stderr is not None  # noqa: S101  as above
    errors = asyncio.gather(psql.stderr.read(), program.stderr.read(), psql.stdout.read())
    try:
        psql.stdin.write(before.encode())
        await _pour(program, psql)
        if await program.wait() == 0:
            psql.stdin.write(after.encode())
            await psql.stdin.drain()
            psql.stdin.close()
        else:
            psql.kill()
    except (BrokenPipeError, ConnectionResetError):
        pass  # psql has ended, and says why
    finally:
        if program.returncode is None:
            program.kill()
        psql_error, program_error, _ = await errors
        await asyncio.gather(psql.wait(), program.wait())
    if psql.returncode != -signal.SIGKILL:
        _refuse_failure(command, psql.returncode, psql_error)
    _refuse_failure(source, program.returncode, program_error)


async def _started(command: list[str], *, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=pipe, stderr=pipe)


async def _pour(source: asyncio.subprocess.Process, target: asyncio.subprocess.Process) -> None:
    assert source.stdout is not None  # noqa: S101  tells the type checker
    assert target.stdin is not None  # noqa: S101  as above
    while piece := await source.stdout.read(1 << 16):
        target.stdin.write(piece)
        await target.stdin.drain()


def _refuse_failure(command: list[str], code: int | None, error: bytes) -> None:
    if code:
        # The first line names what was refused; what follows may hold values of rows.
        refusal = _REFUSAL.search(error.decode(errors="replace"))
        said = refusal[0] if refusal else f"{Path(command[0]).name} ended with {code}"
        raise MaintenanceError(f"PostgreSQL's program refused: {said}")
