"""A process that has imported what does not change, and runs tests in copies of itself.

`python mutant_nursery.py PACKAGE MODULE...` imports the modules and forgets those of the package, which change. Then it
reads lines of JSON, {"path", "words", "seconds"}: it runs pytest with the words, with the path in front of all others,
and answers each with a line: the code that pytest ended with, or -1 for a run that took longer than that. Starting
Python and importing all libraries for each of hundreds of runs takes most of their time.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import time

import pytest


def main() -> None:
    """Answer until the input ends."""
    package, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            del sys.modules[name]
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(asked["path"], asked["words"])
        print(_code(child, asked["seconds"]), flush=True)


def _run(path: str, words: list[str]) -> None:
    """Become a run of pytest, which says nothing."""
    code = 3
    with contextlib.suppress(BaseException):
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        sys.path.insert(0, path)
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        code = pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *words])
    os._exit(code)


def _code(child: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


if __name__ == "__main__":
    main()
