"""What new rules would change: replay, ranges that are learnt, and edits that should be asked about."""

from collections import Counter
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfilters_oracle import NOW, allow, deny, exceptable

from ipfilters import (
    AddressRefused,
    Change,
    Danger,
    Defaults,
    Endpoint,
    Mode,
    Recorded,
    Rule,
    RuleSet,
    Snapshot,
    Warned,
    check_edit,
    compile_rules,
    learn,
    open_share,
    replay,
)

SALES, DEPOT, ADMIN = Endpoint.SALES, Endpoint.DEPOT, Endpoint.ADMIN


def compiled(*rules: Rule, **defaults: bool) -> Snapshot:
    return compile_rules(RuleSet(rules=rules, defaults=Defaults(**defaults)), version=1, compiled_at=NOW)


def test_what_new_rules_would_change_is_told_with_the_rule() -> None:
    office = allow("192.0.2.0/24", id="office")
    bad = deny("198.51.100.0/24", id="bad", shop="acme", endpoint=DEPOT)
    after = compiled(office, bad)
    records = [
        Recorded(address="192.0.2.7", endpoint=SALES, shop="acme", allowed=True, count=70),
        Recorded(address="192.0.2.8", endpoint=SALES, shop=None, allowed=False, count=3),
        Recorded(address="203.0.113.7", endpoint=SALES, shop="acme", allowed=True),
        Recorded(address="198.51.100.7", endpoint=DEPOT, shop="acme", allowed=True, count=1000),
        Recorded(address="198.51.100.7", endpoint=DEPOT, shop="globex", allowed=True),
        Recorded(address="unknown", endpoint=SALES, shop=None, allowed=True, count=2),
    ]
    replayed = replay(records, after, now=NOW)
    assert (replayed.total, replayed.changed, replayed.unreadable) == (1077, 1004, 2)
    assert [change.recorded for change in replayed.changes] == [records[1], records[2], records[3]]
    assert replayed.changes[0] == Change(
        recorded=records[1], decision=after.decide("192.0.2.8", endpoint=SALES, now=NOW)
    )
    assert replayed.changes[0].decision.winner is office
    assert str(replayed).splitlines() == [
        "1,004 of 1,077 requests would change (2 without a usable address)",
        "192.0.2.8 at Sales: 3 times denied, now allowed by rule office, allow 192.0.2.0/24 (global, filters.toml:1)",
        "203.0.113.7 at Sales as shop acme: 1 times allowed, now denied by the default",
        f"198.51.100.7 at Depot as shop acme: 1000 times allowed, now denied by rule bad, {bad}",
    ]
    assert str(bad) == "deny 198.51.100.0/24 (shop acme at Depot, filters.toml:1)"


def test_a_replay_without_changes() -> None:
    assert str(replay([], compiled(), now=NOW)) == "0 of 0 requests would change"
    rules = compiled(allow("10.0.0.0/8", expires_at=NOW))
    record = Recorded(address="10.0.0.1", endpoint=SALES, shop=None, allowed=True)
    assert replay([record], rules, now=NOW - timedelta(seconds=1)).changed == 0
    assert replay([record], rules, now=NOW).changed == 1


def seen(proposed: tuple[object, ...]) -> list[tuple[str, int, int]]:
    return [(str(one.network), one.addresses, one.requests) for one in proposed]  # type: ignore[attr-defined]


def test_few_addresses_are_proposed_as_they_are() -> None:
    proposal = learn(["192.0.2.9", "192.0.2.1", "192.0.2.9", "2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1"], most=3)
    assert seen(proposal.networks) == [("192.0.2.1/32", 1, 2), ("192.0.2.9/32", 1, 2), ("2001:db8::/64", 2, 2)]
    assert proposal.left_out == ()


