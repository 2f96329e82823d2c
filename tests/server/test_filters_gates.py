"""Both gates over TCP: denials by scope, shops in the URL, the four policies, what caller and operator see."""

import json
from pathlib import Path

import aiohttp
import pytest
from filtered import GET_TICKET, ask, denials, outcome, put_policy, put_rules, until
from wire import Server, Start

from storage.records import AccessPolicy

IN, OUT = 'allow = "127.0.0.0/8"', 'allow = "192.0.2.0/24"'


async def test_without_rules_a_credential_is_enough_from_anywhere(server: Server) -> None:
    assert outcome(await ask(server)) == "ok"
    assert outcome(await ask(server, key=None)) == "NotIdentified"
    assert (await server.post("depot", GET_TICKET)).fault()["code"] == "TicketUnknown"


@pytest.mark.parametrize("scope", ["global", "endpoint.Sales", "shop.NAME"])
async def test_a_deny_of_every_scope_refuses_and_the_caller_sees_only_the_reference(server: Server, scope: str) -> None:
    scope = scope.replace("NAME", server.extra["shop"])
    await put_rules(server, f'[[{scope}]]\ndeny = "127.0.0.0/8"\nowner = "ops"\ncomment = "secret why"')
    refused = await ask(server)
    fault = refused.fault()
    assert (refused.status, fault["element"], fault["code"]) == (403, "AccessFault", "AddressDenied")
    (event,) = denials(server)
    assert event["reference"] == fault["reference"]
    assert event["client"] == "127.0.0.1"
    assert event["matches"][0]["part"] == "wins"
    assert event["matches"][0]["comment"] == "secret why"
    for secret in (b"127.0.0", b"secret why", b"ops", b"default"):
        assert secret not in refused.body


async def test_a_deny_for_sales_leaves_the_depot_open_and_the_other_way_round(server: Server) -> None:
    await put_rules(server, '[[endpoint.Depot]]\ndeny = "127.0.0.1"')
    assert outcome(await ask(server)) == "ok"
    assert (await server.post("depot", GET_TICKET)).fault()["code"] == "AddressDenied"


async def test_the_depot_can_be_closed_by_its_default(server: Server) -> None:
    await put_rules(server, f'[defaults]\nDepot = "deny"\n[[endpoint.Depot]]\n{OUT}')
    assert (await server.post("depot", GET_TICKET)).status == 403


@pytest.mark.parametrize("query", ["wsdl", "xsd=sales.xsd", ""])
async def test_whom_a_rule_denies_does_not_read_what_is_published_either(server: Server, query: str) -> None:
    address = f"{server.up.url}/v1/sales?{query}"
    async with aiohttp.ClientSession() as reader:
        async with reader.get(address) as before:
            assert before.status == (200 if query else 405)
        await put_rules(server, '[[endpoint.Sales]]\ndeny = "127.0.0.0/8"\ncomment = "secret why"')
        async with reader.get(address) as refused:
            text = await refused.text()
        async with reader.get(f"{server.up.url}/v1/depot?wsdl") as other:
            assert other.status == 200
    assert refused.status == 403
    assert text.startswith("AddressDenied: ")
    assert "secret why" not in text
    (event,) = denials(server)
    assert event["reference"] in text


async def test_a_service_that_is_closed_by_default_still_publishes_its_contract(server: Server) -> None:
    await put_rules(server, f'[defaults]\nDepot = "deny"\n[[endpoint.Depot]]\n{OUT}')
    async with aiohttp.ClientSession() as reader, reader.get(f"{server.up.url}/v1/depot?wsdl") as answer:
        assert answer.status == 200


async def test_a_shadow_rule_changes_nothing_and_is_counted(server: Server) -> None:
    await put_rules(server, '[[global]]\ndeny = "127.0.0.1"\nmode = "shadow"')
    assert outcome(await ask(server)) == "ok"
    text = server.up.application.metrics.exposition().decode()
    assert (
        'opendepot_filter_decisions_total{endpoint="Sales",mode="shadow",outcome="deny-rule",shop="identified"}' in text
    )
    assert "opendepot_filter_version 1.0" in text


