"""The rules of decision, one by one, with the reasons that are told."""

import dataclasses
import importlib
import pkgutil
from datetime import timedelta
from ipaddress import ip_network

import pytest
from ipfilters_oracle import NOW, allow, deny, exceptable

import ipfilters
from ipfilters import (
    DatabaseSource,
    Decision,
    Defaults,
    Effect,
    Endpoint,
    FileSource,
    Level,
    Mode,
    Outcome,
    Reason,
    Rule,
    RuleSet,
    Scope,
    compile_rules,
)


def decide(
    *rules: Rule,
    address: str = "10.1.1.1",
    endpoint: Endpoint = Endpoint.SALES,
    shop: str | None = "acme",
    **defaults: bool,
) -> Decision:
    snapshot = compile_rules(RuleSet(rules=rules, defaults=Defaults(**defaults)), version=1, compiled_at=NOW)
    return snapshot.decide(address, endpoint=endpoint, shop=shop, now=NOW)


def test_endpoints_effects_modes_and_reasons_are_closed_sets() -> None:
    assert [str(endpoint) for endpoint in Endpoint] == ["Sales", "Depot", "Ozomm", "Admin"]
    assert [str(effect) for effect in Effect] == ["allow", "deny", "exceptable deny"]
    assert [str(mode) for mode in Mode] == ["enforce", "shadow"]
    assert [str(reason) for reason in Reason] == ["deny-rule", "allow-rule", "default-deny", "default-allow"]


def test_without_a_rule_the_default_of_the_endpoint_decides() -> None:
    for endpoint, allowed in (
        (Endpoint.SALES, False),
        (Endpoint.DEPOT, True),
        (Endpoint.OZOMM, True),
        (Endpoint.ADMIN, False),
    ):
        for shop in (None, "acme"):
            reason = Reason.DEFAULT_ALLOW if allowed else Reason.DEFAULT_DENY
            assert decide(endpoint=endpoint, shop=shop) == Decision(allowed=allowed, reason=reason)
        turned = decide(endpoint=endpoint, **{endpoint.lower(): not allowed})
        assert turned.allowed is not allowed


def test_the_longest_allow_wins_over_the_default() -> None:
    rules = (allow("10.0.0.0/8"), allow("10.1.0.0/16"), allow("10.2.0.0/16"))
    assert decide(*rules) == Decision(allowed=True, reason=Reason.ALLOW_RULE, winner=rules[1])
    assert decide(*rules, address="10.3.0.0").winner is rules[0]
    assert decide(*rules, address="11.0.0.0").winner is None


def test_a_plain_deny_wins_over_every_allow_however_long_and_special() -> None:
    wide = deny("10.0.0.0/8")
    assert decide(wide, allow("10.1.1.1/32", shop="acme", endpoint=Endpoint.SALES)) == Decision(
        allowed=False, reason=Reason.DENY_RULE, winner=wide
    )


def test_a_longer_allow_of_any_scope_sets_an_exceptable_deny_aside() -> None:
    for scope in ({}, {"endpoint": Endpoint.SALES}, {"shop": "acme"}, {"shop": "acme", "endpoint": Endpoint.SALES}):
        for of_deny in ({}, {"shop": "acme"}):
            longer = allow("10.1.0.0/16", **scope)
            assert decide(exceptable("10.0.0.0/8", **of_deny), longer).winner is longer


def test_an_allow_as_long_as_an_exceptable_deny_or_shorter_does_not() -> None:
    for network in ("10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"):
        own = exceptable("10.1.0.0/16")
        decision = decide(own, allow(network, shop="acme", endpoint=Endpoint.SALES))
        assert decision == Decision(allowed=False, reason=Reason.DENY_RULE, winner=own)


def test_an_exceptable_deny_that_is_set_aside_does_not_hide_another_deny() -> None:
    stands = deny("10.0.0.0/8", shop="acme")
    assert decide(exceptable("10.0.0.0/8"), stands, allow("10.1.1.1/32")).winner is stands


