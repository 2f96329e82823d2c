"""The load generator: wrk with one thread, and what it says of the answers."""

import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import LOAD_CORE, run_pinned
from benchmarks.report import Refused

_SAME = Path(__file__).with_name("load.lua")
_NEW = Path(__file__).with_name("orders.lua")
_OWN_BYTES = 6
_SUMMARY = re.compile(r"^summary: (\{.*\})$", re.MULTILINE)
_ERRORS = ("connect", "read", "write", "status", "timeout")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The request that is sent over and over.

    `number` is a text in it, of 20 characters or more, in whose place each request has a number of its own, one higher
    than that of the request before; `scattered` is one in whose place each has hexadecimal digits that come in no
    order. Without a number, `bodies` are sent in turn instead of the one, if there are any.
    """

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    number: str | None = None
    scattered: str = ""
    bodies: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk measured in `seconds`.

    `answer_bytes` is the mean size of an answer with its HTTP header. `failures` counts statuses of 400 and above and
    errors of sockets; wrk cannot tell other statuses from 200 without a cost for each answer, so compare
    `answer_bytes` with an answer that was checked. `busy` is wrk's processor time as a share of one core, and
    `wall_seconds` how long its process ran.
    """

    requests: int
    seconds: float
    answer_bytes: float
    failures: int
    p50_ms: float
    p99_ms: float
    busy: float = 0.0
    wall_seconds: float = 0.0


def parse_summary(output: str) -> Load:
    """Read what `load.lua` makes wrk print at its end. Raises Refused when it is not there or nothing was answered."""
    found = _SUMMARY.search(output)
    if found is None:
        raise Refused(f"wrk gave no summary:\n{output[-2000:]}")
    summary = json.loads(found.group(1))
    requests = int(summary["requests"])
    if requests == 0:
        raise Refused("wrk got no answer at all")
    return Load(
        requests=requests,
        seconds=summary["microseconds"] / 1e6,
        answer_bytes=summary["bytes"] / requests,
        failures=sum(int(summary[kind]) for kind in _ERRORS),
        p50_ms=summary["p50"] / 1000,
        p99_ms=summary["p99"] / 1000,
    )


def send_load(request: Request, *, port: int, seconds: int, connections: int) -> Load:
    """Send a request for some seconds on kept-alive connections to 127.0.0.1, from a core of its own.

    Raises Refused when wrk is missing, fails or gets no answer.
    """
    with tempfile.NamedTemporaryFile() as body:
        body.write(_file_of(request))
        body.flush()
        own = secrets.token_hex(_OWN_BYTES)
        numbers = () if request.number is None else (request.number, own, request.scattered)
        command = [
            _wrk(),
            *("--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
            *("--timeout", "5s", "--script", str(_NEW if numbers else _SAME)),
            *(f"http://127.0.0.1:{port}{request.path}", "--", body.name, *numbers),
            *(f"{name}: {value}" for name, value in request.headers.items()),
        ]
        finished = run_pinned(command, core=LOAD_CORE, limit_seconds=seconds + 30)
    load = parse_summary(finished.output)
    return Load(
        requests=load.requests,
        seconds=load.seconds,
        answer_bytes=load.answer_bytes,
        failures=load.failures,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        busy=finished.cpu_seconds / finished.wall_seconds,
        wall_seconds=finished.wall_seconds,
    )


def _file_of(request: Request) -> bytes:
    """Give what the script reads: a body alone, or each behind a line with its length."""
    if request.number is not None:
        return request.body
    return b"".join(b"%d\n%b" % (len(body), body) for body in request.bodies or (request.body,))


def _wrk() -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Refused("the load generator wrk is missing (Debian: apt-get install wrk)")
    return wrk
