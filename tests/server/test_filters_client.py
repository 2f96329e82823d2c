"""Who the client is, over TCP: forwarding headers from whoever sends them, in whatever form."""

import asyncio
from collections.abc import Iterable

import pytest
from filtered import LIST_ITEMS, core_of, denials, put_policy, put_rules
from wire import Server, Start

from server.errors import SettingsError
from server.http.proxied import render_proxy_header
from server.settings import load_settings
from storage.records import AccessPolicy

PROXY = "127.0.0.1"


async def raw(server: Server, lines: Iterable[tuple[str, str]], *, before: bytes = b"") -> str:
    """Send a request with these very lines and give its fault code, or ok."""
    host, port = server.up.local_url.removeprefix("http://").rsplit(":", 1)
    head = [
        "POST /v1/sales HTTP/1.1",
        f"Host: {host}",
        "Content-Type: text/xml",
        f"Content-Length: {len(LIST_ITEMS)}",
        f"Authorization: Bearer {server.api_key}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in lines),
    ]
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(before + "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + LIST_ITEMS)
    answer = await reader.read()
    writer.close()
    if b" 200 " in answer.split(b"\r\n")[0]:
        return "ok"
    found = answer.partition(b":code>")[2] or answer.partition(b"<code>")[2]
    return found.partition(b"<")[0].decode() or answer.split(b"\r\n")[0].decode()


IN, OUT, BAD = "ok", "AddressDenied", "ClientUnknown"
CASES = [
    ("192.0.2.0/24", "192.0.2.7", IN),
    ("192.0.2.0/24", "198.51.100.1", OUT),
    # what stands left of the first address that is not listed may be invented
    ("192.0.2.0/24", "192.0.2.7, 198.51.100.1", OUT),
    ("192.0.2.0/24", "198.51.100.1, 192.0.2.7", IN),
    ("192.0.2.0/24", "garbage, 192.0.2.7, 10.1.1.1", IN),
    ("192.0.2.0/24", ["192.0.2.7", "198.51.100.1"], OUT),
    ("192.0.2.0/24", ["198.51.100.1", "192.0.2.7"], IN),
    ("192.0.2.0/24", ["192.0.2.7", "10.1.1.1", "10.1.1.2, 10.1.1.3"], IN),
    ("10.1.1.1/32", "10.1.1.1, 10.1.1.2", IN),
    ("192.0.2.0/24", "192.0.2.7:4711", IN),
    ("192.0.2.0/24", "garbage", BAD),
    ("192.0.2.0/24", "192.0.2.7,", BAD),
    ("192.0.2.0/24", "", BAD),
    ("192.0.2.0/24", "unknown", BAD),
    ("192.0.2.0/24", "0192.0.2.7", BAD),
    ("192.0.2.0/24", "192.0.519", BAD),
    ("192.0.2.0/24", "192.0.2.7, 999.1.1.1", BAD),
    ("192.0.2.0/24", "192.0.2.7, " + ", ".join(["10.0.0.1"] * 15), IN),
    ("192.0.2.0/24", "192.0.2.7, " + ", ".join(["10.0.0.1"] * 16), BAD),
    ("192.0.2.0/24", "::ffff:192.0.2.7", IN),
    ("2001:db8::/32", "[2001:db8::7]:443", IN),
    ("fe80::/10", "fe80::1%eth0", IN),
    ("192.0.2.0/24", "2002:c000:0207::1", OUT),
    ("2002:c000:207::/48", "2002:c000:0207::1", IN),
    ("192.0.2.0/24", "64:ff9b::192.0.2.7", OUT),
    ("64:ff9b::/96", "64:ff9b::192.0.2.7", IN),
]


async def test_every_edge_of_a_forwarding_header_from_a_trusted_proxy(start: Start) -> None:
    server = await start(trusted_proxies=(PROXY, "10.0.0.0/8"))
    await put_policy(server, AccessPolicy.IP_AND_CREDENTIAL)
    networks = list(dict.fromkeys(network for network, _, _ in CASES))
    for network in networks:
        await put_rules(server, f'[[shop.{server.extra["shop"]}]]\nallow = "{network}"')
        for _, header, expected in (case for case in CASES if case[0] == network):
            lines = [header] if isinstance(header, str) else header
            assert await raw(server, [("X-Forwarded-For", line) for line in lines]) == expected, header


async def test_a_header_from_an_untrusted_peer_is_not_looked_at(start: Start) -> None:
    server = await start(trusted_proxies=("10.0.0.0/8",))
    await put_policy(server, AccessPolicy.IP_AND_CREDENTIAL)
    await put_rules(server, f'[[shop.{server.extra["shop"]}]]\nallow = "192.0.2.0/24"')
    for header in ("192.0.2.7", "garbage", "192.0.2.7, 10.0.0.1"):
        assert await raw(server, [("X-Forwarded-For", header)]) == OUT
    assert {(event["client"], event["header_ignored"]) for event in denials(server)} == {("127.0.0.1", True)}


async def test_no_second_header_is_ever_asked(start: Start) -> None:
    server = await start(trusted_proxies=(PROXY,))
    await put_policy(server, AccessPolicy.IP_AND_CREDENTIAL)
    await put_rules(server, f'[[shop.{server.extra["shop"]}]]\nallow = "192.0.2.0/24"')
    for name in ("Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP"):
        assert await raw(server, [(name, "for=192.0.2.7" if name == "Forwarded" else "192.0.2.7")]) == OUT


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["for=192.0.2.7"], IN),
        (['for="[2001:db8::7]:443";proto=https, for=192.0.2.7'], IN),
        (["for=192.0.2.7", 'for="198.51.100.1"'], OUT),
        (['for="192.0.2.7', "for=198.51.100.1"], OUT),
        (["for=_hidden"], BAD),
        (["192.0.2.7"], BAD),
        (["by=192.0.2.7"], BAD),
    ],
)
async def test_forwarded_is_read_by_its_standard(start: Start, lines: list[str], expected: str) -> None:
    server = await start(trusted_proxies=(PROXY,), forwarded_header="Forwarded")
    await put_policy(server, AccessPolicy.IP_AND_CREDENTIAL)
    await put_rules(server, f'[[shop.{server.extra["shop"]}]]\nallow = "192.0.2.0/24"')
    assert await raw(server, [("Forwarded", line) for line in lines]) == expected


async def test_proxy_protocol_tells_the_peer(start: Start) -> None:
    server = await start(proxy_protocol_from=(PROXY,))

    async def said(address: str) -> str:
        return await raw(server, [], before=render_proxy_header((address, 4711), ("203.0.113.1", 80)))

    async with core_of(server) as core:
        await core.catalogue.set_policy(server.extra["shop"], AccessPolicy.IP_AND_CREDENTIAL)
    await put_rules(server, f'[[shop.{server.extra["shop"]}]]\nallow = "192.0.2.0/24"')
    assert [await said(address) for address in ("192.0.2.7", "198.51.100.1")] == [IN, OUT]


def test_trusting_everybody_needs_a_confirmation_and_garbage_is_refused() -> None:
    for networks in (("0.0.0.0/0",), ("::/0",), ("0.0.0.0/1", "128.0.0.0/1")):
        with pytest.raises(SettingsError, match="trust_every_proxy"):
            load_settings(None, trusted_proxies=networks)
        assert load_settings(None, trusted_proxies=networks, trust_every_proxy=True).trusted_proxies == networks
    with pytest.raises(SettingsError, match=r"write 10\.0\.0\.0/24"):
        load_settings(None, trusted_proxies=("10.0.0.1/24",))