def test_the_nearest_are_joined_while_there_are_too_many() -> None:
    counts = {"192.0.2.0": 1, "192.0.2.1": 2, "192.0.2.8": 3, "192.0.2.12": 4, "198.51.100.1": 5}
    assert seen(learn(counts, most=5).networks) == [(f"{text}/32", 1, n) for text, n in counts.items()]
    assert seen(learn(counts, most=4).networks) == [
        ("192.0.2.0/31", 2, 3),
        ("192.0.2.8/32", 1, 3),
        ("192.0.2.12/32", 1, 4),
        ("198.51.100.1/32", 1, 5),
    ]
    assert seen(learn(counts, most=3).networks) == [
        ("192.0.2.0/31", 2, 3),
        ("192.0.2.8/29", 2, 7),
        ("198.51.100.1/32", 1, 5),
    ]
    assert seen(learn(counts, most=2).networks) == [("192.0.2.0/28", 4, 10), ("198.51.100.1/32", 1, 5)]
    proposal = learn(counts, most=1)
    assert seen(proposal.networks) == [("192.0.2.0/28", 4, 10)]
    assert seen(proposal.left_out) == [("198.51.100.1/32", 1, 5)]


def test_of_pairs_as_near_as_each_other_the_lowest_is_joined_first() -> None:
    found = learn(["10.0.0.2", "10.0.0.3", "10.0.0.0", "10.0.0.1", "2001:db8:0:2::", "2001:db8:0:3::"], most=5)
    assert [str(one.network) for one in found.networks] == [
        "10.0.0.0/31",
        "10.0.0.2/32",
        "10.0.0.3/32",
        "2001:db8:0:2::/64",
        "2001:db8:0:3::/64",
    ]


def test_nothing_wider_than_was_allowed_is_proposed_and_the_rest_is_left_out_by_requests() -> None:
    counts = {"10.0.0.1": 1, "10.0.0.129": 1, "10.0.1.1": 5, "10.0.2.1": 3, "2001:db8::": 4, "2001:db8:1::": 2}
    proposal = learn(counts, most=3)
    assert seen(proposal.networks) == [("10.0.1.1/32", 1, 5), ("10.0.2.1/32", 1, 3), ("2001:db8::/64", 1, 4)]
    assert seen(proposal.left_out) == [("10.0.0.0/24", 2, 2), ("2001:db8:1::/64", 1, 2)]
    assert seen(learn(counts, most=2, widest_ipv4=22, widest_ipv6=47).networks) == [
        ("10.0.0.0/22", 4, 10),
        ("2001:db8::/47", 2, 6),
    ]
    assert seen(learn(["10.0.0.0", "10.0.0.1"], most=1, widest_ipv4=32).left_out) == [("10.0.0.1/32", 1, 1)]
    assert seen(learn(["0.0.0.0", "255.0.0.0"], most=1, widest_ipv4=0).networks) == [("0.0.0.0/0", 2, 2)]
    assert seen(learn(["::1", "8000::"], most=1, widest_ipv6=0, narrowest_ipv6=128).networks) == [("::/0", 2, 2)]
    assert seen(learn(["::1", "::2"], most=2, narrowest_ipv6=128).networks) == [("::1/128", 1, 1), ("::2/128", 1, 1)]


def test_how_wide_is_proposed_unless_said_otherwise() -> None:
    assert seen(learn(["10.0.0.0", "10.0.0.255"], most=1).networks) == [("10.0.0.0/24", 2, 2)]
    assert len(learn(["10.0.0.0", "10.0.1.255"], most=1).left_out) == 1
    assert seen(learn(["2001:db8::", "2001:db8:0:ffff::"], most=1).networks) == [("2001:db8::/48", 2, 2)]
    assert len(learn(["2001:db8::", "2001:db8:1::"], most=1).left_out) == 1


def test_dangers_are_a_closed_set() -> None:
    assert [str(danger) for danger in Danger] == ["locks-out", "opens"]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\Amost must be at least 1\Z"):
        learn([], most=0)
    for wrong in (
        {"widest_ipv4": 33},
        {"widest_ipv4": -1},
        {"widest_ipv6": 65},
        {"widest_ipv6": -1},
        {"narrowest_ipv6": 129},
    ):
        with pytest.raises(ValueError, match="at least"):
            learn([], most=1, **wrong)
    with pytest.raises(AddressRefused):
        learn(["unknown"], most=1)
    assert learn([], most=1).networks == ()


