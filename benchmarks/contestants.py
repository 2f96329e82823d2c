"""What a benchmark compares: servers that can be built, started on a port and asked for their version."""

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.folders import CACHE, ROOT
from benchmarks.interpreter import best_python, describe
from benchmarks.processes import output_of
from benchmarks.report import Refused

__all__ = ["CACHE", "ROOT", "THREADS", "Contestant", "debian_version", "module_of_ours", "need_packages"]

THREADS = 64
"""How many connections a contestant must be able to keep alive at once, where each holds a thread."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A server that takes part.

    `prepare` builds or installs it if that is not done yet and raises Refused when it cannot; `command` gives the
    command line that serves on a port of 127.0.0.1; `version` is asked after `prepare`. `path` is where it takes
    orders, and `validates` what of an order it checks: all of the schema, or part of it. `warm_up_seconds` is how long
    it must be loaded before it is as fast as it gets; more than that the command line may ask for.
    """

    name: str
    prepare: Callable[[], None]
    command: Callable[[int], Sequence[str]]
    version: Callable[[], str]
    path: str = "/v1/sales"
    validates: str = "all of the schema"
    warm_up_seconds: int = 0
    directory: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)


def module_of_ours(name: str, module: str, *arguments: str, path: str = "/v1/sales") -> Contestant:
    """Give the contestant that is a module of this repository, run as `python -m MODULE --port PORT ARGUMENTS`."""

    def prepare() -> None:
        if importlib.util.find_spec(module) is None:
            raise Refused(f"{name}: there is no module {module}")
        best_python()

    return Contestant(
        name=name,
        prepare=prepare,
        path=path,
        command=lambda port: [best_python(), "-m", module, "--port", str(port), *arguments],
        version=lambda: f"opendepot {importlib.metadata.version('opendepot')} on {describe(best_python())}",
    )


def need_packages(packages: Mapping[str, Sequence[str]]) -> None:
    """Install Debian packages, each told by the commands or absolute paths that it brings and that are missing.

    Raises Refused when they are missing and cannot be installed from here.
    """
    missing = sorted(name for name, brings in packages.items() if not all(_exists(thing) for thing in brings))
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Refused(f"missing system packages; as root on Debian: apt-get install {' '.join(missing)}")
    output_of(["apt-get", "update", "-qq"])
    output_of(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", *missing])


def debian_version(package: str) -> str:
    """Give the version of an installed Debian package."""
    return output_of(["dpkg-query", "--show", "--showformat=${Version}", package]).strip()


def _exists(thing: str) -> bool:
    return Path(thing).exists() if thing.startswith("/") else shutil.which(thing) is not None
