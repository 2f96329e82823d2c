"""A scan over all rules, pytricia, and the bounds of every rule agree with the compiled snapshot."""

import random
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from ipfilters_oracle import NOW, SHOPS, oracle, random_address, random_network, random_rules

from ipfilters import (
    Defaults,
    Effect,
    Endpoint,
    FileSource,
    Rule,
    RuleSet,
    Scope,
    compile_rules,
    explain,
)
from ipfilters.client import Client

MAPPED = IPv6Network("::ffff:0:0/96")


def compare(dice: random.Random, *, pairs: int, each: int) -> None:
    for _ in range(pairs // each):
        rules = random_rules(dice)
        snapshot = compile_rules(rules, version=1, compiled_at=NOW)
        for _ in range(each):
            address = random_address(dice, rules)
            if address in MAPPED:
                address = IPv4Address(int(address) & 0xFFFFFFFF)
            endpoint, shop = dice.choice(tuple(Endpoint)), dice.choice(SHOPS)
            now = NOW + timedelta(hours=dice.randint(-2, 2), seconds=dice.choice((-1, 0, 1)))
            decision = snapshot.decide(str(address), endpoint=endpoint, shop=shop, now=now)
            said = oracle(rules, address, endpoint, shop, now)
            got = (decision.allowed, decision.winner and decision.winner.id)
            assert got == (said.allowed, said.winner), (rules, address, endpoint, shop, now)
            shadow = decision.shadow
            assert (shadow and shadow.allowed) == said.shadow_allowed, (rules, address, endpoint, shop, now)
            assert (shadow and shadow.winner and shadow.winner.id) == said.shadow_winner
            early = snapshot.refused_early(str(address), endpoint=endpoint, now=now)
            if early is not None:
                assert not any(oracle(rules, address, endpoint, any_shop, now).allowed for any_shop in SHOPS)


def test_twenty_thousand_random_pairs_agree_with_a_scan(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    compare(random.Random(seed), pairs=20_000, each=100)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_million_random_pairs_agree_with_a_scan(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    compare(random.Random(f"million {seed}"), pairs=1_000_000, each=100)


def test_first_last_and_one_past_of_every_rule_agree_with_a_scan(request: pytest.FixtureRequest) -> None:
    dice = random.Random(f"bounds {request.config.getoption('--seed')}")
    for _ in range(40):
        rules = random_rules(dice)
        snapshot = compile_rules(rules, version=1, compiled_at=NOW)
        for rule in rules.rules:
            network = rule.network
            for number in (
                int(network.network_address) - 1,
                int(network.network_address),
                int(network.broadcast_address),
                int(network.broadcast_address) + 1,
            ):
                if not 0 <= number < 1 << network.max_prefixlen:
                    continue
                address = type(network.network_address)(number)
                if address in MAPPED:
                    continue
                for endpoint, shop in ((Endpoint.SALES, "acme"), (Endpoint.DEPOT, None)):
                    got = snapshot.decide(str(address), endpoint=endpoint, shop=shop, now=NOW)
                    assert got.allowed is oracle(rules, address, endpoint, shop, NOW).allowed


@pytest.mark.parametrize("bits", [32, 128])
def test_the_longest_allow_is_the_one_that_pytricia_finds(request: pytest.FixtureRequest, bits: int) -> None:
    pytricia = pytest.importorskip("pytricia")
    dice = random.Random(f"pytricia {request.config.getoption('--seed')}")
    kind, address_kind, version = (IPv4Network, IPv4Address, 4) if bits == 32 else (IPv6Network, IPv6Address, 6)
    networks = {network for _ in range(300) if (network := random_network(dice)).version == version}
    networks |= {kind((dice.getrandbits(bits), dice.randint(1, bits)), strict=False) for _ in range(2000)}
    networks -= {network for network in networks if version == 6 and network.subnet_of(MAPPED)}
    source = FileSource(file="random", line=1)
    rules = tuple(
        Rule(id=str(network), scope=Scope(), effect=Effect.ALLOW, network=network, source=source)
        for network in networks
    )
    tree = pytricia.PyTricia(bits)
    for network in networks:
        tree[str(network)] = str(network)
    snapshot = compile_rules(RuleSet(rules=rules, defaults=Defaults(sales=False)), version=1, compiled_at=NOW)
    for network in networks:
        for near in (network.network_address, network.broadcast_address, address_kind(dice.getrandbits(bits))):
            if near in MAPPED:
                continue
            decision = snapshot.decide(str(near), endpoint=Endpoint.SALES, now=NOW)
            assert (decision.winner and decision.winner.id) == tree.get(str(near))


def test_an_explanation_never_differs_from_the_decision(request: pytest.FixtureRequest) -> None:
    dice = random.Random(f"explain {request.config.getoption('--seed')}")
    for _ in range(60):
        rules = random_rules(dice)
        snapshot = compile_rules(rules, version=1, compiled_at=NOW)
        for _ in range(20):
            address = random_address(dice, rules)
            if address in MAPPED:
                continue
            asked = {"endpoint": dice.choice(tuple(Endpoint)), "shop": dice.choice(SHOPS), "now": NOW}
            explained = explain(snapshot, Client(peer=str(address), address=str(address)), **asked)
            assert explained.decision == snapshot.decide(str(address), **asked)
            wins = [match.rule for match in explained.matches if match.part == "wins"]
            assert wins == ([] if explained.decision.winner is None else [explained.decision.winner])
            matching = {
                rule.id
                for rule in rules.rules
                if address in rule.network and rule.scope.applies(endpoint=asked["endpoint"], shop=asked["shop"])
            }
            assert {match.rule.id for match in explained.matches} == matching
