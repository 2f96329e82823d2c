"""The compiled form: what is remembered never changes an answer, and it is fast whatever the rules are."""

import gc
import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest
from ipfilters_oracle import NOW, allow, deny, exceptable

from ipfilters import (
    AddressRefused,
    Decision,
    Defaults,
    Effect,
    Endpoint,
    FileSource,
    HitCounts,
    Hits,
    Mode,
    Reason,
    Rule,
    RuleSet,
    Scope,
    Snapshot,
    compile_rules,
    deciding,
    lookups,
    verdicts,
    views,
)
from ipfilters.rules import from_source

SALES = Endpoint.SALES


def finder_of(made: Snapshot, shop: str | None) -> object:
    return getattr(made.view(SALES, shop).four, "__self__", None)


def compiled(*rules: Rule, **defaults: bool) -> Snapshot:
    return compile_rules(RuleSet(rules=rules, defaults=Defaults(**defaults)), version=7, compiled_at=NOW)


def test_a_snapshot_says_what_it_was_made_of() -> None:
    rules = RuleSet(rules=(allow("10.0.0.0/8", shop="b"), allow("10.0.0.0/8", shop="a"), deny("10.0.0.0/8")))
    made = compile_rules(rules, version=7, compiled_at=NOW)
    assert (made.rule_set, made.version, made.compiled_at, made.shops()) == (rules, 7, NOW, ["a", "b"])


def test_no_address_no_decision() -> None:
    for text in ("", "10.1", "unknown"):
        with pytest.raises(AddressRefused):
            compiled().decide(text, endpoint=SALES, now=NOW)
        with pytest.raises(AddressRefused):
            compiled().refused_early(text, endpoint=SALES, now=NOW)


def test_a_naive_now_is_refused_where_it_counts() -> None:
    made = compiled(allow("10.0.0.0/8", expires_at=NOW))
    with pytest.raises(ValueError, match="now needs an offset"):
        made.decide("10.0.0.1", endpoint=SALES, now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_what_was_decided_is_remembered_by_address_endpoint_and_shop() -> None:
    made = compiled(allow("10.0.0.0/8", shop="acme"), allow("10.0.0.0/8", endpoint=Endpoint.ADMIN))
    for _ in range(2):
        assert made.decide("10.0.0.1", endpoint=SALES, shop="acme", now=NOW).allowed
        assert not made.decide("10.0.0.1", endpoint=SALES, shop="globex", now=NOW).allowed
        assert not made.decide("10.0.0.1", endpoint=SALES, now=NOW).allowed
        assert made.decide("10.0.0.1", endpoint=Endpoint.ADMIN, now=NOW).allowed
        assert not made.decide("11.0.0.1", endpoint=SALES, shop="acme", now=NOW).allowed
    again = made.decide("10.0.0.1", endpoint=SALES, shop="acme", now=NOW)
    assert again is made.decide("10.0.0.1", endpoint=SALES, shop="acme", now=NOW)
    assert again is made.decide("10.0.0.2", endpoint=SALES, shop="acme", now=NOW)


def test_time_passes_forwards_and_backwards_over_what_is_remembered() -> None:
    hours = [timedelta(hours=number) for number in range(4)]
    made = compiled(
        allow("10.0.0.0/8", expires_at=NOW + hours[1]),
        deny("10.0.0.0/8", expires_at=NOW + hours[2], shop="acme"),
        allow("10.1.0.0/16", expires_at=NOW + hours[3], id="last"),
    )
    second = timedelta(seconds=1)
    expected = [
        (NOW, None, "allow 10.0.0.0/8 global", "deny 10.0.0.0/8 shop acme"),
        (NOW + hours[1] - second, None, "allow 10.0.0.0/8 global", "deny 10.0.0.0/8 shop acme"),
        (NOW + hours[1], None, None, "deny 10.0.0.0/8 shop acme"),
        (NOW + hours[2] - second, None, None, "deny 10.0.0.0/8 shop acme"),
        (NOW + hours[2], None, None, None),
        (NOW + hours[3], None, None, None),
    ]
    for now, _, common, acme in [*expected, *reversed(expected), *expected]:
        decisions = [made.decide("10.2.0.0", endpoint=SALES, shop=shop, now=now) for shop in (None, "acme")]
        assert [decision.winner and decision.winner.id for decision in decisions] == [common, acme]
    for now, allowed in ((NOW, True), (NOW + hours[3] - second, True), (NOW + hours[3], False), (NOW, True)):
        assert made.decide("10.1.0.0", endpoint=SALES, now=now).allowed is allowed
        # Another address of the same network meets what is remembered for the network.
        assert made.decide("10.1.0.1", endpoint=SALES, now=now).allowed is allowed


def test_memory_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four endpoints: callers of no shop, of the one shop that has rules, and those whose shop is not known yet.
    monkeypatch.setattr(views, "REMEMBERED", 17 * 12)
    made = compiled(allow("10.0.0.0/8", shop="acme"))
    for shop in (None, "acme"):
        sizes = set()
        for number in [*range(40), *range(40)]:
            assert made.decide(f"10.0.{number}.1", endpoint=SALES, shop=shop, now=NOW).allowed is (shop is not None)
            sizes.add(len(made.view(SALES, shop)._remembered))
        assert (min(sizes), max(sizes)) == (1, 17)
    for _ in range(2):
        for number in range(40):
            assert made.refused_early(f"10.0.{number}.1", endpoint=SALES, now=NOW) is None
            assert 1 <= len(made._early[SALES]._remembered) <= 17


def test_with_very_many_shops_the_servers_of_each_are_remembered() -> None:
    made = compiled(*(allow("10.0.0.0/8", shop=f"shop {number}") for number in range(1100)))
    for number in range(40):
        assert made.decide(f"10.0.{number}.1", endpoint=SALES, shop="shop 7", now=NOW).allowed
        assert len(made.view(SALES, "shop 7")._remembered) == number % 16 + 1


def test_what_changes_when_a_rule_expires_is_not_remembered_by_address() -> None:
    made = compiled(allow("10.0.0.0/8", expires_at=NOW + timedelta(hours=1)))
    assert made.decide("10.0.0.1", endpoint=SALES, now=NOW).allowed
    assert not made.view(SALES, None)._remembered
    again = made.decide("10.0.0.1", endpoint=SALES, now=NOW)
    assert again is made.decide("10.0.0.2", endpoint=SALES, now=NOW)


def test_what_a_shop_and_everybody_decide_together_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "_REMEMBERED", 8)
    made = compiled(allow("10.0.0.0/16", shop="acme"), *(exceptable(f"10.0.{number}.0/24") for number in range(20)))
    finder = finder_of(made, "acme")
    assert isinstance(finder, verdicts.PairedVerdicts)
    for _ in range(2):
        for number in range(20):
            decided = made.decide(f"10.0.{number}.1", endpoint=SALES, shop="acme", now=NOW)
            assert decided.winner is not None
            assert decided.winner.id == f"exceptable deny 10.0.{number}.0/24 global"
            assert 1 <= len(finder._known) <= 8


