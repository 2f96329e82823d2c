"""What lint finds, and that a rule it says never wins never does."""

import random
from datetime import timedelta
from ipaddress import ip_network

import pytest
from ipfilters_oracle import NOW, SHOPS, allow, deny, exceptable, oracle, random_rules

from ipfilters import Code, Endpoint, Finding, Mode, Rule, RuleSet, Severity, compile_rules, lint_proxies, lint_rules


def lint(*rules: Rule, **options: object) -> list[Finding]:
    snapshot = compile_rules(RuleSet(rules=rules), version=1, compiled_at=NOW)
    return lint_rules(snapshot, now=NOW, **options)  # type: ignore[arg-type]


def codes(findings: list[Finding], *, without: Code | None = None) -> list[tuple[Code, str]]:
    return [(finding.code, finding.rule.id) for finding in findings if finding.rule and finding.code is not without]


def test_codes_and_severities_are_closed_sets() -> None:
    assert [str(code) for code in Code] == [
        "never-wins",
        "duplicate",
        "opposite",
        "expired",
        "expiring",
        "never-hit",
        "unhit",
        "too-wide",
        "proxies-everybody",
        "proxies-wide",
    ]
    assert [str(severity) for severity in Severity] == ["error", "warning", "hint"]


def test_rules_that_are_in_order_give_no_findings() -> None:
    assert (
        lint(allow("10.0.0.0/8"), deny("11.0.0.0/8"), allow("192.0.2.0/24", shop="acme"), allow("2001:db8::/32")) == []
    )
    assert lint() == []


def test_a_rule_under_a_plain_deny_never_wins() -> None:
    wide, dead = deny("10.0.0.0/8"), allow("10.1.0.0/16", shop="acme")
    never = [finding for finding in lint(wide, dead) if finding.code is Code.NEVER_WINS]
    assert never == [
        Finding(
            code=Code.NEVER_WINS,
            severity=Severity.WARNING,
            message=f"{dead}: it never decides anything; {wide} goes before it",
            rule=dead,
            other=wide,
        )
    ]


@pytest.mark.parametrize(
    ("rules", "never"),
    [
        # Two halves hide a whole.
        ((deny("10.0.0.0/9"), deny("10.128.0.0/9"), allow("10.0.0.0/8", id="x")), ["x"]),
        ((deny("10.0.0.0/9"), allow("10.0.0.0/8", id="x")), []),
        ((allow("10.0.0.0/9"), allow("10.128.0.0/9"), allow("10.0.0.0/8", id="x")), ["x"]),
        # A deny of a shop does not hide a global allow, nor one of another endpoint.
        ((deny("10.0.0.0/8", shop="acme"), allow("10.0.0.0/8", id="x")), []),
        ((deny("10.0.0.0/8", endpoint=Endpoint.SALES), allow("10.0.0.0/8", id="x", endpoint=Endpoint.DEPOT)), []),
        ((deny("10.0.0.0/8", endpoint=Endpoint.SALES), allow("10.0.0.0/8", id="x", shop="acme")), []),
        (
            (
                deny("10.0.0.0/8", endpoint=Endpoint.SALES),
                allow("10.0.0.0/8", id="x", shop="acme", endpoint=Endpoint.SALES),
            ),
            ["x"],
        ),
        ((*(deny("10.0.0.0/8", endpoint=endpoint) for endpoint in Endpoint), allow("10.0.0.0/8", id="x")), ["x"]),
        # A deny that is more special than another one never decides, and the other way round it does.
        ((deny("10.0.0.0/8"), deny("10.1.0.0/16", shop="acme", id="x")), ["x"]),
        ((deny("10.1.0.0/16"), deny("10.0.0.0/8", shop="acme", id="x")), []),
        # An exceptable deny of the same length.
        ((exceptable("10.0.0.0/8"), allow("10.0.0.0/8", id="x")), ["x"]),
        ((exceptable("10.0.0.0/8"), allow("10.1.0.0/16", id="x")), []),
        ((exceptable("10.0.0.0/8", id="x"), allow("10.0.0.0/9"), allow("10.128.0.0/9")), ["x"]),
        # An allow of a shop sets aside what would go before: the wide deny decides for that shop.
        ((exceptable("10.0.0.0/16"), deny("10.0.0.0/16", endpoint=Endpoint.SALES, id="x")), ["x"]),
        (
            (
                exceptable("10.0.0.0/16"),
                deny("10.0.0.0/16", endpoint=Endpoint.SALES, id="x"),
                allow("10.0.0.0/24", shop="acme", id="y"),
            ),
            [],
        ),
        # Shadow rules hide nothing that is enforced, but are hidden themselves.
        ((deny("10.0.0.0/8", mode=Mode.SHADOW), allow("10.0.0.0/8", id="x")), []),
        ((deny("10.0.0.0/8"), allow("10.0.0.0/8", id="x", mode=Mode.SHADOW)), ["x"]),
        ((allow("10.0.0.0/8"), deny("10.0.0.0/8", id="x", mode=Mode.SHADOW)), []),
        # Nor do expired ones.
        ((deny("10.0.0.0/8", expires_at=NOW), allow("10.0.0.0/8", id="x")), []),
        ((deny("2001:db8::/32"), allow("2001:db8:1::/48", id="x")), ["x"]),
    ],
)
def test_which_rules_never_win(rules: tuple[Rule, ...], never: list[str]) -> None:
    found = [finding.rule.id for finding in lint(*rules) if finding.code is Code.NEVER_WINS and finding.rule]
    assert [name for name in found if name in {"x"}] == never


