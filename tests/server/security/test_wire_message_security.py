"""WS-Security over TCP: foreign clients that sign and send passwords, their wrong twins, and every message once."""

import hashlib
import subprocess
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zeep.exceptions
import zeep.transports
import zeep.wsse
from cryptography import x509
from filtered import LIST_ITEMS, core_of, outcome, put_policy, until
from lxml import etree
from openssl_made import Pair, openssl, self_signed
from wire import Received, Server, Start, envelope, order
from zeep.wsse.compose import Compose
from zeep.wsse.signature import BinarySignature, Signature
from zeep.wsse.username import UsernameToken

from server.security.wssecurity.names import ECDSA_SHA256, EXCLUSIVE, RSA_SHA256, SHA256, X509
from soap import Version
from soap.names import WSSE, WSU
from storage.records import AccessPolicy

pytestmark = pytest.mark.slow

DSIG = "http://www.w3.org/2000/09/xmldsig#"
LIST = '<ListItems xmlns="urn:opendepot:sales:1"/>'


class Stamp:
    """What zeep leaves to its users: a Timestamp for its signing plugins to sign."""

    def __init__(self, *, age_seconds: float = 0) -> None:
        self._age = timedelta(seconds=age_seconds)

    def apply(self, message: Any, headers: Any) -> Any:
        security = zeep.wsse.utils.get_security_header(message)
        now = datetime.now(UTC) - self._age
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        etree.SubElement(stamp, f"{{{WSU}}}Created").text = now.isoformat(timespec="milliseconds")
        etree.SubElement(stamp, f"{{{WSU}}}Expires").text = (now + timedelta(minutes=5)).isoformat()
        return message, headers

    def verify(self, message: Any) -> Any:
        return message


class Unverified:
    """A signing plugin that takes unsigned answers."""

    def __init__(self, plugin: Any) -> None:
        self.plugin = plugin
        self.apply = plugin.apply

    def verify(self, message: Any) -> Any:
        return message


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    folder = tmp_path_factory.mktemp("signers")
    rsa = Pair(folder / "rsa.pem", folder / "rsa.key")
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rsa", "-days", "9"),
        *("-keyout", rsa.key, "-out", rsa.certificate),
    )
    return {"p256": self_signed(folder, "p256"), "rsa": rsa, "foreign": self_signed(folder, "foreign")}


async def register(server: Server, pair: Pair, *, shop: str | None = None) -> str:
    """Register a certificate and wait until the server knows it; give its id."""
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    async with core_of(server) as core:
        added = await core.credentials.add_certificate(shop or server.extra["shop"], certificate)
    filters = server.up.application.filters
    filters.hurry()
    known = added.credential_id
    await until(
        lambda: any(one.credential.credential_id == known for one in filters.last().certificates.pinned.values())
    )
    return known


async def username(server: Server) -> tuple[str, str]:
    """Give the shop a username; give it and its secret."""
    name = f"machine-{uuid.uuid4().hex[:8]}"
    async with core_of(server) as core:
        added = await core.credentials.add_username(server.extra["shop"], name)
    return name, added.secret


def asking(server: Server, wsse: Any, *, version: str = "11", headers: dict[str, str] | None = None) -> str:
    """List items by zeep: `ok`, or what the fault says."""
    import requests  # noqa: PLC0415  zeep's own

    session = requests.Session()
    session.headers.update(headers or {})
    wsse = Compose(wsse) if isinstance(wsse, list) else wsse
    client = zeep.Client(
        f"{server.url}/v1/sales?wsdl", transport=zeep.transports.Transport(session=session, timeout=10), wsse=wsse
    )
    try:
        client.bind("SalesService", f"SalesSoap{version}").ListItems()
    except zeep.exceptions.Fault as fault:
        detail = fault.detail if isinstance(fault.detail, etree._Element) else etree.fromstring(fault.detail)
        return str(next(detail.iter("{*}code")).text)
    return "ok"


async def by_zeep(ask: Callable[[], str]) -> str:
    import asyncio  # noqa: PLC0415

    return await asyncio.to_thread(ask)


def plugin(pair: Pair, kind: type[Any] = BinarySignature, **changes: Any) -> Any:
    method = RSA_SHA256 if "rsa" in pair.key.name else ECDSA_SHA256
    options = {"signature_method": _transform(method), "digest_method": _transform(SHA256), **changes}
    return Unverified(kind(str(pair.key), str(pair.certificate), **options))


