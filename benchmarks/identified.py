"""What it costs to know who calls, over TCP: the same durable order without a credential and with each of them.

The bare call is the whole call of the server as it is shipped, of a shop that is known by its address alone (policy
`ip`): connection, HTTP, gates, parser, validation, rules, database, answer, event, metrics. The others are the same
order, each to the same process, with what proves the shop:

key      an API key in the Authorization header
digest   a UsernameToken with digest, nonce and time
signed   a P-256 signature over Body and Timestamp, the certificate in a BinarySecurityToken
rsa      the same, by RSA with 2,048 bits

What is measured is the processor time of the server's process, by the kernel's account in nanoseconds. The kinds take
turns in slices, so that what changes meanwhile changes for all of them.
"""

import asyncio
import hashlib
import json
import secrets
import shutil
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmarks.collecting import write_requests
from benchmarks.folders import CACHE, ROOT
from benchmarks.messages import CONTENT_TYPE, CREATE_ORDER, ITEMS, ORDER_NUMBER, SOAP_ACTION, TRANSACTION_ID
from benchmarks.processes import LOAD_CORE, SERVER_CORE, family, free_port, run_pinned, serving
from benchmarks.report import Options, Refused
from ipfilters import read_rules
from server.cli.initialise import CONFIG, initialise
from server.core import opened_core, utc_now
from server.filters.editing import FilterEditor
from server.security.wssecurity.answers import SignAnswers
from server.security.wssecurity.names import BASE64, PASSWORD_DIGEST
from server.security.wssecurity.signing import AnswerSigner
from server.settings import Settings, load_settings
from soap.names import WSSE, WSU
from storage.records import AccessPolicy

KINDS = ("bare", "key", "digest", "signed", "rsa")
SLICES = 4
CALLS_A_SECOND = 400
"""Calls of each kind for each second that a measurement shall take, and as many for the warm-up."""
CONNECTIONS = 16
_SERVE = "from server.cli.main import main; main()"
_BODY = b"<soapenv:Body>"