def test_shops_without_rules_are_decided_as_nobody_in_particular() -> None:
    made = compiled(allow("10.0.0.0/8"), allow("11.0.0.0/8", shop="acme"))
    assert made.view(SALES, "globex") is made.view(SALES, None)
    assert made.view(SALES, "acme") is not made.view(SALES, None)


def test_early_only_what_no_shop_could_be_let_in_from_is_refused() -> None:
    made = compiled(
        exceptable("0.0.0.0/0"),
        deny("192.0.2.0/24"),
        deny("10.0.0.0/8", shop="globex"),
        allow("10.0.0.0/8", shop="acme"),
        allow("192.0.2.0/25", shop="acme"),
        allow("198.51.100.0/24", shop="acme", endpoint=Endpoint.SALES),
        allow("203.0.113.0/24"),
        depot=True,
    )

    def early(address: str, endpoint: Endpoint = SALES) -> Decision | None:
        return made.refused_early(address, endpoint=endpoint, now=NOW)

    assert early("10.0.0.1") is None
    assert early("203.0.113.1") is None
    assert early("198.51.100.1") is None
    assert early("198.51.100.1", Endpoint.DEPOT) is not None
    refused = early("192.0.2.1")
    assert refused is not None
    assert refused.winner is made.rule_set.rules[1]
    refused = early("8.8.8.8")
    assert refused is not None
    assert refused.winner is made.rule_set.rules[0]
    refused = early("2001:db8::1")
    assert refused == Decision(allowed=False, reason=Reason.DEFAULT_DENY)
    assert early("2001:db8::1", Endpoint.DEPOT) is None