def test_what_never_wins_by_lint_never_wins_by_a_scan_and_the_other_way_round(request: pytest.FixtureRequest) -> None:
    dice = random.Random(f"lint {request.config.getoption('--seed')}")
    for _ in range(60):
        rules = random_rules(dice)
        rules = RuleSet(rules=rules.rules[:20], defaults=rules.defaults)
        findings = lint_rules(compile_rules(rules, version=1, compiled_at=NOW), now=NOW)
        wins, wins_in_shadow = set(), set()
        for network in {rule.network for rule in rules.rules}:
            for address in (
                network.network_address,
                network.broadcast_address,
                network.network_address + 1 - (network.prefixlen == network.max_prefixlen),
            ):
                for endpoint in Endpoint:
                    for shop in SHOPS:
                        answer = oracle(rules, address, endpoint, shop, NOW)
                        wins.add(answer.winner)
                        wins_in_shadow.add(answer.winner if answer.shadow_allowed is None else answer.shadow_winner)
        never = {finding.rule.id for finding in findings if finding.code is Code.NEVER_WINS and finding.rule}
        for rule in rules.rules:
            if rule.id in never:
                assert rule.id not in (wins if rule.mode is Mode.ENFORCE else wins_in_shadow)


def test_a_rule_that_stands_twice_is_told_once_with_the_place_of_the_other() -> None:
    first, second = allow("10.0.0.0/8", id="a", line=3), allow("10.0.0.0/8", id="b", line=9)
    assert lint(first, second) == [
        Finding(
            code=Code.DUPLICATE,
            severity=Severity.WARNING,
            message="allow 10.0.0.0/8 (global, filters.toml:9): filters.toml:3 says the same; drop one",
            rule=second,
            other=first,
        )
    ]
    for other in (
        allow("10.0.0.0/8", id="b", shop="acme"),
        allow("10.0.0.0/8", id="b", mode=Mode.SHADOW),
        allow("10.0.0.0/9", id="b"),
    ):
        assert Code.DUPLICATE not in {finding.code for finding in lint(first, other)}