@dataclass(frozen=True)
class Identified:
    """How the requests of a kind are made: where they go, what stands in their head, what becomes of an order."""

    path: str
    made: Callable[[bytes], bytes]
    head: str = ""

    def request(self) -> bytes:
        """Give a whole request with an order that was never sent."""
        number = secrets.token_hex(16).encode()
        body = self.made(CREATE_ORDER.replace(TRANSACTION_ID, number).replace(ORDER_NUMBER, number))
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {CONTENT_TYPE}\r\n"
        return f"{head}SOAPAction: {SOAP_ACTION}\r\n{self.head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def running() -> Iterator[tuple[int, int, Mapping[str, Identified]]]:
    """Run a server with a shop for each kind; give its process, its port and the kinds."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="identified-", dir=CACHE))
    try:
        initialise(folder / "depot")
        kinds = asyncio.run(_prepared(load_settings(folder / "depot" / CONFIG)))
        port = free_port()
        words = ("serve", "--config", str(folder / "depot" / CONFIG), "--port", str(port), "--admin-port", "0")
        command = [sys.executable, "-c", _SERVE, *words, "--workers", "0"]
        with serving(command, port=port, core=SERVER_CORE, directory=ROOT) as pid:
            yield pid, port, kinds
    finally:
        shutil.rmtree(folder)


def http_costs(options: Options) -> list[dict[str, float]]:
    """Give, for each round, the microseconds of the server's processor time for a call of each kind.

    Raises Refused when a call was not answered with an order.
    """
    with running() as server:
        _slices(*server, each=CALLS_A_SECOND * options.warm_up_seconds)
        return [_slices(*server, each=CALLS_A_SECOND * options.seconds) for _ in range(options.rounds)]


def _slices(pid: int, port: int, kinds: Mapping[str, Identified], *, each: int) -> dict[str, float]:
    """Send so many calls of each kind, in turns."""
    used = dict.fromkeys(kinds, 0.0)
    count = max(1, each // SLICES)
    names = list(kinds)
    for number in range(SLICES):
        # Each is the first, the second, ... in turn.
        for name in names[number:] + names[:number]:
            requests = [kinds[name].request() for _ in range(count)]
            before = run_seconds(pid)
            _send(requests, port=port)
            used[name] += run_seconds(pid) - before
    return {f"http_{name}_us": seconds / (count * SLICES) * 1e6 for name, seconds in used.items()}


def run_seconds(pid: int) -> float:
    """Give how long the threads of a process and its descendants have run (proc(5), /proc/PID/task/TID/schedstat)."""
    total = 0
    for member in family(pid):
        for task in (Path("/proc") / str(member) / "task").iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e9


def _send(requests: list[bytes], *, port: int) -> None:
    with tempfile.NamedTemporaryFile(dir=CACHE) as file:
        write_requests(Path(file.name), requests)
        words = ("load", "--file", file.name, "--port", str(port), "--connections", str(CONNECTIONS))
        command = [sys.executable, "-m", "benchmarks.collecting", *words, "--holding", "orderId>"]
        answered = json.loads(run_pinned(command, core=LOAD_CORE, limit_seconds=120).output)["answered"]
    if answered != len(requests):
        raise Refused(f"{len(requests) - answered:.0f} of {len(requests)} orders were not answered with an order")


async def _prepared(settings: Settings) -> Mapping[str, Identified]:
    """Make items, a shop for each kind and what it proves itself by, which stays in this process."""
    made: dict[str, Identified] = {}
    async with opened_core(settings) as core:
        for place, number in enumerate(ITEMS, 1):
            await core.catalogue.add_item(item_number=number, firm_code=6_000_010, product_code=place)
        for kind in KINDS:
            _, api_key = await core.catalogue.add_shop(kind)
            made[kind] = Identified("/v1/sales", _unchanged, f"Authorization: Bearer {api_key}\r\n")
        await core.catalogue.set_policy("bare", AccessPolicy.IP)
        rules = read_rules('format = 1\n[[shop.bare]]\nallow = "127.0.0.0/8"\n', file="benchmark")
        editor = FilterEditor(core.storage, clock=utc_now)
        await editor.store(await editor.prepare(lambda _: rules), author="benchmark", comment="")
        made["bare"] = Identified("/v1/sales/bare", _unchanged)
        username = await core.credentials.add_username("digest", "erp")
        made["digest"] = Identified("/v1/sales", _digesting("erp", username.secret.encode()))
        p256, by_rsa = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
        for kind, key in (("signed", p256), ("rsa", by_rsa)):
            certificate = _certificate(key)
            await core.credentials.add_certificate(kind, certificate)
            made[kind] = Identified("/v1/sales", _signing(key, certificate))
    return made


def _unchanged(order: bytes) -> bytes:
    return order


def _digesting(name: str, secret: bytes) -> Callable[[bytes], bytes]:
    def made(order: bytes) -> bytes:
        nonce, created = secrets.token_bytes(16), datetime.now(UTC).isoformat(timespec="milliseconds")
        digest = hashlib.sha1(nonce + created.encode() + secret).digest()
        token = (
            f"<w:UsernameToken><w:Username>{name}</w:Username>"
            f'<w:Password Type="{PASSWORD_DIGEST}">{b64encode(digest).decode()}</w:Password>'
            f'<w:Nonce EncodingType="{BASE64}">{b64encode(nonce).decode()}</w:Nonce>'
            f"<u:Created>{created}</u:Created></w:UsernameToken>"
        )
        header = f'<soapenv:Header><w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}">{token}</w:Security></soapenv:Header>'
        return order.replace(_BODY, header.encode() + _BODY, 1)

    return made


def _signing(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, certificate: x509.Certificate
) -> Callable[[bytes], bytes]:
    return AnswerSigner(
        certificate_pem=certificate.public_bytes(Encoding.PEM),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        which=SignAnswers.ALL,
        lifetime_seconds=300,
        clock=utc_now,
    ).sign


def _certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "erp")]), utc_now()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