def test_of_several_denies_the_first_level_is_named_then_the_longest_then_the_first() -> None:
    levels = [
        deny("10.0.0.0/8"),
        deny("10.1.0.0/16", endpoint=Endpoint.SALES),
        deny("10.1.1.0/24", shop="acme"),
        deny("10.1.1.1/32", shop="acme", endpoint=Endpoint.SALES),
    ]
    for number in range(4):
        assert decide(*reversed(levels[number:])).winner is levels[number]
    longer = deny("10.1.0.0/16")
    assert decide(levels[0], longer).winner is longer
    first, second = deny("10.0.0.0/8", id="first"), exceptable("10.0.0.0/8", id="second")
    assert decide(first, second).winner is first
    assert decide(second, first).winner is second


def test_of_allows_as_long_as_each_other_the_last_level_is_named_then_the_first() -> None:
    levels = [
        allow("10.0.0.0/8"),
        allow("10.0.0.0/8", endpoint=Endpoint.SALES),
        allow("10.0.0.0/8", shop="acme"),
        allow("10.0.0.0/8", shop="acme", endpoint=Endpoint.SALES),
    ]
    for number in range(4):
        assert decide(*levels[: number + 1]).winner is levels[number]
        assert decide(*reversed(levels[: number + 1])).winner is levels[number]
    first, second = allow("10.0.0.0/8", id="first"), allow("10.0.0.0/8", id="second")
    assert decide(first, second).winner is first
    assert decide(allow("10.0.0.0/8", shop="acme"), longer := allow("10.1.0.0/16")).winner is longer


def test_a_rule_of_another_scope_does_not_match() -> None:
    for scope in ({"endpoint": Endpoint.DEPOT}, {"shop": "globex"}, {"shop": "acme", "endpoint": Endpoint.DEPOT}):
        assert decide(allow("10.0.0.0/8", **scope)).winner is None
    assert decide(allow("10.0.0.0/8", shop="acme"), shop=None).winner is None
    assert decide(allow("10.0.0.0/8", endpoint=Endpoint.SALES), shop=None).allowed


def test_families_do_not_mix() -> None:
    rules = (allow("0.0.0.0/0"), allow("2001:db8::/32"))
    assert decide(*rules, address="2001:db8::1").winner is rules[1]
    assert decide(*rules, address="2001:db9::1").winner is None
    assert decide(*rules, address="::ffff:10.0.0.1").winner is rules[0]
    assert decide(*rules, address="::10.0.0.1").winner is None
    assert decide(allow("::/0"), address="10.0.0.1").winner is None


def test_a_shadow_rule_tells_and_changes_nothing() -> None:
    shadow = deny("10.0.0.0/8", mode=Mode.SHADOW)
    enforced = allow("10.1.0.0/16")
    decision = decide(shadow, enforced)
    assert decision == Decision(
        allowed=True,
        reason=Reason.ALLOW_RULE,
        winner=enforced,
        shadow=Outcome(allowed=False, reason=Reason.DENY_RULE, winner=shadow),
    )
    assert (decision.would_deny, decision.would_allow) == (True, False)


def test_a_shadow_allow_would_let_in_and_sets_no_deny_aside() -> None:
    shadow, wide = allow("10.1.0.0/16", mode=Mode.SHADOW), exceptable("10.0.0.0/8")
    decision = decide(wide, shadow)
    assert decision.winner is wide
    assert decision.shadow == Outcome(allowed=True, reason=Reason.ALLOW_RULE, winner=shadow)
    assert (decision.would_deny, decision.would_allow) == (False, True)


def test_a_shadow_rule_that_agrees_would_change_nothing() -> None:
    for rules in (
        (allow("10.0.0.0/8"), allow("10.1.0.0/16", mode=Mode.SHADOW)),
        (deny("10.1.0.0/16", mode=Mode.SHADOW),),
    ):
        decision = decide(*rules)
        assert decision.shadow is not None
        assert (decision.would_deny, decision.would_allow) == (False, False)
    assert (decide().would_deny, decide().would_allow, decide().shadow) == (False, False, None)


