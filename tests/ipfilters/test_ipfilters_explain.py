"""An explanation tells all that led to a decision, to people and to programs."""

import json
from datetime import timedelta

from ipfilters_oracle import NOW, allow, deny, exceptable

from ipfilters import Client, Defaults, Endpoint, Explanation, Mode, Part, Rule, RuleSet, compile_rules, explain

CLIENT = Client(peer="10.9.9.9", address="10.1.1.1", hops=("10.9.9.9", "10.9.9.8"))
LATER = NOW + timedelta(days=1)


def explained(*rules: Rule, client: Client = CLIENT, shop: str | None = "acme", **defaults: bool) -> Explanation:
    snapshot = compile_rules(RuleSet(rules=rules, defaults=Defaults(**defaults)), version=7, compiled_at=NOW)
    return explain(snapshot, client, endpoint=Endpoint.SALES, shop=shop, now=NOW)


def parts(explanation: Explanation) -> list[tuple[str, Part]]:
    return [(match.rule.id, match.part) for match in explanation.matches]


def test_the_parts_of_rules_are_a_closed_set() -> None:
    assert [str(part) for part in Part] == ["wins", "overruled", "excepted", "shadow", "expired"]


def test_every_rule_that_matches_is_told_in_the_order_of_looking_with_its_part() -> None:
    got = explained(
        allow("10.0.0.0/8", id="short"),
        allow("10.1.0.0/16", id="long", owner="ops", comment="the office"),
        exceptable("10.0.0.0/9", id="aside"),
        exceptable("10.0.0.0/8", id="aside wide"),
        deny("10.0.0.0/8", id="shadow", mode=Mode.SHADOW, shop="acme"),
        deny("10.1.1.1/32", id="over", expires_at=NOW),
        allow("10.1.1.1/32", id="over too", expires_at=NOW),
        allow("10.1.0.0/16", id="later", expires_at=LATER),
        deny("11.0.0.0/8", id="elsewhere"),
    )
    assert parts(got) == [
        ("aside", Part.EXCEPTED),
        ("aside wide", Part.EXCEPTED),
        ("shadow", Part.SHADOW),
        ("long", Part.WINS),
        ("later", Part.OVERRULED),
        ("short", Part.OVERRULED),
        ("over", Part.EXPIRED),
        ("over too", Part.EXPIRED),
    ]
    whys = [match.why for match in got.matches]
    assert whys[0] == "it is exceptable, and the allow long has a longer prefix"
    assert whys[2] == "it is a shadow rule and only tells what it would do"
    assert whys[3] == "no deny stands, and no allow has a longer prefix"
    assert whys[5] == "the allow long has a longer prefix or a more special scope, or stands first"
    assert whys[6] == "it has expired and no longer matches"


def test_denies_are_looked_at_by_level_before_length_and_allows_by_length_before_level() -> None:
    got = explained(
        deny("10.1.1.1/32", id="deny shop", shop="acme"),
        deny("10.0.0.0/8", id="deny all"),
        deny("10.1.0.0/16", id="deny all long"),
        allow("10.0.0.0/8", id="allow shop", shop="acme"),
        allow("10.0.0.0/8", id="allow all"),
        allow("10.1.1.1/32", id="allow all long"),
    )
    assert parts(got) == [
        ("deny all long", Part.WINS),
        ("deny all", Part.OVERRULED),
        ("deny shop", Part.OVERRULED),
        ("allow all long", Part.OVERRULED),
        ("allow shop", Part.OVERRULED),
        ("allow all", Part.OVERRULED),
    ]
    assert [match.why for match in got.matches[:4]] == [
        "it is the first deny that stands",
        "an earlier deny wins",
        "an earlier deny wins",
        "a deny that stands goes before every allow",
    ]


def test_why_an_exceptable_deny_stands() -> None:
    (alone,) = explained(exceptable("10.0.0.0/8")).matches
    assert (alone.part, alone.why) == (Part.WINS, "it is the first deny that stands: no allow matches")
    wins, _ = explained(exceptable("10.0.0.0/8"), allow("10.0.0.0/8")).matches
    assert (wins.part, wins.why) == (Part.WINS, "it is the first deny that stands: no allow is longer")


