"""PHP's SoapServer, each request validated with DOMDocument::schemaValidate before the server sees it.

Debian's packages, opcache on, the WSDL kept in memory by each process. schemaValidate reads the schema anew for each
request, so it gets the part of it that an order needs, without annotations. Processes that stay behind nginx, and the
server that PHP has built in, each with several numbers of processes.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.contestants import CACHE, THREADS, Contestant, debian_version, need_packages
from benchmarks.peers.contract import SOURCES, write_contract, write_order_schema
from benchmarks.processes import output_of

_SCRIPT = Path(__file__).with_name("order_service.php")
_FOLDER = CACHE / "php"
_NGINX = "/usr/sbin/nginx"
_SETTINGS = {
    "opcache.enable": "1",
    "opcache.enable_cli": "1",
    "opcache.validate_timestamps": "0",
    "soap.wsdl_cache_enabled": "1",
    "soap.wsdl_cache_ttl": "86400",
    "soap.wsdl_cache_dir": str(_FOLDER),
    "display_errors": "0",
    "log_errors": "0",
}
_ENVIRONMENT = {"ORDER_SERVICE_CONTRACT": str(_FOLDER)}

_POOL = """\
[global]
error_log = /dev/stderr
daemonize = no
log_level = warning
[orders]
listen = {socket}
listen.backlog = 1024
pm = static
pm.max_children = {processes}
pm.max_requests = 0
clear_env = no
catch_workers_output = no
"""
_FRONT = """\
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log /dev/stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/bodies;
    fastcgi_temp_path {folder}/answers;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    upstream orders {{ server unix:{socket}; keepalive {processes}; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /v1/sales {{
            fastcgi_pass orders;
            fastcgi_keep_conn {kept};
            fastcgi_param SCRIPT_FILENAME {script};
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTP_SOAPACTION $http_soapaction;
        }}
    }}
}}
"""


# nginx listens at once, so it waits until there is somebody behind it.
_BOTH = """\
nginx=$1 folder=$2; shift 2
"$@" & manager=$!
until [ -S "$folder/php.sock" ]; do sleep 0.05; done
"$nginx" -p "$folder" -c "$folder/nginx.conf" & front=$!
trap 'kill $front $manager; wait; rm -r "$folder"' TERM
wait
"""


def _line() -> str:
    return output_of(["php", "-r", 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;'])


def _manager() -> str:
    return f"/usr/sbin/php-fpm{_line()}"


def _prepare() -> None:
    need_packages({"php-cli": ["php"], "nginx-light": [_NGINX]})
    settings = f"/etc/php/{_line()}/mods-available"
    brought = {"soap": [f"{settings}/soap.ini"], "xml": [f"{settings}/dom.ini"], "fpm": [_manager()]}
    need_packages({f"php{_line()}-{name}": brings for name, brings in brought.items()})
    sources = b"".join(path.read_bytes() for path in (Path(__file__), *SOURCES))
    digest = hashlib.sha256(sources + _version().encode()).hexdigest()
    stamp = _FOLDER / "built"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    write_contract(_FOLDER)
    write_order_schema(_FOLDER / "order.xsd")
    stamp.write_text(digest, encoding="utf-8")


def _version() -> str:
    return f"{debian_version(f'php{_line()}-fpm')}, nginx {debian_version('nginx')}"


def _settings() -> list[str]:
    return [word for name, value in _SETTINGS.items() for word in ("-d", f"{name}={value}")]


def _built_in(port: int, processes: int) -> Sequence[str]:
    # Quiet: each request would be told on standard error, and no contestant keeps a log.
    words = ["php", "-q", *_settings(), "-S", f"127.0.0.1:{port}", str(_SCRIPT)]
    return ["env", f"PHP_CLI_SERVER_WORKERS={processes}", *words]


def _behind_nginx(port: int, processes: int) -> Sequence[str]:
    folder = _FOLDER / f"nginx-{port}"
    folder.mkdir(exist_ok=True)
    socket, pool, front = folder / "php.sock", folder / "php-fpm.conf", folder / "nginx.conf"
    socket.unlink(missing_ok=True)
    # A process stays with a connection that is kept, and all others wait for it to end if there are not as many.
    kept = "on" if processes >= THREADS else "off"
    values = {"kept": kept, "folder": folder, "socket": socket, "processes": processes, "port": port, "script": _SCRIPT}
    pool.write_text(_POOL.format(**values), encoding="utf-8")
    front.write_text(_FRONT.format(**values), encoding="utf-8")
    manager = [_manager(), "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", str(pool), *_settings()]
    return ["sh", "-c", _BOTH, "sh", _NGINX, str(folder), *manager]


def _contestant(name: str, command: Callable[[int, int], Sequence[str]], *, processes: int) -> Contestant:
    return Contestant(
        name=name,
        prepare=_prepare,
        command=lambda port: command(port, processes),
        version=_version,
        environment=_ENVIRONMENT,
        warm_up_seconds=2,
    )


CONFIGURATIONS = (
    _contestant("2 processes behind nginx", _behind_nginx, processes=2),
    _contestant("8 processes behind nginx", _behind_nginx, processes=8),
    _contestant(f"{THREADS} processes behind nginx, connections kept", _behind_nginx, processes=THREADS),
    _contestant("built-in server, 2 processes", _built_in, processes=2),
    _contestant("built-in server, 8 processes", _built_in, processes=8),
)