def _transform(uri: str) -> Any:
    import xmlsec  # noqa: PLC0415  the library has a name for each

    known = xmlsec.constants
    return {
        RSA_SHA256: known.TransformRsaSha256,
        ECDSA_SHA256: known.TransformEcdsaSha256,
        SHA256: known.TransformSha256,
    }[uri]


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_s_password_digest_is_taken_and_a_wrong_secret_is_not(server: Server, version: str) -> None:
    name, secret = await username(server)
    taken = await by_zeep(lambda: asking(server, UsernameToken(name, secret, use_digest=True), version=version))
    assert taken == "ok"
    for wrong in (
        UsernameToken(name, secret + "x", use_digest=True),
        UsernameToken(name + "x", secret, use_digest=True),
    ):
        assert await by_zeep(lambda wrong=wrong: asking(server, wrong, version=version)) == "SecurityFailed"
    old = datetime.now(UTC) - timedelta(hours=1)
    late = UsernameToken(name, secret, use_digest=True, created=old)
    assert await by_zeep(lambda: asking(server, late, version=version)) == "SecurityExpired"


async def test_zeep_s_text_password_is_taken_over_tls_alone(start: Start) -> None:
    server = await start(trusted_proxies=["127.0.0.1"])
    name, secret = await username(server)
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    token = UsernameToken(name, secret)
    assert await by_zeep(lambda: asking(server, token, headers=told)) == "ok"
    assert await by_zeep(lambda: asking(server, UsernameToken(name, "guess"), headers=told)) == "SecurityFailed"
    told["X-Forwarded-Proto"] = "http"
    assert await by_zeep(lambda: asking(server, token, headers=told)) == "SecurityUnencrypted"
    plain = await start()
    assert await by_zeep(lambda: asking(plain, token, headers={"X-Forwarded-Proto": "https"})) == "SecurityUnencrypted"


@pytest.mark.parametrize("kind", [BinarySignature, Signature])
@pytest.mark.parametrize("key", ["p256", "rsa"])
async def test_zeep_s_signature_is_taken_and_a_foreign_key_s_is_not(
    server: Server, made: dict[str, Pair], key: str, kind: type[Any]
) -> None:
    known = await register(server, made[key])
    signing = [Stamp(), plugin(made[key], kind)]
    assert await by_zeep(lambda: asking(server, signing)) == "ok"
    assert await by_zeep(lambda: asking(server, signing, version="12")) == "ok"
    foreign = [Stamp(), plugin(made["foreign"], kind)]
    assert await by_zeep(lambda: asking(server, foreign)) == "SecurityFailed"
    assert await by_zeep(lambda: asking(server, [plugin(made[key], kind)])) == "SecurityInvalid", "no Timestamp"
    assert (
        await by_zeep(lambda: asking(server, [Stamp(age_seconds=3600), plugin(made[key], kind)])) == "SecurityExpired"
    )
    if key == "rsa":
        weak = [Stamp(), plugin(made[key], kind, signature_method=None)]
        assert await by_zeep(lambda: asking(server, weak)) == "SecurityUnsupported", "zeep's default, RSA-SHA1"
    async with core_of(server) as core:
        await core.credentials.revoke(server.extra["shop"], known)
    filters = server.up.application.filters
    filters.hurry()
    await until(lambda: not filters.last().certificates.pinned)
    assert await by_zeep(lambda: asking(server, signing)) == "SecurityFailed"


async def test_a_shop_whose_policy_asks_for_a_signature_needs_one(server: Server, made: dict[str, Pair]) -> None:
    await register(server, made["p256"])
    await put_policy(server, AccessPolicy.SIGNATURE)
    assert outcome(await server.post("sales", LIST_ITEMS)) == "NotIdentified"
    name, secret = await username(server)
    assert await by_zeep(lambda: asking(server, UsernameToken(name, secret, use_digest=True))) == "NotIdentified"
    assert await by_zeep(lambda: asking(server, [Stamp(), plugin(made["p256"])])) == "ok"