def test_an_early_refusal_is_remembered_apart_from_decisions_and_until_a_rule_expires() -> None:
    hour = timedelta(hours=1)
    made = compiled(allow("10.0.0.0/8", shop="acme", expires_at=NOW + hour))
    for now, refused in ((NOW, False), (NOW + hour, True), (NOW, False), (NOW + hour, True)):
        for _ in range(2):
            assert (made.refused_early("10.0.0.1", endpoint=SALES, now=now) is not None) is refused
            assert not made.decide("10.0.0.1", endpoint=SALES, now=now).allowed
            assert made.decide("10.0.0.1", endpoint=SALES, shop="acme", now=now).allowed is not refused
    with pytest.raises(ValueError, match="now needs an offset"):
        made.refused_early("10.0.0.2", endpoint=SALES, now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_every_rule_that_matches_is_given_in_the_order_of_deciding() -> None:
    rules = (
        allow("10.1.0.0/16", shop="acme"),
        allow("10.0.0.0/8", id="first"),
        allow("10.0.0.0/8", id="second"),
        deny("10.1.0.0/16", endpoint=SALES, expires_at=NOW),
        allow("10.1.1.0/24", mode=Mode.SHADOW),
        allow("10.1.1.1/32", shop="acme", endpoint=SALES),
        allow("10.1.1.2/32"),
        allow("::/0"),
    )
    matching = compiled(*rules).matching(ip_network("10.1.1.1/32")[0], endpoint=SALES, shop="acme")
    assert matching == [rules[4], rules[1], rules[2], rules[3], rules[0], rules[5]]


def test_points_are_one_address_for_each_set_of_rules() -> None:
    made = compiled(
        allow("10.0.0.0/8"), allow("10.1.0.0/16"), allow("10.1.0.0/24", shop="acme"), allow("11.0.0.0/8"), allow("::/1")
    )

    def points(network: str, shop: str | None = None) -> list[str]:
        return [str(point) for point in made.points(ip_network(network), endpoint=SALES, shop=shop)]

    assert points("10.0.0.0/8") == ["10.0.0.0", "10.1.0.0", "10.2.0.0"]
    assert points("10.0.0.0/8", "acme") == ["10.0.0.0", "10.1.0.0", "10.1.1.0", "10.2.0.0"]
    assert points("10.1.0.0/32") == ["10.1.0.0"]
    assert points("10.1.0.1/32") == ["10.1.0.1"]
    assert points("10.255.255.255/32") == ["10.255.255.255"]
    assert points("0.0.0.0/0") == ["0.0.0.0", "10.0.0.0", "10.1.0.0", "10.2.0.0", "11.0.0.0", "12.0.0.0"]
    assert points("::/0") == ["::", "8000::"]


def test_neighbours_without_a_gap_and_the_ends_of_the_space_keep_their_own_rules() -> None:
    rules = [
        allow("0.0.0.0/2"),
        allow("64.0.0.0/2"),
        allow("128.0.0.0/1"),
        allow("128.0.0.0/2"),
        allow("255.255.255.255/32"),
    ]
    made = compiled(*rules)
    for address, winner in (
        ("0.0.0.0", 0),
        ("63.255.255.255", 0),
        ("64.0.0.0", 1),
        ("127.255.255.255", 1),
        ("128.0.0.0", 3),
        ("191.255.255.255", 3),
        ("192.0.0.0", 2),
        ("255.255.255.254", 2),
        ("255.255.255.255", 4),
    ):
        assert made.decide(address, endpoint=SALES, now=NOW).winner is rules[winner]


def many(count: int) -> tuple[Rule, ...]:
    source = FileSource(file="x", line=1)
    return tuple(
        Rule(
            id=str(number),
            scope=Scope(),
            effect=Effect.ALLOW,
            network=IPv4Network(((number * 2654435761 & 0xFFFFFF) << 8, 24)),
            source=source,
        )
        for number in range(count)
    )


def test_a_hundred_thousand_networks_compile() -> None:
    made = compile_rules(RuleSet(rules=many(100_000)), version=1, compiled_at=NOW)
    assert made.decide("0.0.0.1", endpoint=SALES, now=NOW).allowed


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_of_garbage_waits_while_rules_are_compiled_and_is_then_as_it_was(
    enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "isenabled", lambda: enabled)
    called: list[str] = []
    monkeypatch.setattr(gc, "disable", lambda: called.append("disable"))
    monkeypatch.setattr(gc, "enable", lambda: called.append("enable"))
    compiled(allow("10.0.0.0/8"))
    assert called == (["disable", "enable"] if enabled else ["disable"])


def test_many_rules_on_one_network_around_many_networks_are_not_copied_into_each() -> None:
    wide = tuple(allow("0.0.0.0/0", id=f"wide {number}", mode=Mode.SHADOW) for number in range(20_000))
    # Twenty thousand times twenty thousand would meet the limits of memory and time.
    made = compiled(*wide, *many(20_000))
    assert made.decide("0.0.0.1", endpoint=SALES, now=NOW).allowed


def test_compiling_in_a_thread_and_deciding_in_several_agree() -> None:
    made: list[Snapshot] = []
    thread = threading.Thread(target=lambda: made.append(compiled(*many(2000))))
    thread.start()
    thread.join()
    wrong: list[str] = []

    def ask(first: int) -> None:
        for number in range(first, first + 2000):
            address = f"{number * 40503 & 0xFF}.{number & 0xFF}.{number * 7 & 0xFF}.1"
            expected = made[0].matching(ip_network(address)[0], endpoint=SALES)
            if made[0].decide(address, endpoint=SALES, now=NOW).allowed is not bool(expected):
                wrong.append(address)

    threads = [threading.Thread(target=ask, args=(number * 500,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_hits_are_counted_by_winner_and_begin_anew_when_taken() -> None:
    made = compiled(
        allow("10.0.0.0/8", id="a"), allow("10.1.0.0/16", id="s", mode=Mode.SHADOW), deny("11.0.0.0/8", id="d")
    )
    counts = HitCounts()
    later = NOW + timedelta(minutes=1)
    for address, now in (
        ("10.0.0.1", NOW),
        ("10.1.0.1", later),
        ("11.0.0.1", NOW),
        ("12.0.0.1", NOW),
        ("10.1.0.2", NOW),
    ):
        counts.count(made.decide(address, endpoint=SALES, now=NOW), now)
    assert counts.take() == {
        "a": Hits(count=3, last_at=NOW),
        "s": Hits(count=2, last_at=NOW),
        "d": Hits(count=1, last_at=NOW),
    }
    assert counts.take() == {}
    counts.count(made.decide("10.1.0.1", endpoint=SALES, now=NOW), later)
    assert counts.take() == {"a": Hits(count=1, last_at=later), "s": Hits(count=1, last_at=later)}


def test_an_enforced_rule_is_never_counted_for_what_it_would_do_beside_shadow_rules() -> None:
    made = compiled(
        exceptable("10.0.0.0/8", id="wide"),
        allow("10.1.0.0/16", id="shadow", mode=Mode.SHADOW),
        exceptable("10.1.1.0/24", id="narrow", shop="acme"),
    )
    counts = HitCounts()
    decision = made.decide("10.1.1.1", endpoint=SALES, shop="acme", now=NOW)
    assert decision.winner is not None
    assert decision.shadow is not None
    assert decision.shadow.winner is not None
    assert (decision.winner.id, decision.shadow.winner.id) == ("wide", "narrow")
    counts.count(decision, NOW)
    assert set(counts.take()) == {"wide"}


def test_a_shadow_default_counts_for_no_rule() -> None:
    made = compiled(exceptable("10.0.0.0/8", id="wide", mode=Mode.SHADOW, expires_at=NOW), allow("10.0.0.0/8", id="a"))
    counts = HitCounts()
    counts.count(made.decide("10.1.1.1", endpoint=SALES, now=NOW), NOW)
    assert set(counts.take()) == {"a"}


def test_among_many_networks_the_bounds_of_each_and_of_all_addresses_are_found() -> None:
    # More than the intervals from which on the first bits of an address are looked up; some share these bits.
    networks = [
        ip_network((number, length))
        for number, length in (
            *((number << 20, 30) for number in range(4096)),
            *((0x0A000000 + (number << 2), 31) for number in range(600)),
            (0xFFFFFFFE, 31),
            (0, 32),
        )
    ]
    made = compiled(*(allow(str(network)) for network in networks))
    assert isinstance(finder_of(made, None), lookups.IndexedLookup)
    inside = {int(address) for network in networks for address in network}
    for network in networks:
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            if 0 <= number < 1 << 32:
                address = str(ip_network((number, 32))[0])
                assert made.decide(address, endpoint=SALES, now=NOW).allowed is (number in inside), address


def test_intervals_parted_by_the_first_half_of_their_addresses_are_the_same(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    dice = random.Random(f"intervals {seed}")
    for many in (1, 2, 40, 3000):
        near = [dice.getrandbits(16) << 16 for _ in range(20)]
        numbers = {dice.choice(near) + dice.choice((0, 1, 255, 256, 65_535, dice.getrandbits(16))) for _ in range(many)}
        starts = sorted({0, *numbers})
        items = [f"from {start}" for start in starts]
        plain = lookups.Intervals(starts, bits=32).carrying(items)
        parted = lookups.IndexedIntervals(starts).carrying(items)
        asked = {start + by for start in (*starts, *near) for by in (-1, 0, 1, 65_536)} | {0, 2**32 - 1}
        for number in (number for number in asked if 0 <= number < 2**32):
            packed = number.to_bytes(4, "big")
            assert parted.find(packed) == plain.find(packed), (seed, starts, number)


def test_intervals_of_ipv6_narrowed_by_the_first_bits_of_an_address_are_the_same(
    request: pytest.FixtureRequest,
) -> None:
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    dice = random.Random(f"intervals of IPv6 {seed}")
    part, last = 1 << 112, (1 << 128) - 1
    for many in (1, 2, 40, 3000):
        near = [dice.getrandbits(16) * part for _ in range(20)] + [last - part + 1]
        numbers = {dice.choice(near) + dice.choice((0, 1, part - 1, dice.getrandbits(112))) for _ in range(many)}
        starts = sorted({0, *numbers})
        items = [f"from {start}" for start in starts]
        plain = lookups.Intervals(starts, bits=128).carrying(items)
        narrowed = lookups.NarrowedIntervals(starts).carrying(items)
        asked = {start + by for start in (*starts, *near) for by in (-1, 0, 1, part)} | {0, last}
        for number in (number for number in asked if 0 <= number <= last):
            packed = number.to_bytes(16, "big")
            assert narrowed.find(packed) == plain.find(packed), (seed, starts, number)


def test_among_many_networks_of_ipv6_the_bounds_of_each_are_found() -> None:
    networks = [ip_network(((0x2000 + (number >> 5) << 112) + (number << 80), 48)) for number in range(1200)]
    networks.append(ip_network(((1 << 128) - 2, 127)))
    made = compiled(*(allow(str(network)) for network in networks))
    assert isinstance(getattr(made.view(SALES, None).six, "__self__", None), lookups.NarrowedLookup)
    for network in networks:
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            if number < 1 << 128:
                address = ip_network((number, 128))[0]
                inside = any(address in other for other in networks)
                assert made.decide(str(address), endpoint=SALES, now=NOW).allowed is inside, address


def test_a_rule_from_another_source_is_the_same_rule_otherwise() -> None:
    other = FileSource(file="other", line=7)
    for rule in (
        allow("10.0.0.0/8"),
        deny("2001:db8::/32", shop="acme", endpoint=SALES, mode=Mode.SHADOW, expires_at=NOW, owner="ops", comment="x"),
    ):
        assert from_source(rule, other) == replace(rule, source=other)
        assert rule.source != other


def test_a_shop_with_more_rules_than_everybody_has_is_compiled_with_those_of_everybody() -> None:
    made = compiled(
        exceptable("10.0.0.0/8"),
        deny("10.9.0.0/16", endpoint=SALES),
        *(allow(f"10.{number}.0.0/16", shop="acme") for number in range(20)),
    )
    assert isinstance(finder_of(made, "acme"), lookups.Lookup)
    assert made.decide("10.1.0.1", endpoint=SALES, shop="acme", now=NOW).allowed
    assert made.decide("10.9.0.1", endpoint=Endpoint.DEPOT, shop="acme", now=NOW).allowed
    for address, shop in (("10.9.0.1", "acme"), ("10.1.0.1", None), ("10.30.0.1", "acme")):
        assert not made.decide(address, endpoint=SALES, shop=shop, now=NOW).allowed


def test_the_default_of_each_endpoint_counts_again_when_a_rule_that_both_share_expires() -> None:
    hour = timedelta(hours=1)
    made = compiled(deny("10.0.0.0/8", expires_at=NOW + hour), depot=True)
    for now, allowed in ((NOW, False), (NOW + hour, True), (NOW, False)):
        assert made.decide("10.0.0.1", endpoint=Endpoint.DEPOT, now=now).allowed is allowed
        assert not made.decide("10.0.0.1", endpoint=SALES, now=now).allowed


def test_a_thousand_shops_that_allow_the_same_are_looked_at_once_before_the_shop_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    decide = deciding.decide

    def counted(rules: Sequence[Rule], **how: Any) -> Decision:
        asked.append(len(rules))
        return decide(rules, **how)

    monkeypatch.setattr(deciding, "decide", counted)
    wide = (allow("0.0.0.0/0", shop=f"shop {number}") for number in range(2000))
    made = compiled(*wide, deny("10.0.0.0/8"))
    assert made.refused_early("11.0.0.1", endpoint=SALES, now=NOW) is None
    assert made.refused_early("10.0.0.1", endpoint=SALES, now=NOW) is not None
    assert max(asked) == 2