@pytest.mark.parametrize("offset", [timedelta(seconds=-1), timedelta(0)])
def test_a_rule_does_not_match_from_the_instant_of_its_expiry_on(offset: timedelta) -> None:
    assert decide(allow("10.0.0.0/8", expires_at=NOW + offset)) == Decision(allowed=False, reason=Reason.DEFAULT_DENY)
    assert decide(allow("10.0.0.0/8", expires_at=NOW + offset, mode=Mode.SHADOW)).shadow is None


def test_a_rule_matches_until_its_expiry() -> None:
    assert decide(allow("10.0.0.0/8", expires_at=NOW + timedelta(microseconds=1))).allowed


def test_a_rule_that_could_not_work_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\Aa rule needs an id\Z"):
        allow("10.0.0.0/8", id="")
    with pytest.raises(ValueError, match=r"\Aexpires_at needs an offset from UTC\Z"):
        allow("10.0.0.0/8", expires_at=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match=r"\Aan IPv4-mapped network never matches; give the IPv4 network\Z"):
        allow("::ffff:10.0.0.0/104")
    with pytest.raises(ValueError, match="needs a name"):
        Scope(shop="")
    with pytest.raises(ValueError, match="two rules have the id 'x'"):
        RuleSet(rules=(allow("10.0.0.0/8", id="x"), deny("11.0.0.0/8", id="y"), deny("10.0.0.0/8", id="x")))


def test_what_rules_look_like_to_people() -> None:
    scopes = [
        Scope(),
        Scope(endpoint=Endpoint.OZOMM),
        Scope(shop="acme"),
        Scope(shop="acme", endpoint=Endpoint.DEPOT),
    ]
    assert [str(scope) for scope in scopes] == ["global", "endpoint Ozomm", "shop acme", "shop acme at Depot"]
    assert [scope.level for scope in scopes] == [Level.GLOBAL, Level.ENDPOINT, Level.SHOP, Level.SHOP_AT_ENDPOINT]
    assert [int(level) for level in Level] == [0, 1, 2, 3]
    assert str(exceptable("10.0.0.0/8", line=12)) == "exceptable deny 10.0.0.0/8 (global, filters.toml:12)"
    source = DatabaseSource(row="17", who="alice", at=NOW)
    assert str(source) == "database 17, by alice at 2026-11-24T09:00:00+00:00"
    rule = Rule(id="x", scope=scopes[1], effect=Effect.ALLOW, network=ip_network("10.0.0.0/8"), source=source)
    assert str(rule) == f"allow 10.0.0.0/8 (endpoint Ozomm, {source})"
    assert FileSource(file="f", line=1) != FileSource(file="f", line=2)


def test_scopes_meet_where_some_connection_is_in_both() -> None:
    everywhere, sales, depot = Scope(), Scope(endpoint=Endpoint.SALES), Scope(endpoint=Endpoint.DEPOT)
    acme, globex, at_sales = Scope(shop="acme"), Scope(shop="globex"), Scope(shop="acme", endpoint=Endpoint.SALES)
    meeting = [
        (everywhere, sales),
        (everywhere, acme),
        (sales, acme),
        (acme, at_sales),
        (sales, at_sales),
        (sales, sales),
    ]
    apart = [(sales, depot), (acme, globex), (depot, at_sales), (globex, at_sales)]
    for one, other in meeting:
        assert one.meets(other)
        assert other.meets(one)
    for one, other in apart:
        assert not one.meets(other)
        assert not other.meets(one)


def test_no_value_of_the_package_can_be_changed_or_be_given_by_place() -> None:
    modules = [importlib.import_module(f"ipfilters.{found.name}") for found in pkgutil.iter_modules(ipfilters.__path__)]
    values = {kind for module in modules for kind in vars(module).values() if dataclasses.is_dataclass(kind)}
    assert len(values) > 20
    for kind in values:
        assert kind.__dataclass_params__.frozen, kind
        assert all(field.kw_only for field in dataclasses.fields(kind) if field.init), kind
        assert "__slots__" in vars(kind), kind