@pytest.mark.parametrize(
    ("rules", "severity", "winner"),
    [
        ((allow("10.0.0.0/8", id="a"), deny("10.1.0.0/16", id="x")), Severity.HINT, "deny"),
        ((exceptable("10.0.0.0/8", id="a"), allow("10.1.0.0/16", id="x")), Severity.HINT, "allow"),
        ((deny("10.0.0.0/8", id="a"), allow("10.1.0.0/16", id="x")), Severity.WARNING, "deny"),
        ((exceptable("10.0.0.0/8", id="a"), allow("10.0.0.0/8", id="x")), Severity.WARNING, "exceptable deny"),
        ((allow("10.0.0.0/8", id="a"), exceptable("10.0.0.0/8", id="x")), Severity.WARNING, "exceptable deny"),
        ((allow("10.0.0.0/8", id="a"), deny("10.0.0.0/8", id="x", shop="acme")), Severity.WARNING, "deny"),
        ((allow("2001:db8::/32", id="a"), deny("2001:db8::/48", id="x")), Severity.HINT, "deny"),
    ],
)
def test_rules_that_do_the_opposite_of_each_other(rules: tuple[Rule, ...], severity: Severity, winner: str) -> None:
    for order in (rules, tuple(reversed(rules))):
        (found,) = [finding for finding in lint(*order) if finding.code is Code.OPPOSITE]
        if rules[0].network != rules[1].network:
            assert (found.rule, found.other) == (rules[1], rules[0])
        else:
            assert (found.rule, found.other) == (order[1], order[0])
        assert found.severity is severity
        assert (
            found.message == f"{found.rule}: it does the opposite of {found.other}; where both match, the {winner} wins"
        )


def test_the_nearest_opposite_is_told_and_what_never_meets_is_not() -> None:
    rules = (allow("10.0.0.0/8", id="far"), allow("10.1.0.0/16", id="near"), deny("10.1.1.0/24", id="x"))
    (found,) = [finding for finding in lint(*rules) if finding.code is Code.OPPOSITE]
    assert (found.rule, found.other) == (rules[2], rules[1])
    for apart in (
        (allow("10.0.0.0/8", shop="acme", id="a"), deny("10.0.0.0/8", shop="globex", id="b")),
        (allow("10.0.0.0/8", endpoint=Endpoint.SALES, id="a"), deny("10.0.0.0/8", endpoint=Endpoint.DEPOT, id="b")),
        (allow("10.0.0.0/8", id="a"), deny("11.0.0.0/8", id="b")),
        (exceptable("10.0.0.0/8", id="a"), deny("10.1.0.0/16", id="b")),
        (allow("10.0.0.0/8", id="a"), allow("10.1.0.0/16", id="b")),
        (allow("10.0.0.0/8", id="a"), deny("10.0.0.0/8", id="b", expires_at=NOW)),
    ):
        assert Code.OPPOSITE not in {finding.code for finding in lint(*apart)}


def test_what_expired_and_what_soon_will() -> None:
    day = timedelta(days=1)
    rules = (
        allow("10.0.0.0/8", expires_at=NOW),
        allow("11.0.0.0/8", expires_at=NOW + timedelta(seconds=1)),
        allow("12.0.0.0/8", expires_at=NOW + 14 * day),
        allow("13.0.0.0/8", expires_at=NOW + 14 * day + timedelta(seconds=1)),
    )
    found = lint(*rules)
    assert codes(found) == [(Code.EXPIRED, rules[0].id), (Code.EXPIRING, rules[1].id), (Code.EXPIRING, rules[2].id)]
    assert found[0].message == f"{rules[0]}: it expired at {NOW.isoformat()}; drop it, or write a later expires_at"
    assert found[1].message == f"{rules[1]}: it expires at 2026-11-24T09:00:01+00:00"
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert len(lint(*rules, expiring=15 * day)) == 4


