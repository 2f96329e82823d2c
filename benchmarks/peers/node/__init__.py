"""The package `soap` of Node.js: the SOAP server that JavaScript projects use.

It validates nothing by a schema, and neither does anything that is commonly put before it, so what it does for an order
is less than what the others do.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import CACHE, Contestant, need_packages
from benchmarks.peers.contract import SOURCES, write_contract
from benchmarks.processes import output_of

_HERE = Path(__file__).parent
_FOLDER = CACHE / "node"
_COPIED = ("package.json", "package-lock.json", "server.js")


def _prepare() -> None:
    need_packages({"nodejs": ["node"], "npm": ["npm"]})
    sources = [Path(__file__), *(_HERE / name for name in _COPIED), *SOURCES]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + _version().encode()).hexdigest()
    stamp = _FOLDER / "built"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    for name in _COPIED:
        shutil.copyfile(_HERE / name, _FOLDER / name)
    output_of(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], directory=_FOLDER)
    write_contract(_FOLDER)
    stamp.write_text(digest, encoding="utf-8")


def _version() -> str:
    (soap,) = [line for line in (_HERE / "package.json").read_text(encoding="utf-8").splitlines() if '"soap"' in line]
    return f"soap {soap.split(chr(34))[3]} on Node.js {output_of(['node', '--version']).strip().removeprefix('v')}"


def _contestant(name: str, *flags: str, sending: str) -> Contestant:
    def command(port: int) -> Sequence[str]:
        return ["node", *flags, str(_FOLDER / "server.js"), str(port), str(_FOLDER / "sales.wsdl"), sending]

    return Contestant(
        name=name,
        prepare=_prepare,
        command=command,
        version=_version,
        environment={"NODE_ENV": "production"},
        validates="nothing",
        warm_up_seconds=5,
    )


CONFIGURATIONS = (
    _contestant("answers in chunks", sending="chunks"),
    _contestant("answers whole", sending="whole"),
    _contestant("answers whole, 64 MiB for what is young", "--max-semi-space-size=64", sending="whole"),
)
