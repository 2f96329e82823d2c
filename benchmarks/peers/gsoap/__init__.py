"""gSOAP, in C: the fastest SOAP server that is widely used.

Debian's packages, our WSDL, and what was found to be fastest. In requests per second against this set-up: C++ with
std::string 0.9, with a look-out for id and href (no SOAP_XML_TREE) 0.86, the answer stored to learn its length 0.9, or
sent in chunks 0.76. No difference beyond the noise: -O3, -march=native, a static library with link-time optimisation,
33 or 64 threads, fewer namespaces in the answer. TCP_NODELAY is what gSOAP sets by itself, and a request costs it one
recv, one getrandom and one send. WITH_NOIDREF does not link with Debian's library.
"""

import hashlib
import shutil
from pathlib import Path

import wsdl
from benchmarks.contestants import CACHE, THREADS, Contestant, debian_version, need_packages
from benchmarks.processes import output_of

_SOURCE = Path(__file__).with_name("server.c")
_FOLDER = CACHE / "gsoap"
_CONTRACT = Path(wsdl.__file__).parent / "v1"
_HEADER = "sales.h"
# WITH_IPV6 and WITH_DOM: what Debian's library was built with, so that both see the same structures.
_FLAGS = ("-O2", "-DWITH_IPV6", "-DWITH_DOM", "-I.")


def _prepare() -> None:
    need_packages(
        {
            "gsoap": ["wsdl2h", "soapcpp2"],
            "libgsoap-dev": ["/usr/include/stdsoap2.h"],
            "gcc": ["gcc"],
            "libc6-dev": ["/usr/include/stdio.h"],
        }
    )
    sources = [_SOURCE, Path(__file__), *(_CONTRACT / name for name in ("sales.wsdl", "sales.xsd", "header.xsd"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + _version().encode()).hexdigest()
    stamp = _FOLDER / "built"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    # From inside the folder of the contract: wsdl2h looks for the schemas relative to where it runs.
    output_of(["wsdl2h", "-c", "-P", "-O4", "-o", str(_FOLDER / _HEADER), "sales.wsdl"], directory=_CONTRACT)
    output_of(["soapcpp2", "-c", "-S", "-L", "-s", "-x", "-w", "-I/usr/share/gsoap/import", _HEADER], directory=_FOLDER)
    sources_in_c = [str(_SOURCE), "soapC.c", "soapServer.c"]
    output_of(["gcc", *_FLAGS, "-o", "server", *sources_in_c, "-lgsoap", "-lpthread"], directory=_FOLDER)
    stamp.write_text(digest, encoding="utf-8")


def _version() -> str:
    return f"gsoap {debian_version('gsoap')}"


GSOAP = Contestant(
    name="gsoap",
    prepare=_prepare,
    command=lambda port: [str(_FOLDER / "server"), str(port), str(THREADS)],
    version=_version,
    validates="all but the order of elements and DTDs",
)
"""One thread for each connection, generated parser and writer in strict mode."""
