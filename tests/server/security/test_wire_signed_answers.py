"""Signed answers and faults, which xmlsec1 and zeep verify; one changed byte, or another certificate, they refuse."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zeep.exceptions
import zeep.transports
from filtered import LIST_ITEMS
from lxml import etree
from openssl_made import Pair, openssl, self_signed
from test_wire_message_security import LIST, Stamp, by_xmlsec1, plugin, register, sent, template
from wire import Server, Start, envelope, order
from zeep.exceptions import SignatureVerificationFailed
from zeep.wsse.compose import Compose

from server.errors import SettingsError
from soap import Version
from soap.names import WSU

pytestmark = pytest.mark.slow
WSA = "http://www.w3.org/2005/08/addressing"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    folder = tmp_path_factory.mktemp("answers")
    rsa = Pair(folder / "rsa.pem", folder / "rsa.key")
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rsa", "-days", "9"),
        *("-keyout", rsa.key, "-out", rsa.certificate),
    )
    names = ("p256", "shop", "other")
    return {"rsa": rsa, **{name: self_signed(folder, name) for name in names}}


@pytest.fixture
async def signing(start: Start, pairs: dict[str, Pair], request: pytest.FixtureRequest) -> Server:
    key, which = getattr(request, "param", ("p256", "signed"))
    pair = pairs[key]
    server = await start(
        signing_certificate_file=pair.certificate, signing_key_file=pair.key, sign_answers=which, validate_answers=True
    )
    await register(server, pairs["shop"])
    return server


def verified(data: bytes, pair: Pair, folder: Path, version: Version = Version.SOAP11) -> bool:
    file = folder / "answer.xml"
    file.write_bytes(data)
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", str(pair.certificate)]
    for node in (
        f"{version}:Body",
        f"{WSU}:Timestamp",
        f"{WSA}:RelatesTo",
        f"{WSA}:Action",
        f"{WSA}:MessageID",
        f"{WSA}:To",
    ):
        command += ["--id-attr:Id", node]
    return subprocess.run([*command, str(file)], capture_output=True, check=False, timeout=20).returncode == 0


@pytest.mark.parametrize("signing", [("p256", "signed"), ("rsa", "signed")], indirect=True)
@pytest.mark.parametrize("version", list(Version))
async def test_xmlsec1_verifies_answers_and_faults_to_signed_requests(
    signing: Server, pairs: dict[str, Pair], tmp_path: Path, version: Version, request: pytest.FixtureRequest
) -> None:
    own = pairs[request.node.callspec.params["signing"][0]]
    for text, taken in ((LIST, True), (order(item="NOTHING"), False)):
        message = by_xmlsec1(template(text, pairs["shop"], version=version), pairs["shop"], tmp_path, version=version)
        answer = await sent(signing, message, version)
        assert (answer.status == 200) is taken
        assert verified(answer.body, own, tmp_path, version)
        assert not verified(answer.body, pairs["other"], tmp_path, version)
        changed = answer.body.replace(b"EDITOR", b"EDITOS") if taken else answer.body.replace(b"NOTHING", b"SOMETHING")
        changed = changed if changed != answer.body else answer.body.replace(b"ItemUnknown", b"ItemUnknowm")
        assert changed != answer.body
        assert not verified(changed, own, tmp_path, version)
    assert b"Security" not in (await signing.post("sales", LIST_ITEMS)).body, "nobody asked for it"


async def test_a_fault_about_the_signature_itself_is_signed(
    signing: Server, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    foreign = by_xmlsec1(template(LIST, pairs["other"]), pairs["other"], tmp_path)
    answer = await sent(signing, foreign)
    assert answer.fault()["code"] == "SecurityFailed"
    assert verified(answer.body, pairs["p256"], tmp_path)


@pytest.mark.parametrize("signing", [("p256", "all")], indirect=True)
async def test_all_answers_are_signed_where_the_setting_says_so(
    signing: Server, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    for data, status in ((LIST_ITEMS, 200), (envelope("<nothing/>"), 500), (b"<", 500)):
        answer = await signing.post("sales", data)
        assert answer.status == status
        assert verified(answer.body, pairs["p256"], tmp_path)


@pytest.mark.parametrize("signing", [("p256", "all")], indirect=True)
async def test_header_blocks_of_an_answer_are_signed_with_it(
    signing: Server, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    block = f'<a:MessageID xmlns:a="{WSA}">urn:uuid:00000000-0000-0000-0000-000000000001</a:MessageID>'
    block += f'<a:Action xmlns:a="{WSA}">urn:opendepot:sales:1/ListItems</a:Action>'
    answer = await signing.post("sales", envelope(LIST, header=block))
    relates = etree.fromstring(answer.body).find(f".//{{{WSA}}}RelatesTo")
    if relates is None:
        pytest.fail(f"no RelatesTo in {answer.body!r}")
    assert verified(answer.body, pairs["p256"], tmp_path)
    assert not verified(answer.body.replace(b"000001</", b"000002</"), pairs["p256"], tmp_path)


def asked(server: Server, pairs: dict[str, Pair], known: Pair) -> str:
    """List items by zeep, which signs with the shop's key and verifies with a certificate that it knows."""
    verifying = plugin(known)

    class Verifying:
        def apply(self, message: Any, headers: Any) -> Any:
            return message, headers

        def verify(self, message: Any) -> Any:
            return verifying.plugin.verify(message)

    client = zeep.Client(
        f"{server.url}/v1/sales?wsdl",
        transport=zeep.transports.Transport(timeout=10),
        wsse=Compose([Stamp(), plugin(pairs["shop"]), Verifying()]),
    )
    try:
        return str(len(client.bind("SalesService", "SalesSoap11").ListItems()["item"]))
    except SignatureVerificationFailed:
        return "not verified"


async def test_zeep_verifies_what_it_gets_with_the_server_s_certificate(
    signing: Server, pairs: dict[str, Pair]
) -> None:
    assert await asyncio.to_thread(asked, signing, pairs, pairs["p256"]) == "3"
    assert await asyncio.to_thread(asked, signing, pairs, pairs["other"]) == "not verified"


async def test_a_wrong_signing_key_stops_the_start(start: Start, pairs: dict[str, Pair], tmp_path: Path) -> None:
    weak = Pair(tmp_path / "weak.pem", tmp_path / "weak.key")
    openssl(
        *("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-days", "9"),
        *("-keyout", weak.key, "-out", weak.certificate),
    )
    good = pairs["p256"]
    for certificate, key, said in (
        (good.certificate, None, "give both"),
        (good.certificate, pairs["other"].key, "not that of the certificate"),
        (weak.certificate, weak.key, "2048"),
        (tmp_path / "nothing", good.key, "No such file"),
        (good.key, good.key, "must be PEM"),
    ):
        with pytest.raises(SettingsError, match=said):
            await start(signing_certificate_file=certificate, signing_key_file=key)
