"""Debian's nginx and HAProxy in front of a listener, and what each of them says that it passed on."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from http_cases import TOKEN, Read
from http_shell import Client

BY_ITSELF = -1
"""The status of a request that the proxy has not passed on, or passed on in vain."""


@dataclass(frozen=True)
class Passed:
    """One line of a proxy's log: a request as the proxy read it, and what the listener answered to it.

    `body` is None where the proxy does not tell.
    """

    case: str
    method: str
    target: str
    body: bytes | None
    upstream: int


def program(name: str) -> str:
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if path is None:
        package = {"nginx": "nginx-light"}.get(name, name)
        raise AssertionError(f"the tests need {name}; on Debian, as root: apt-get install {package}")
    return path


def case_of(*texts: str) -> str:
    """Tell whose request it was: by its target, else by its X-Case."""
    for text in texts:
        found = re.search(r"q\d\d\d", text)
        if found:
            return found[0]
    return ""


# nginx

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 2048; }}
http {{
    log_format told escape=json '{{"method":"$request_method","target":"$request_uri","case":"$http_x_case",'
        '"body":"$request_body","upstream":"$upstream_status","sent":"$upstream_bytes_sent"}}';
    access_log {folder}/access.log told;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    client_body_in_single_buffer on;
    large_client_header_buffers 4 32k;
    underscores_in_headers on;
    ignore_invalid_headers {ignore_invalid};
    lingering_close off;
    client_max_body_size 0;
    keepalive_requests 10000;
    keepalive_timeout 20s;
    upstream listener {{ server {address}; {keep} }}
    server {{
        listen unix:{folder}/front;
        location / {{
            proxy_pass http://listener;
            proxy_set_header Host $http_host;
            proxy_next_upstream off;
            proxy_ignore_client_abort on;
            {location}
        }}
    }}
}}
"""
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'