def test_what_never_decided_is_told_when_somebody_counted() -> None:
    rules = (allow("10.0.0.0/8", id="a"), allow("11.0.0.0/8", id="b"), allow("12.0.0.0/8", id="c"))
    found = lint(*rules, allow("13.0.0.0/8", id="old", expires_at=NOW), hits={"a": 3, "b": 0})
    never = [finding for finding in found if finding.code is Code.NEVER_HIT]
    assert [finding.rule for finding in never] == [rules[1], rules[2]]
    assert never[0].message == f"{rules[1]}: it never decided; drop it when nobody needs it"
    assert {finding.severity for finding in never} == {Severity.HINT}
    assert len([finding for finding in lint(*rules, hits={}) if finding.code is Code.NEVER_HIT]) == 3


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (allow("0.0.0.0/0"), "it lets in everybody; write narrower networks"),
        (allow("::/0", mode=Mode.SHADOW), "it lets in everybody; write narrower networks"),
        (allow("10.0.0.0/7"), "it lets in a large part of the internet; write narrower networks"),
        (allow("2000::/15"), "it lets in a large part of the internet; write narrower networks"),
        (deny("0.0.0.0/0"), "it shuts out everybody, whatever is allowed; make it exceptable"),
        (deny("::/0"), "it shuts out everybody, whatever is allowed; make it exceptable"),
        (allow("10.0.0.0/8"), None),
        (allow("2000::/16"), None),
        (deny("0.0.0.0/1"), None),
        (exceptable("0.0.0.0/0"), None),
    ],
)
def test_what_is_too_wide(rule: Rule, message: str | None) -> None:
    found = [finding for finding in lint(rule) if finding.code is Code.TOO_WIDE]
    assert [finding.message for finding in found] == ([] if message is None else [f"{rule}: {message}"])
    assert all(finding.severity is Severity.WARNING for finding in found)


def test_findings_stand_in_the_order_of_the_rules() -> None:
    rules = (allow("0.0.0.0/0", id="a"), allow("10.0.0.0/8", id="b", expires_at=NOW), deny("10.0.0.0/8", id="c"))
    assert [finding.rule for finding in lint(*rules)] == [rules[0], rules[1], rules[2]]


@pytest.mark.parametrize(
    "networks",
    [["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["10.0.0.1/32", "::/1", "8000::/1"]],
)
def test_believing_everybody_is_an_error_also_in_parts(networks: list[str]) -> None:
    found = [finding for finding in lint_proxies(map(ip_network, networks)) if finding.severity is Severity.ERROR]
    assert [finding.code for finding in found] == [Code.PROXIES_EVERYBODY]
    whole = "::/0" if ":" in networks[-1] else "0.0.0.0/0"
    assert (
        found[0].message
        == f"the trusted proxies hold {whole}, so every client can say to be anyone; list proxies alone"
    )
    assert (found[0].rule, found[0].other) == (None, None)


@pytest.mark.parametrize(
    ("network", "warned"),
    [
        ("10.0.0.0/8", True),
        ("10.0.0.0/9", False),
        ("172.16.0.0/12", True),
        ("172.16.0.0/13", False),
        ("172.0.0.0/8", True),
        ("192.168.0.0/16", True),
        ("192.168.1.0/24", False),
        ("100.64.0.0/10", True),
        ("fc00::/7", True),
        ("fd00::/16", False),
        ("2000::/15", True),
        ("2000::/16", False),
        ("8.0.0.0/7", True),
        ("8.0.0.0/8", False),
        ("127.0.0.1/32", False),
    ],
)
def test_wide_networks_and_whole_private_ranges_of_proxies_are_warned_of(network: str, warned: bool) -> None:
    found = lint_proxies([ip_network(network)])
    assert [finding.code for finding in found] == [Code.PROXIES_WIDE] * warned
    for finding in found:
        assert finding.severity is Severity.WARNING
        assert (
            finding.message
            == f"the trusted proxies hold all of {network}, where not only proxies live; list proxies alone"
        )
