"""Which Python runs our side: the fastest build of the same version line that this machine has.

A Python that was built without profile-guided optimisation is a fifth slower, and some machines have such a one first
on the path. The peers run as Debian built them, so ours runs on Debian's Python where that is clearly faster. How a
Python was built cannot be asked (Debian tells the options of another of its builds), so it is timed.
"""

import shutil
import sys
from functools import cache
from pathlib import Path

from benchmarks.folders import CACHE, ROOT
from benchmarks.processes import output_of
from benchmarks.report import Refused

_SYSTEM = "/usr/bin/python3"
_WORK = (
    "import sys, time\n"
    "def work():\n"
    "    found = {}\n"
    "    for number in range(20000):\n"
    "        name = f'{number:05}'\n"
    "        found[name] = (name.partition('9'), len(found))\n"
    "    return found\n"
    "work()\n"
    "times = []\n"
    "for _ in range(9):\n"
    "    started = time.process_time()\n"
    "    work()\n"
    "    times.append(time.process_time() - started)\n"
    "print(sys.version.split()[0], min(times))\n"
)
_CLEARLY = 0.95
"""Another Python is taken when it needs at most this share of the time."""


def describe(python: str) -> str:
    """Name a Python by its version."""
    return f"CPython {_asked(python)[0]}"


@cache
def best_python() -> str:
    """Give the path of the Python for our side; installs what the server needs for it when it is not this one.

    Raises Refused when that fails.
    """
    if not _better(_SYSTEM):
        return sys.executable
    folder = CACHE / "ours"
    python, stamp, lock = folder / "bin" / "python", folder / "requirements.lock", ROOT / "requirements.lock"
    if not (python.exists() and stamp.exists() and stamp.read_bytes() == lock.read_bytes()):
        output_of([_SYSTEM, "-m", "venv", "--clear", str(folder)])
        output_of([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)])
        output_of([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT)])
        shutil.copy(lock, stamp)
    return str(python)


def _better(python: str) -> bool:
    """Whether it is there, not this one, of our version line, clearly faster, and can make environments."""
    if not Path(python).exists() or Path(python).resolve() == Path(sys.executable).resolve():
        return False
    try:
        (version, theirs), (_, ours) = _asked(python), _asked(sys.executable)
        output_of([python, "-c", "import ensurepip, venv"])
    except Refused:
        return False
    return version.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.") and theirs <= ours * _CLEARLY


def _asked(python: str) -> tuple[str, float]:
    version, seconds = output_of([python, "-c", _WORK]).split()
    return version, float(seconds)
