"""Which Python runs our side: the fastest build of the same version line that this machine has.

A Python that was built without profile-guided optimisation is a fifth slower, and some machines have such a one first
on the path. The peers run as Debian built them, so ours runs on Debian's Python where that is better built.
"""

import json
import shutil
import sys
from pathlib import Path

from benchmarks.folders import CACHE, ROOT
from benchmarks.processes import output_of
from benchmarks.report import Refused

_ASK = (
    "import json, sys, sysconfig; arguments = sysconfig.get_config_var('CONFIG_ARGS') or ''; "
    "print(json.dumps([sys.version.split()[0], '--enable-optimizations' in arguments, '--with-lto' in arguments]))"
)
_SYSTEM = "/usr/bin/python3"


def describe(python: str) -> str:
    """Name a Python by version and by how it was built."""
    version, profiled, linked = json.loads(output_of([python, "-c", _ASK]))
    how = [name for name, is_so in (("PGO", profiled), ("LTO", linked)) if is_so]
    return f"CPython {version} ({', '.join(how) or 'neither PGO nor LTO'})"


def best_python() -> str:
    """Give the path of the Python for our side; installs what the server needs for it when it is not this one.

    Raises Refused when that fails.
    """
    if "PGO" in describe(sys.executable) or not _usable(_SYSTEM):
        return sys.executable
    folder = CACHE / "ours"
    python, stamp, lock = folder / "bin" / "python", folder / "requirements.lock", ROOT / "requirements.lock"
    if not (python.exists() and stamp.exists() and stamp.read_bytes() == lock.read_bytes()):
        output_of([_SYSTEM, "-m", "venv", "--clear", str(folder)])
        output_of([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)])
        output_of([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT)])
        shutil.copy(lock, stamp)
    return str(python)


def _usable(python: str) -> bool:
    """Whether it is there, of our version line, better built, and can make environments."""
    if not Path(python).exists():
        return False
    try:
        named = describe(python)
        output_of([python, "-c", "import ensurepip, venv"])
    except Refused:
        return False
    here = f"CPython {sys.version_info.major}.{sys.version_info.minor}."
    return "PGO" in named and named.startswith(here)