def template(body: str, pair: Pair, *, created: datetime | None = None, version: Version = Version.SOAP11) -> bytes:
    """A message with an empty signature, for xmlsec1 to fill."""
    created = created or datetime.now(UTC)
    certificate = "".join(pair.certificate.read_text().splitlines()[1:-1])
    method = RSA_SHA256 if "rsa" in pair.key.name else ECDSA_SHA256
    references = "".join(
        f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue/></ds:Reference>'
        for name in ("body", "time")
    )
    return (
        f'<e:Envelope xmlns:e="{version}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" xmlns:ds="{DSIG}"><e:Header>'
        f'<wsse:Security e:mustUnderstand="1"><wsu:Timestamp wsu:Id="time"><wsu:Created>{created.isoformat()}'
        f'</wsu:Created></wsu:Timestamp><wsse:BinarySecurityToken wsu:Id="token" ValueType="{X509}">{certificate}'
        f'</wsse:BinarySecurityToken><ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>{references}</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo>'
        '<wsse:SecurityTokenReference><wsse:Reference URI="#token"/></wsse:SecurityTokenReference></ds:KeyInfo>'
        f'</ds:Signature></wsse:Security></e:Header><e:Body wsu:Id="body">{body}</e:Body></e:Envelope>'
    ).encode()


def by_xmlsec1(message: bytes, pair: Pair, folder: Path, *, version: Version = Version.SOAP11) -> bytes:
    source, target = folder / "template.xml", folder / "signed.xml"
    source.write_bytes(message)
    command = ["xmlsec1", "--sign", "--privkey-pem", str(pair.key)]
    for node in (f"{version}:Body", f"{WSU}:Timestamp", "urn:opendepot:header:1:OnBehalfOf"):
        command += ["--id-attr:Id", node]
    subprocess.run([*command, "--output", str(target), str(source)], check=True, capture_output=True, timeout=20)
    return target.read_bytes()


async def sent(server: Server, message: bytes, version: Version = Version.SOAP11) -> Received:
    return await server.post("sales", message, identified=False, version=version)


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("key", ["p256", "rsa"])
async def test_what_xmlsec1_has_signed_is_taken_and_a_changed_byte_is_not(
    server: Server, made: dict[str, Pair], tmp_path: Path, key: str, version: Version
) -> None:
    await register(server, made[key])
    text = order("t-xmlsec1", quantity=1)
    message = by_xmlsec1(template(text, made[key], version=version), made[key], tmp_path, version=version)
    changed = message.replace(b"<quantity>1<", b"<quantity>2<")
    assert changed != message
    assert outcome(await sent(server, changed, version)) == "SecurityFailed"
    assert outcome(await sent(server, message, version)) == "ok"


async def test_a_message_is_taken_once_by_all_servers_and_after_a_restart(
    start: Start, made: dict[str, Pair], tmp_path: Path
) -> None:
    one, two = await start(), await start()
    await register(one, made["p256"])
    filters = two.up.application.filters
    filters.hurry()
    await until(lambda: filters.last().certificates.pinned)
    reading = by_xmlsec1(template(LIST, made["p256"]), made["p256"], tmp_path)
    writing = by_xmlsec1(template(order("t-once"), made["p256"]), made["p256"], tmp_path)
    for message in (reading, writing):
        assert outcome(await sent(one, message)) == "ok"
        assert [outcome(await sent(each, message)) for each in (one, two)] == ["SecurityReplayed"] * 2
    again = by_xmlsec1(template(order("t-once"), made["p256"]), made["p256"], tmp_path)
    assert outcome(await sent(two, again)) == "ok", "the same order, signed anew, has the same answer"
    three = await start()
    filters = three.up.application.filters
    await until(lambda: filters.last().certificates.pinned)
    assert [outcome(await sent(three, message)) for message in (reading, writing, again)] == ["SecurityReplayed"] * 3


async def test_a_failed_message_is_used_up_and_a_wrong_one_is_not(
    server: Server, made: dict[str, Pair], tmp_path: Path
) -> None:
    await register(server, made["p256"])
    unknown = template(order("t-unknown", item="NOTHING"), made["p256"])
    message = by_xmlsec1(unknown, made["p256"], tmp_path)
    assert [outcome(await sent(server, message)) for _ in range(2)] == ["ItemUnknown", "SecurityReplayed"]


async def test_the_mirrored_ecdsa_signature_is_the_same_one(
    server: Server, made: dict[str, Pair], tmp_path: Path
) -> None:
    """Whoever has seen (r, s) can write (r, order - s), which the registered key verifies, too."""
    await register(server, made["p256"])
    message = by_xmlsec1(template(order("t-mirror"), made["p256"]), made["p256"], tmp_path)
    root = etree.fromstring(message)
    value = root.find(f".//{{{DSIG}}}SignatureValue")
    import base64  # noqa: PLC0415

    raw = base64.b64decode(value.text)
    group = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    value.text = base64.b64encode(raw[:32] + (group - int.from_bytes(raw[32:])).to_bytes(32, "big")).decode()
    mirrored = etree.tostring(root)
    assert outcome(await sent(server, mirrored)) == "ok"
    assert outcome(await sent(server, message)) == "SecurityReplayed"