@given(
    st.lists(st.ip_addresses(v=4, network="10.0.0.0/12") | st.ip_addresses(v=6, network="2001:db8::/40"), max_size=40),
    st.integers(1, 10),
    st.integers(0, 32),
    st.integers(0, 64),
)
def test_everything_that_was_seen_is_proposed_or_left_out(
    addresses: list[IPv4Address | IPv6Address], most: int, widest_ipv4: int, widest_ipv6: int
) -> None:
    proposal = learn(map(str, addresses), most=most, widest_ipv4=widest_ipv4, widest_ipv6=widest_ipv6)
    groups = [*proposal.networks, *proposal.left_out]
    assert len(proposal.networks) <= most
    assert not proposal.left_out or len(proposal.networks) == most
    assert all(one.network.prefixlen >= (widest_ipv4 if one.network.version == 4 else widest_ipv6) for one in groups)
    counts = Counter(addresses)
    for one in groups:
        inside = [address for address in counts if address in one.network]
        assert one.addresses == len(inside)
        assert one.requests == sum(counts[address] for address in inside)
    assert sum(one.addresses for one in groups) == len(counts)
    assert sum(one.requests for one in groups) == len(addresses)
    if len(groups) > most:
        supernets = Counter(
            one.network.supernet(new_prefix=widest_ipv4 if one.network.version == 4 else widest_ipv6) for one in groups
        )
        assert max(supernets.values()) == 1


BEFORE = compiled(allow("192.0.2.0/24", endpoint=ADMIN))


def check(
    after: Snapshot, *, before: Snapshot = BEFORE, editor: str = "192.0.2.7", **asked: object
) -> tuple[Warned, ...]:
    return check_edit(before, after, editor=editor, now=NOW, **asked)  # type: ignore[arg-type]


def test_an_edit_that_locks_out_its_editor_is_warned_of() -> None:
    bad = deny("192.0.2.7", id="bad")
    (warned,) = check(compiled(*BEFORE.rule_set.rules, bad))
    assert warned == Warned(
        danger=Danger.LOCKS_OUT,
        endpoint=ADMIN,
        shop=None,
        rule=bad,
        message=f"this locks out 192.0.2.7, the address that you use yourself, by {bad}",
    )
    (warned,) = check(compiled())
    assert (warned.danger, warned.rule) == (Danger.LOCKS_OUT, None)
    assert (
        warned.message == "this locks out 192.0.2.7, the address that you use yourself, by the default of the endpoint"
    )


def test_an_edit_is_not_to_blame_for_what_was_so_before_or_is_elsewhere() -> None:
    assert check(BEFORE) == ()
    assert check(compiled(), editor="203.0.113.7") == ()
    assert check(compiled(*BEFORE.rule_set.rules, deny("192.0.2.7", endpoint=SALES))) == ()
    assert check(compiled(*BEFORE.rule_set.rules, deny("192.0.2.7", mode=Mode.SHADOW))) == ()
    assert check(compiled(*BEFORE.rule_set.rules, deny("192.0.2.7", expires_at=NOW))) == ()
    with pytest.raises(AddressRefused):
        check(BEFORE, editor="unknown")


def test_the_editor_may_be_a_shop_at_another_endpoint() -> None:
    before = compiled(allow("192.0.2.0/24", shop="acme"))
    (warned,) = check(compiled(), before=before, endpoint=SALES, shop="acme")
    assert (warned.danger, warned.endpoint, warned.shop) == (Danger.LOCKS_OUT, SALES, "acme")