@dataclass(frozen=True)
class Nginx:
    """nginx: requests are passed on over kept connections as HTTP/1.1, or one by one as HTTP/1.0."""

    keep: bool
    buffered: bool = True
    ignore_invalid: bool = True
    name: str = "nginx"

    def start(self, folder: Path, address: tuple[str, int]) -> list[str]:
        location = (KEPT if self.keep else "") + ("" if self.buffered else "proxy_request_buffering off;")
        config = folder / "nginx.conf"
        config.write_text(
            NGINX.format(
                folder=folder,
                address="{}:{}".format(*address),
                keep="keepalive 16;" if self.keep else "",
                location=location,
                ignore_invalid="on" if self.ignore_invalid else "off",
            )
        )
        return ["-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]

    @property
    def soft_stop(self) -> signal.Signals:
        return signal.SIGQUIT

    def read(self, folder: Path) -> list[Passed]:
        log = folder / "access.log"
        lines = log.read_bytes().decode("latin-1").split("\n") if log.exists() else []
        return [self._passed(json.loads(line)) for line in lines if line]

    def _passed(self, told: dict[str, str]) -> Passed:
        upstream = told["upstream"].split(", ")[-1]
        tells = self.buffered or bool(told["body"])
        return Passed(
            case=case_of(told["target"], told["case"]),
            method=told["method"],
            target=told["target"],
            body=told["body"].encode("latin-1") if tells else None,
            upstream=int(upstream) if upstream.isdigit() and upstream not in {"502", "504"} else BY_ITSELF,
        )


# HAProxy

# One thread: of two that write a line of the log at once one drops its line, so as not to wait.
HAPROXY = """
global
    nbthread 1
    log stdout len 65535 format raw local0 debug
    tune.http.logurilen 32768
    hard-stop-after 10s
    maxconn 2048
defaults
    mode http
    log global
    timeout connect 10s
    timeout client 20s
    timeout server 20s
    timeout http-request 20s
    http-reuse always
    {options}
frontend front
    bind unix@{folder}/front
    http-request set-var(txn.case) req.hdr(x-case)
    http-request set-var(txn.method) capture.req.method
    http-request set-var(txn.target) url
    http-request set-var(txn.body) req.body,hex
    log-format "told %ST %ts %s <%[var(txn.method)]> <%[var(txn.target),hex]> <%[var(txn.case)]> <%[var(txn.body)]>"
    default_backend listener
backend listener
    server one {host}:{port}
"""
_HAPROXY_LINE = re.compile(r"told (-?\d+) (\S\S) (\S+) <(.*?)> <(.*?)> <(.*?)> <(.*?)>")


@dataclass(frozen=True)
class HAProxy:
    """HAProxy: passes bodies on as they come, or waits for them whole."""

    buffered: bool = False
    accept_invalid: bool = False
    name: str = "haproxy"

    def start(self, folder: Path, address: tuple[str, int]) -> list[str]:
        options = ["option http-buffer-request"] if self.buffered else []
        if self.accept_invalid:
            options.append("option accept-invalid-http-request")
        config = folder / "haproxy.cfg"
        config.write_text(
            HAPROXY.format(folder=folder, host=address[0], port=address[1], options="\n    ".join(options))
        )
        return ["-db", "-f", str(config)]

    @property
    def soft_stop(self) -> signal.Signals:
        return signal.SIGUSR1

    def read(self, folder: Path) -> list[Passed]:
        passed = []
        for line in (folder / "out.log").read_bytes().decode("latin-1").split("\n"):
            found = _HAPROXY_LINE.search(line)
            if found is None:
                continue
            status, ended, server, method, target, case, body = found.groups()
            uri = bytes.fromhex(target if target != "-" else "").decode("latin-1")
            answered = server == "one" and ended[0] in "-CL" and ended[1] != "R"
            passed.append(
                Passed(
                    case=case_of(uri, case),
                    method=method,
                    target=uri,
                    body=bytes.fromhex(body if body != "-" else "") if self.buffered else None,
                    upstream=int(status) if answered and status not in {"502", "504"} else BY_ITSELF,
                )
            )
        return passed


# Both


@dataclass
class Front:
    """A proxy that runs; what it passed on is known after its end."""

    path: str
    passed: list[Passed] = field(default_factory=list)


@contextlib.asynccontextmanager
async def in_front(proxy: Nginx | HAProxy, address: tuple[str, int]) -> AsyncIterator[Front]:
    """Start the proxy before the listener at `address`; ended softly, so that its log is whole."""
    with tempfile.TemporaryDirectory(prefix="depot-") as name:
        folder = Path(name)
        executable, arguments = program(proxy.name), proxy.start(folder, address)
        with (folder / "out.log").open("wb") as out:
            process = await asyncio.create_subprocess_exec(executable, *arguments, stdout=out, stderr=out)
        front = Front(path=str(folder / "front"))
        try:
            await _ready(process, front.path, folder)
            yield front
            process.send_signal(proxy.soft_stop)
            async with asyncio.timeout(20):
                await process.wait()
            front.passed = proxy.read(folder)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _ready(process: asyncio.subprocess.Process, path: str, folder: Path) -> None:
    """Wait until connections are taken."""
    while True:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            async with Client(path):
                return
        if process.returncode is not None:
            raise AssertionError(f"the proxy ended with {process.returncode}:\n{_logs(folder)}")
        await asyncio.sleep(0.005)


def _logs(folder: Path) -> str:
    return "\n".join(log.read_text(errors="replace") for log in folder.glob("*.log"))


def token(number: int) -> bytes:
    return TOKEN[:1] + b"%03d" % number


def disagreements(
    passed: Iterable[Passed], arrived: Callable[[str], tuple[Read, ...]], cases: Iterable[str]
) -> list[str]:
    """Compare, case by case, what the proxy passed on and had answered with 200 to what arrived at the application.

    What the proxy refused by itself must not arrive; neither may anything else that the proxy does not know of.
    """
    told: dict[str, list[Passed]] = {}
    for one in passed:
        told.setdefault(one.case, []).append(one)
    wrong = []
    for case in cases:
        believed = [one for one in told.get(case, []) if one.upstream == 200]
        seen = arrived(case)
        if len(believed) != len(seen):
            wrong.append(f"{case}: the proxy passed {len(believed)} on, {len(seen)} arrived: {told.get(case)} {seen}")
            continue
        for one, read in zip(believed, seen, strict=True):
            same = (one.method, one.target) == (read.method, read.target) and one.body in {None, read.body}
            if not same:
                wrong.append(f"{case}: the proxy passed {one} on, {read} arrived")
    return wrong