def test_a_longer_shadow_allow_excepts_nothing_in_an_explanation() -> None:
    got = explained(exceptable("10.0.0.0/8", id="d"), allow("10.1.0.0/16", id="s", mode=Mode.SHADOW))
    assert parts(got) == [("d", Part.WINS), ("s", Part.SHADOW)]
    got = explained(exceptable("10.0.0.0/8", id="d"), allow("10.1.0.0/16", id="e", expires_at=NOW))
    assert parts(got) == [("d", Part.WINS), ("e", Part.EXPIRED)]


def test_the_text_tells_everything() -> None:
    got = explained(
        allow("10.1.0.0/16", id="office", owner="ops", comment="until the move", line=12, shop="acme"),
        deny("10.0.0.0/8", id="trial", mode=Mode.SHADOW, line=3, comment="only a trial"),
        deny("10.0.0.0/8", id="old", expires_at=NOW, line=4, owner="ops"),
    )
    assert str(got).splitlines() == [
        "peer      10.9.9.9",
        "proxies   10.9.9.9, 10.9.9.8",
        "client    10.1.1.1",
        "asks for  Sales as shop acme",
        "answer    allowed by rule office",
        "shadow    denied by rule trial: a change",
        "rules     version 7, 3 match",
        "  1. deny 10.0.0.0/8 (global, filters.toml:3)",
        "     shadow: it is a shadow rule and only tells what it would do",
        "     only a trial",
        "  2. allow 10.1.0.0/16 (shop acme, filters.toml:12)",
        "     wins: no deny stands, and no allow has a longer prefix",
        "     ops: until the move",
        "  3. deny 10.0.0.0/8 (global, filters.toml:4)",
        "     expired: it has expired and no longer matches",
        "     ops",
    ]


def test_the_text_of_a_default_and_of_an_ignored_header() -> None:
    got = explained(client=Client(peer="10.1.1.1", address="10.1.1.1", ignored=True), shop=None)
    assert str(got).splitlines() == [
        "peer      10.1.1.1, no listed proxy, so its forwarding header is ignored",
        "proxies   none",
        "client    10.1.1.1",
        "asks for  Sales",
        "answer    denied by the default of the endpoint",
        "rules     version 7, 0 match",
    ]
    agreeing = explained(allow("10.1.0.0/16", id="a"), allow("10.1.1.0/24", id="s", mode=Mode.SHADOW))
    assert "shadow    allowed by rule s: no change" in str(agreeing).splitlines()
    would_be_default = explained(deny("10.0.0.0/8", mode=Mode.SHADOW), sales=True)
    assert "answer    allowed by the default of the endpoint" in str(would_be_default)


def test_the_values_are_json_and_complete() -> None:
    got = explained(
        allow("10.1.0.0/16", id="office", owner="ops", comment="c", line=12, expires_at=LATER),
        deny("10.0.0.0/8", id="trial", mode=Mode.SHADOW, line=3),
    )
    assert json.loads(json.dumps(got.as_values())) == {
        "peer": "10.9.9.9",
        "hops": ["10.9.9.9", "10.9.9.8"],
        "client": "10.1.1.1",
        "header_ignored": False,
        "endpoint": "Sales",
        "shop": "acme",
        "allowed": True,
        "reason": "allow-rule",
        "winner": "office",
        "shadow": {"allowed": False, "reason": "deny-rule", "winner": "trial"},
        "matches": [
            {
                "id": "trial",
                "effect": "deny",
                "network": "10.0.0.0/8",
                "scope": "global",
                "mode": "shadow",
                "expires_at": None,
                "owner": "",
                "comment": "",
                "source": "filters.toml:3",
                "part": "shadow",
                "why": "it is a shadow rule and only tells what it would do",
            },
            {
                "id": "office",
                "effect": "allow",
                "network": "10.1.0.0/16",
                "scope": "global",
                "mode": "enforce",
                "expires_at": "2026-11-25T09:00:00+00:00",
                "owner": "ops",
                "comment": "c",
                "source": "filters.toml:12",
                "part": "wins",
                "why": "no deny stands, and no allow has a longer prefix",
            },
        ],
        "version": 7,
        "now": "2026-11-24T09:00:00+00:00",
    }


def test_the_values_of_a_default() -> None:
    values = explained(client=Client(peer="10.1.1.1", address="10.1.1.1", ignored=True), shop=None).as_values()
    assert (values["winner"], values["shadow"], values["shop"], values["matches"]) == (None, None, None, [])
    assert (values["reason"], values["header_ignored"]) == ("default-deny", True)
