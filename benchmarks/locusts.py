"""locust with the scenarios of `opendepot bench`: `python -m benchmarks.locusts OPTIONS`, those of locust itself.

locust is not in the locked environment. Where it is not installed beside opendepot, the first call makes an environment
for it, on top of this one, in a folder that git ignores.
"""

import os
import sys
import sysconfig
import tomllib
from importlib.util import find_spec
from pathlib import Path

from benchmarks.folders import CACHE, ROOT
from benchmarks.processes import output_of

LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def python_with_locust() -> str:
    """Give the path of a Python that has locust and what the scenarios need; makes an environment where there is none.

    Raises Refused when that fails.
    """
    if find_spec("locust") is not None:
        return sys.executable
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["locust"]
    folder = CACHE / "locust"
    python, stamp, made_of = folder / "bin" / "python", folder / "made-of", f"{sys.executable}\n{wanted}\n"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == made_of):
        output_of([sys.executable, "-m", "venv", "--clear", str(folder)])
        output_of([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
        # Its own packages come first, then those of this environment.
        (place,) = folder.glob("lib/python*/site-packages")
        (place / "below.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        stamp.write_text(made_of, encoding="utf-8")
    return str(python)


def main() -> None:
    """Become locust."""
    python = python_with_locust()
    os.chdir(ROOT)
    os.execv(python, [python, "-m", "locust", "-f", str(LOCUSTFILE), *sys.argv[1:]])


if __name__ == "__main__":
    main()