NAMED, PLAIN = "named", "plain"
GOOD, WRONG, NONE = "", "od_wrong", None
MATRIX = [
    # policy, address in, path, key, outcome
    (AccessPolicy.CREDENTIAL, False, PLAIN, GOOD, "ok"),
    (AccessPolicy.CREDENTIAL, False, NAMED, GOOD, "ok"),
    (AccessPolicy.CREDENTIAL, True, NAMED, NONE, "NotIdentified"),
    (AccessPolicy.CREDENTIAL, True, NAMED, WRONG, "NotIdentified"),
    (AccessPolicy.IP, True, NAMED, NONE, "ok"),
    (AccessPolicy.IP, True, NAMED, GOOD, "ok"),
    (AccessPolicy.IP, True, NAMED, WRONG, "NotIdentified"),
    (AccessPolicy.IP, True, PLAIN, NONE, "NotIdentified"),
    (AccessPolicy.IP, True, PLAIN, GOOD, "NotIdentified"),
    (AccessPolicy.IP, False, NAMED, NONE, "NotIdentified"),
    (AccessPolicy.IP, False, NAMED, GOOD, "NotIdentified"),
    (AccessPolicy.IP, False, PLAIN, GOOD, "AddressDenied"),
    (AccessPolicy.IP_AND_CREDENTIAL, True, PLAIN, GOOD, "ok"),
    (AccessPolicy.IP_AND_CREDENTIAL, True, NAMED, GOOD, "ok"),
    (AccessPolicy.IP_AND_CREDENTIAL, True, NAMED, NONE, "NotIdentified"),
    (AccessPolicy.IP_AND_CREDENTIAL, True, PLAIN, WRONG, "NotIdentified"),
    (AccessPolicy.IP_AND_CREDENTIAL, False, PLAIN, GOOD, "AddressDenied"),
    (AccessPolicy.IP_AND_CREDENTIAL, False, NAMED, GOOD, "NotIdentified"),
    (AccessPolicy.IP_OR_CREDENTIAL, True, NAMED, NONE, "ok"),
    (AccessPolicy.IP_OR_CREDENTIAL, True, PLAIN, NONE, "NotIdentified"),
    (AccessPolicy.IP_OR_CREDENTIAL, True, NAMED, WRONG, "NotIdentified"),
    (AccessPolicy.IP_OR_CREDENTIAL, False, NAMED, NONE, "NotIdentified"),
    (AccessPolicy.IP_OR_CREDENTIAL, False, NAMED, GOOD, "ok"),
    (AccessPolicy.IP_OR_CREDENTIAL, False, PLAIN, GOOD, "ok"),
]


@pytest.mark.parametrize("policy", AccessPolicy)
async def test_the_policy_says_what_proves_the_shop(server: Server, policy: AccessPolicy) -> None:
    shop = server.extra["shop"]
    await put_policy(server, policy)
    for inside in (True, False):
        await put_rules(server, f"[[shop.{shop}]]\n{IN if inside else OUT}")
        for case in (case for case in MATRIX if case[:2] == (policy, inside)):
            path = "sales" if case[2] == PLAIN else f"sales/{shop}"
            assert outcome(await ask(server, path=path, key=case[3])) == case[4], case


async def test_a_deny_holds_under_every_policy(server: Server) -> None:
    shop = server.extra["shop"]
    await put_rules(server, f'[[shop.{shop}]]\n{IN}\n[[shop.{shop}]]\ndeny = "127.0.0.1"')
    for policy in AccessPolicy:
        await put_policy(server, policy)
        assert outcome(await ask(server)) == "AddressDenied"
        assert outcome(await ask(server, path=f"sales/{shop}", key=None)) == "NotIdentified"


async def test_url_and_credential_must_agree(server: Server) -> None:
    assert outcome(await ask(server, path=f"sales/{server.extra['shop']}")) == "ok"
    refused = await ask(server, path=f"sales/{server.extra['shop']}", key=server.other_api_key)
    assert (refused.status, refused.fault()["code"]) == (401, "NotIdentified")


async def test_nobody_learns_which_shops_there_are(server: Server) -> None:
    shop, faults = server.extra["shop"], set()
    await put_rules(server, f"[[shop.{shop}]]\n{OUT}")
    for policy in AccessPolicy:
        await put_policy(server, policy)
        for name in (shop, "nobody", "no%20body", "x" * 200):
            for key in ("od_wrong", None):
                refused = await ask(server, path=f"sales/{name}", key=key)
                fault = {**refused.fault(), "reference": ""}
                faults.add((refused.status, json.dumps(fault, sort_keys=True)))
    assert len(faults) == 1, faults


async def test_a_path_below_a_shop_or_the_depot_is_no_service(server: Server) -> None:
    for path in ("sales/", "sales/a/b", "depot/acme"):
        assert (await ask(server, path=path)).status == 404


async def test_the_exchange_tells_client_decision_and_version(server: Server) -> None:
    await put_rules(server, f"[[shop.{server.extra['shop']}]]\n{OUT}")
    await ask(server)
    event = next(event for event in server.events() if event["event"] == "exchange")
    assert (event["client"], event["address_allowed"], event["filter_version"]) == ("127.0.0.1", False, 1)


async def test_a_file_is_taken_up_when_it_changes_and_a_broken_one_leaves_the_old_rules(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "filters.toml"
    path.write_text('format = 1\n[[global]]\ndeny = "127.0.0.1"\n')
    server = await start(filter_files=(path,))
    assert outcome(await ask(server)) == "AddressDenied"
    assert denials(server)[0]["matches"][0]["source"] == f"{path}:3"
    path.write_text("format = 1\n[[global]]\ndeny = 'no network'\n")
    await until(lambda: any(event["event"] == "filters_refused" for event in server.events()))
    assert outcome(await ask(server)) == "AddressDenied"
    path.write_text("format = 1\n")
    await until(lambda: any(event["event"] == "filters_applied" for event in server.events()))
    assert outcome(await ask(server)) == "ok"
