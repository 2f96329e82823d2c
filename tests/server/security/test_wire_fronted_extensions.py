"""Who speaks for whom between a Depot and OZOMM on another computer, over mutual TLS: who has the right `front`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from extending import Deployment, Licensee, apart
from openssl_made import Pair, issued, self_signed

from opendepot import DepotClient, FaultReceived, OzommClient, tls_context
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap.client import Request
from soap.messages import depot, ozomm

pytestmark = pytest.mark.slow

CONFIGURATION = """
[sources.all]
kind = "everybody"

[[rules]]
items = ["EDITOR"]
eligibility = "all"
"""
APPLICATION = "198.51.100.7"


@dataclass(frozen=True)
class From:
    """Comes by a proxy that tells this address of its client."""

    address: str

    def applied(self, request: Request) -> Request:
        return replace(request, headers={**request.headers, "X-Forwarded-For": self.address})


def read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def exchanges(log: Any, operation: str) -> list[dict[str, Any]]:
    """Who has asked for an operation, and what came of it."""
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    return [event for event in events if event["event"] == "exchange" and event["operation"] == operation]


def codes(log: Any, name: str) -> set[str]:
    """The codes of events of a name."""
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    return {event["code"] for event in events if event["event"] == name}


async def give_front(folder: Path, shop: str, *rights: str) -> None:
    async with opened_core(load_settings(folder / CONFIG)) as core:
        await core.catalogue.set_rights(shop, (*rights, "front"))


async def until(asked: Callable[[], Any], code: str) -> Any:
    """Ask until the answer is not this fault, which it is until the server has heard of a right."""
    for _ in range(200):
        try:
            return await asked()
        except FaultReceived as fault:
            if fault.code != code:
                raise
        await asyncio.sleep(0.05)
    raise AssertionError(f"it is still {code}")


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    authority = self_signed(tmp_path, "authority", authority=True)
    here = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE"
    served = issued(tmp_path, "served", authority, extensions=here)
    ours, theirs = self_signed(tmp_path, "the-depot"), self_signed(tmp_path, "the-ozomm")

    def secured(pair: Pair) -> dict[str, Any]:
        return {
            "tls_certificate_file": str(served.certificate),
            "tls_key_file": str(served.key),
            "tls_ask_client_certificate": True,
            "trusted_proxies": ["127.0.0.1"],
            "ozomm_authorities_file": str(authority.certificate),
            "ozomm_certificate_file": str(pair.certificate),
            "ozomm_key_file": str(pair.key),
        }

    async def prepared(folder: Path, place: Path) -> None:
        async with opened_core(load_settings(folder / CONFIG)) as core:
            await core.credentials.add_certificate("the-ozomm", read(theirs))
        async with opened_core(load_settings(place / CONFIG)) as core:
            await core.catalogue.add_shop("the-depot", rights=())
            await core.credentials.add_certificate("the-depot", read(ours))

    async with apart(
        tmp_path / "depot",
        tmp_path / "ozomm",
        CONFIGURATION,
        central=secured(ours),
        tls=tls_context(authorities=authority.certificate),
        prepared=prepared,
        **secured(theirs),
    ) as made:
        yield made


async def test_a_depot_speaks_for_an_application_at_another_ozomm_only_with_the_right_front(
    deployment: Deployment,
) -> None:
    licensee: Licensee = replace(await deployment.buys(), credential=From(APPLICATION))
    with pytest.raises(FaultReceived) as refused:
        await licensee.extend(context=licensee.context())
    assert (refused.value.code, refused.value.retry) == ("CentralUnavailable", True)
    assert codes(deployment.log, "ozomm_unavailable") == {"FrontRefused"}
    assert licensee.orders() == 0

    await give_front(deployment.ozomm_folder, "the-depot")
    answer = await until(lambda: licensee.extend(context=licensee.context()), "CentralUnavailable")

    assert answer.state == "Extended"
    last = exchanges(deployment.ozomm_log, "ExtendLicense")[-1]
    assert (last["client"], last["front"], last["shop"]) == (APPLICATION, "127.0.0.1", "the-depot")
    # What a front has passed on OZOMM looks at for itself, or a slowed down asker would wait for itself.
    assert {each["front"] for each in exchanges(deployment.log, "GetTicket")} == {None}


async def test_wrong_tickets_are_of_who_sends_them_and_never_of_the_computers_between(deployment: Deployment) -> None:
    await give_front(deployment.ozomm_folder, "the-depot")
    async with DepotClient(deployment.url, tls=deployment.tls, attempts=1, credential=From(APPLICATION)) as client:
        for operation, message in (
            ("ExtendLicense", depot.ExtendLicenseRequest(transaction_id="x", ticket="0" * 25)),
            ("GetExtension", depot.GetExtensionRequest(transaction_id="x", ticket="0" * 25)),
        ):
            with pytest.raises(FaultReceived) as refused:
                await client.call(operation, message)
            assert refused.value.code == "TicketUnknown"
    assert exchanges(deployment.ozomm_log, "ExtendLicense") == exchanges(deployment.ozomm_log, "GetExtension") == []

    async def directly() -> None:
        options = {"tls": deployment.tls, "attempts": 1, "credential": From(APPLICATION)}
        async with OzommClient(deployment.ozomm_url, **options) as client:
            await client.extend_license(ozomm.ExtendLicenseRequest(transaction_id="x", ticket="0" * 25))

    with pytest.raises(FaultReceived) as refused:
        await directly()
    assert refused.value.code == "CentralUnavailable"
    assert codes(deployment.ozomm_log, "central_unavailable") == {"FrontRefused"}
    await give_front(deployment.folder, "the-ozomm", "order", "extend-any")
    with pytest.raises(FaultReceived) as refused:
        await until(directly, "CentralUnavailable")
    assert refused.value.code == "TicketUnknown"
    last = exchanges(deployment.log, "GetTicket")[-1]
    assert (last["client"], last["front"], last["shop"]) == (APPLICATION, "127.0.0.1", "the-ozomm")
