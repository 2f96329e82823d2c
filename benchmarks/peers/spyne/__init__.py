"""Spyne, in Python: the server library for SOAP that Python projects use, with full validation by lxml.

Served by uWSGI over its HTTP/1.1 socket, the one way in which uWSGI keeps connections alive without a process in
between; a connection holds a thread. With --http-socket, which closes each connection, wrk counts failures.
"""

import hashlib
import sys
from pathlib import Path

from benchmarks.contestants import CACHE, THREADS, Contestant
from benchmarks.processes import output_of

_HERE = Path(__file__).parent
_FOLDER = CACHE / "spyne"
_REQUIREMENTS = _HERE / "requirements.txt"


def _prepare() -> None:
    digest = hashlib.sha256(Path(__file__).read_bytes() + _REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    stamp = _FOLDER / "built"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    output_of([sys.executable, "-m", "venv", "--clear", str(_FOLDER)])
    # uWSGI is built against one Python, and pip would keep what it built for another of the same version line.
    install = ["install", "--quiet", "--no-cache-dir", "-r", str(_REQUIREMENTS)]
    output_of([_program("python"), "-m", "pip", *install])
    stamp.write_text(digest, encoding="utf-8")


def _program(name: str) -> str:
    return str(_FOLDER / "bin" / name)


def _command(port: int) -> list[str]:
    return [
        _program("uwsgi"),
        *("--http11-socket", f"127.0.0.1:{port}", "--module", "order_service", "--need-app"),
        *("--processes", "1", "--threads", str(THREADS), "--disable-logging", "--die-on-term"),
    ]


def _version() -> str:
    pinned = [line.replace("==", " ") for line in _REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    return ", ".join(line for line in pinned if not line.startswith("pytz"))


SPYNE = Contestant(
    name="spyne",
    prepare=_prepare,
    command=_command,
    version=_version,
    directory=_HERE,
    # Leaves no compiled files beside the module.
    environment={"PYTHONDONTWRITEBYTECODE": "1"},
)
"""Models with the facets of our schema, validator='lxml', in one process of uWSGI."""
