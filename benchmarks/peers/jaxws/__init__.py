"""JAX-WS RI, in Java: the reference implementation, with `@SchemaValidation` of requests by the contract's own schema.

Debian's packages, code that wsimport generates from our contract (wrapped parameters, as it does by itself), Woodstox
as the reader, the HTTP server of the JDK with TCP_NODELAY, which is off there by default. A JVM compiles what is hot
while it runs, so it gets a longer load before it is measured.

Slower wherever it was tried: the reader of the JDK instead of Woodstox (a tenth more CPU), and answering in the thread
that reads, without a pool.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import CACHE, THREADS, Contestant, debian_version, need_packages
from benchmarks.peers.contract import SOURCES, write_contract
from benchmarks.processes import output_of

_SOURCE = Path(__file__).with_name("SalesServer.java")
_FOLDER = CACHE / "jaxws"
_CLASSES = _FOLDER / "classes"
_TOOLS, _RUNTIME = "/usr/share/java/jaxws-tools.jar", "/usr/share/java/jaxws-rt.jar"
_WARM_UP_SECONDS = 15
_ALWAYS = (
    "-Dsun.net.httpserver.nodelay=true",
    # Connections that wait for their next request are closed above 200.
    "-Dsun.net.httpserver.maxIdleConnections=1000",
)


def _prepare() -> None:
    need_packages({"default-jdk-headless": ["java", "javac"], "libjaxws-java": [_TOOLS, _RUNTIME]})
    sources = [_SOURCE, Path(__file__), *SOURCES]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + _version().encode()).hexdigest()
    stamp = _FOLDER / "built"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _CLASSES.mkdir(parents=True)
    generated = _FOLDER / "generated"
    generated.mkdir()
    # Beside the classes, where the server looks for it, too.
    contract = write_contract(_CLASSES)
    importing = ["-Xnocompile", "-quiet", "-s", str(generated), "-p", "sales", "-wsdllocation", contract.name]
    wsimport = ["java", "-cp", _TOOLS, "com.sun.tools.ws.WsImport", *importing, contract.name]
    output_of(wsimport, directory=_CLASSES)
    sources = [_SOURCE, *sorted(generated.rglob("*.java"))]
    output_of(["javac", "-nowarn", "-cp", _TOOLS, "-d", str(_CLASSES), *map(str, sources)])
    stamp.write_text(digest, encoding="utf-8")


def _version() -> str:
    java = output_of(["java", "-version"]).splitlines()[0].split('"')[1]
    return f"libjaxws-java {debian_version('libjaxws-java')} on OpenJDK {java}"


def _contestant(name: str, *flags: str, threads: int) -> Contestant:
    def command(port: int) -> Sequence[str]:
        classpath = f"{_CLASSES}:{_RUNTIME}"
        return ["java", *_ALWAYS, *flags, "-cp", classpath, "SalesServer", str(port), str(threads)]

    return Contestant(name=name, prepare=_prepare, command=command, version=_version, warm_up_seconds=_WARM_UP_SECONDS)


# The collector that the JVM takes by itself on one core, and the one for throughput.
_SERIAL, _PARALLEL = "-XX:+UseSerialGC", "-XX:+UseParallelGC"

CONFIGURATIONS = (
    _contestant(f"{THREADS} threads", _SERIAL, threads=THREADS),
    _contestant("4 threads", _SERIAL, threads=4),
    _contestant("4 threads, 256 MiB for what is young", _SERIAL, "-Xmn256m", threads=4),
    _contestant("4 threads, parallel collector", _PARALLEL, threads=4),
)
