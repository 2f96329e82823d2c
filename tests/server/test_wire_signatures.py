"""xmlsec1 and signxml both verify an update file that a server sent; one changed byte fails in both, and in ours."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

from signxml import SignatureConfiguration, XMLVerifier
from wire import FIRM_CODE, Server, envelope, order

from containers import ContainerError, load_trust, read_update, verify_step
from opendepot import DepotClient
from server.cli.initialise import VENDOR_CERTIFICATE
from soap.messages import depot

NAMESPACE = "urn:opendepot:container:1"


def xmlsec1(data: bytes, root: Path) -> bool:
    file = root.with_name("update.rau.xml")
    file.write_bytes(data)
    command = ["xmlsec1", "--verify", "--id-attr:Id", f"{NAMESPACE}:step", "--trusted-pem", str(root), str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def signxml(data: bytes, root: Path) -> bool:
    config = SignatureConfiguration(location=f"./{{{NAMESPACE}}}signedStep[1]/")
    return accepts(lambda: XMLVerifier().verify(data, ca_pem_file=str(root), expect_config=config))


def ours(data: bytes, root: Path) -> bool:
    def check() -> None:
        for step in read_update(data).steps:
            verify_step(step, trust=load_trust(root.read_bytes()))

    return accepts(check, ContainerError)


def accepts(check: Callable[[], object], refusal: type[Exception] = Exception) -> bool:
    try:
        check()
    except refusal:
        return False
    return True


async def test_foreign_programs_verify_what_the_server_signed_and_refuse_one_changed_byte(server: Server) -> None:
    placed = await server.post("sales", envelope(order(quantity=2)))
    ticket = placed.payload.findtext(".//{urn:opendepot:sales:1}ticket")
    async with DepotClient(server.url) as client:
        request = depot.GetLicenseUpdateRequest(ticket=ticket, context=server.container().context(FIRM_CODE))
        update = (await client.get_license_update(request)).update
    assert update is not None
    root = server.folder / VENDOR_CERTIFICATE
    verifiers = (xmlsec1, signxml, ours)
    assert [verify(update, root) for verify in verifiers] == [True, True, True]
    begin, end = update.index(b"<serial>", update.index(b"<step")), update.index(b"</step>")
    signature = update.index(b"<ds:SignatureValue>", end) + len(b"<ds:SignatureValue>")
    rng = random.Random(3)
    positions = [rng.randrange(begin, end) for _ in range(12)] + [
        rng.randrange(signature, signature + 80) for _ in range(4)
    ]
    for position in positions:
        changed = bytearray(update)
        changed[position] = ord("A") if changed[position] != ord("A") else ord("B")
        refused = [verify(bytes(changed), root) for verify in verifiers]
        assert refused == [False, False, False], f"byte {position}"
