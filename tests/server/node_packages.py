"""Packages of Node.js as tests need them: what a lock lists, installed once for each state of it."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest


def installed(source: Path, *, also: Iterable[str] = ()) -> Path:
    """Install the lock of a folder into a cache outside of the repository; give the place, with `also` copied to it.

    Nothing is skipped: without Node.js, npm or the packages the tests fail and say what is missing.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: run scripts/system-packages")
    lock = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "opendepot-tests" / f"node-{lock}"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", *also):
        shutil.copyfile(source / name, place / name)
    if not (place / "complete").exists():
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=place,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"npm ci could not install what {source / 'package-lock.json'} lists: {done.stderr[-2000:]}")
        (place / "complete").touch()
    return place