async def test_a_digest_is_used_once(server: Server) -> None:
    name, secret = await username(server)
    plugin = UsernameToken(name, secret, use_digest=True)
    message, _ = plugin.apply(etree.fromstring(envelope(LIST)), {})
    data = etree.tostring(message)
    assert [outcome(await sent(server, data)) for _ in range(2)] == ["ok", "SecurityReplayed"]


async def test_what_was_wrong_stands_in_the_log_and_not_in_the_fault(
    server: Server, made: dict[str, Pair], tmp_path: Path
) -> None:
    name, _ = await username(server)
    guess = hashlib.sha256(b"guess").hexdigest()
    message, _ = UsernameToken(name, guess, use_digest=True).apply(etree.fromstring(LIST_ITEMS), {})
    answer = await sent(server, etree.tostring(message))
    fault = answer.fault()
    (event,) = [each for each in server.events() if each["event"] == "message_security_refused"]
    assert event["reference"] == fault["reference"]
    assert "username" in event["detail"]
    assert event["detail"] not in fault["message"]
    assert name not in server.log.getvalue()
    foreign = by_xmlsec1(template(order(), made["foreign"]), made["foreign"], tmp_path)
    assert outcome(await sent(server, foreign)) == "SecurityFailed"
    assert "no usable certificate" in server.events()[-2]["detail"]


async def test_the_fault_tells_how_far_the_clocks_are_apart(
    start: Start, made: dict[str, Pair], tmp_path: Path
) -> None:
    server = await start(message_seconds=20, message_skew_seconds=5)
    await register(server, made["p256"])
    old = template(order(), made["p256"], created=datetime.now(UTC) - timedelta(seconds=100))
    fault = (await sent(server, by_xmlsec1(old, made["p256"], tmp_path))).fault()
    assert fault["code"] == "SecurityExpired"
    assert "10" in fault["message"]
    assert "20 s old" in fault["message"]
    assert "differ by 5 s" in fault["message"]


async def test_header_blocks_and_body_may_have_ids_and_what_a_front_tells_must_be_signed(
    server: Server, made: dict[str, Pair], tmp_path: Path
) -> None:
    plain = envelope(LIST, header=f'<a:b xmlns:a="urn:a" xmlns:u="{WSU}" u:Id="x"/>')
    with_ids = plain.replace(b"<e:Body>", b'<e:Body xmlns:u="' + WSU.encode() + b'" u:Id="body">')
    assert outcome(await server.post("sales", with_ids)) == "ok"
    await register(server, made["p256"])
    async with core_of(server) as core:
        await core.catalogue.set_rights(server.extra["shop"], ("order", "read", "front"))
    filters = server.up.application.filters
    filters.hurry()
    await until(lambda: "front" in filters.last().shops[server.extra["shop"]].rights)
    told = (
        f'<od:OnBehalfOf xmlns:od="urn:opendepot:header:1" xmlns:wsu="{WSU}" wsu:Id="told">'
        "<od:clientAddress>192.0.2.1</od:clientAddress></od:OnBehalfOf>"
    ).encode()
    for signed, expected in ((False, "SecurityInvalid"), (True, "ok")):
        message = template(LIST, made["p256"])
        message = message.replace(b"<wsse:Security", told + b"<wsse:Security", 1)
        if signed:
            begin = message.index(b"<ds:Reference")
            one = message[begin : message.index(b"</ds:Reference>") + len(b"</ds:Reference>")]
            message = message[:begin] + one.replace(b"#body", b"#told") + message[begin:]
        done = by_xmlsec1(message, made["p256"], tmp_path)
        assert outcome(await sent(server, done)) == expected


async def test_a_header_block_is_never_left_unread(server: Server, made: dict[str, Pair], tmp_path: Path) -> None:
    """Neither beside an API key nor at the Depot, which needs no credential."""
    foreign = by_xmlsec1(template(LIST, made["foreign"]), made["foreign"], tmp_path)
    assert outcome(await server.post("sales", foreign)) == "SecurityFailed"
    depot = '<GetTicket xmlns="urn:opendepot:depot:1"><ticket>AAAAA-AAAAA-AAAAA-AAAAA-AAAAA</ticket></GetTicket>'
    foreign = by_xmlsec1(template(depot, made["foreign"]), made["foreign"], tmp_path)
    assert outcome(await server.post("depot", foreign)) == "SecurityFailed"
