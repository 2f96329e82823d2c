"""An application collects a licence with MTOM: its context goes beside the envelope, and so comes the update."""

from email import message_from_bytes
from typing import Any

import pytest
from lxml import etree
from wire import FIRM_CODE, Server, envelope, order

from soap import Version

XOP = "http://www.w3.org/2004/08/xop/include"
DEPOT = "urn:opendepot:depot:1"


def _package(body: str, content: bytes, version: Version) -> tuple[bytes, str]:
    root = f'Content-Type: application/xop+xml; charset=utf-8; type="{version.media_type}"\r\nContent-ID: <r>\r\n\r\n'
    data = (
        b"--b\r\n" + root.encode() + envelope(body, version=version) + b"\r\n--b\r\nContent-ID: <c>\r\n\r\n" + content
    )
    kind = f'multipart/related; type="application/xop+xml"; boundary=b; start="<r>"; start-info="{version.media_type}"'
    return data + b"\r\n--b--\r\n", kind


async def _called(server: Server, body: str, content: bytes, version: Version) -> Any:
    data, kind = _package(body, content, version)
    return await server.post("depot", data, headers={"Content-Type": kind})


@pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
async def test_the_whole_cycle_runs_in_mtom(server: Server, version: Version) -> None:
    ordered = await server.post("sales", envelope(order("m-1"), version=version), version=version)
    ticket = ordered.payload[0].findtext("{urn:opendepot:sales:1}ticket")
    container, include = server.container(), f'<x:Include xmlns:x="{XOP}" href="cid:c"/>'
    collect = (
        f'<GetLicenseUpdate xmlns="{DEPOT}"><ticket>{ticket}</ticket><context>{include}</context></GetLicenseUpdate>'
    )
    collected = await _called(server, collect, container.context(FIRM_CODE), version)
    found: Any = message_from_bytes(
        f"Content-Type: {collected.headers['Content-Type']}\r\n\r\n".encode() + collected.body
    )
    root, update = found.get_payload()
    result = etree.fromstring(root.get_payload(decode=True))[0][0][0]

    assert (collected.status, result.findtext(f"{{{DEPOT}}}state")) == (200, "Done")
    imported = container.import_update(update.get_payload(decode=True))
    confirm = f'<ConfirmLicenseUpdate xmlns="{DEPOT}"><receipt>{include}</receipt></ConfirmLicenseUpdate>'
    confirmed = await _called(server, confirm, imported.receipt, version)
    assert confirmed.status == 200
    assert b"Confirmed" in confirmed.body


async def test_what_is_wrong_with_a_package_is_told_in_a_plain_fault_of_its_version(server: Server) -> None:
    for version in Version:
        data, kind = _package(f'<GetTicket xmlns="{DEPOT}"/>', b"x", version)
        received = await server.post("depot", data[:-4], headers={"Content-Type": kind})

        assert received.headers["Content-Type"] == version.content_type
        assert received.fault()["code"] == "MultipartInvalid"