def test_an_edit_that_opens_an_endpoint_to_everybody_is_warned_of() -> None:
    everybody = allow("0.0.0.0/0", endpoint=SALES)
    assert check(compiled(*BEFORE.rule_set.rules, everybody)) == (
        Warned(
            danger=Danger.OPENS,
            endpoint=SALES,
            shop=None,
            rule=everybody,
            message="this opens Sales to 100% of all addresses, by allow 0.0.0.0/0 (endpoint Sales, filters.toml:1)",
        ),
    )
    (warned,) = check(compiled(*BEFORE.rule_set.rules, sales=True))
    assert (warned.endpoint, warned.rule, warned.message) == (SALES, None, "this opens Sales to 100% of all addresses")


def test_what_opens_an_endpoint_in_parts_or_for_one_family_or_one_shop() -> None:
    own = BEFORE.rule_set.rules
    halves = (allow("0.0.0.0/1", endpoint=SALES), allow("128.0.0.0/1", endpoint=SALES))
    (warned,) = check(compiled(*own, *halves))
    assert (warned.danger, warned.rule) == (Danger.OPENS, None)
    assert check(compiled(*own, halves[0])) == ()
    (warned,) = check(compiled(*own, allow("2000::/3", endpoint=SALES)))
    assert (warned.danger, warned.message) == (Danger.OPENS, "this opens Sales to 100% of all addresses")
    assert check(compiled(*own, allow("2000::/4", endpoint=SALES))) == ()
    (warned,) = check(compiled(*own, allow("::/0", shop="acme", endpoint=SALES)))
    assert (warned.endpoint, warned.shop) == (SALES, "acme")
    assert (
        warned.message
        == "this opens Sales as shop acme to 100% of all addresses, by allow ::/0 (shop acme at Sales, filters.toml:1)"
    )
    warnings = check(compiled(*own, allow("::/0", shop="acme")))
    assert {(one.endpoint, one.shop) for one in warnings} == {(SALES, "acme"), (ADMIN, "acme")}
    warnings = check(compiled(*own, allow("::/0")))
    assert {(one.endpoint, one.shop) for one in warnings} == {(SALES, None), (ADMIN, None)}


def test_dropping_a_deny_can_open_too() -> None:
    own = BEFORE.rule_set.rules
    closed = compiled(*own, exceptable("0.0.0.0/0", shop="acme"), exceptable("::/0", shop="acme"))
    warnings = check(BEFORE, before=closed)
    assert {(one.endpoint, one.shop) for one in warnings} == {(DEPOT, "acme"), (Endpoint.OZOMM, "acme")}
    assert check(closed, before=closed) == ()


def test_moving_a_rule_in_its_file_changes_nothing_and_expiry_and_mode_do() -> None:
    own = BEFORE.rule_set.rules
    before = compiled(*own, allow("0.0.0.0/0", endpoint=SALES, mode=Mode.SHADOW))
    assert check(compiled(allow("0.0.0.0/0", endpoint=SALES, mode=Mode.SHADOW, line=9), *own), before=before) == ()
    assert len(check(compiled(*own, allow("0.0.0.0/0", endpoint=SALES)), before=before)) == 1
    before = compiled(*own, allow("0.0.0.0/0", endpoint=SALES, expires_at=NOW))
    assert (
        len(check(compiled(*own, allow("0.0.0.0/0", endpoint=SALES, expires_at=NOW + timedelta(1))), before=before))
        == 1
    )


def test_the_share_that_is_open() -> None:
    made = compiled(
        allow("0.0.0.0/2", shop="acme"),
        deny("0.0.0.0/3", shop="acme"),
        allow("3000::/4", endpoint=ADMIN),
        allow("::/3"),
    )
    assert open_share(made, endpoint=SALES, now=NOW) == 0.0
    assert open_share(made, endpoint=SALES, shop="acme", now=NOW) == 0.125
    assert open_share(made, endpoint=ADMIN, now=NOW) == 0.5
    assert open_share(made, endpoint=DEPOT, now=NOW) == 1.0
    single = compiled(allow("255.255.255.255"))
    assert open_share(single, endpoint=SALES, now=NOW) == 1 / 2**32
