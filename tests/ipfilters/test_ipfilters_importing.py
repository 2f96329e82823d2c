"""Rules from tables and from nginx: what is read, and that nginx lines keep their meaning."""

import random
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from ipfilters_oracle import NOW

from ipfilters import (
    Defaults,
    Effect,
    Endpoint,
    FileSource,
    Mode,
    Rule,
    RuleSet,
    RulesRefused,
    Scope,
    Translated,
    compile_rules,
    import_csv,
    import_nginx,
)

SALES = Scope(endpoint=Endpoint.SALES)


def read(text: str) -> tuple[Rule, ...]:
    return import_csv(text, file="rules.csv")


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(RulesRefused) as refused:
        read(text)
    return [(problem.line, problem.message) for problem in refused.value.problems]


def test_a_table_with_every_column_is_read() -> None:
    rules = read(
        "effect,network,endpoint,shop,mode,expires_at,owner,comment,id\n"
        'Exceptable Deny,10.0.0.0/8,sales,acme,SHADOW,2027-01-31T00:00:00+01:00,ops,"a, b ""c""",x\n'
        "allow,2001:db8::/32,,,,,,,\n"
    )
    assert rules == (
        Rule(
            id="x",
            scope=Scope(endpoint=Endpoint.SALES, shop="acme"),
            effect=Effect.EXCEPTABLE_DENY,
            network=ip_network("10.0.0.0/8"),
            source=FileSource(file="rules.csv", line=2),
            mode=Mode.SHADOW,
            expires_at=datetime(2027, 1, 30, 23, tzinfo=UTC),
            owner="ops",
            comment='a, b "c"',
        ),
        Rule(
            id="global: allow 2001:db8::/32",
            scope=Scope(),
            effect=Effect.ALLOW,
            network=ip_network("2001:db8::/32"),
            source=FileSource(file="rules.csv", line=3),
        ),
    )


def test_a_column_that_is_missing_says_nothing() -> None:
    (rule,) = read("effect,network\ndeny,10.0.0.0/8")
    assert (rule.owner, rule.comment, rule.mode, rule.expires_at) == ("", "", Mode.ENFORCE, None)
    assert (rule.scope, rule.id) == (Scope(), "global: deny 10.0.0.0/8")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " , "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_dialects_of_spreadsheets_are_read_with_the_right_lines(delimiter: str, end: str) -> None:
    rows = ["", "Network Effect Shop", "", "10.0.0.0/8 deny acme", "  ", "11.0.0.0/8 deny acme"]
    text = "\ufeff" + end.join(row.replace(" ", delimiter) if row.strip() else row for row in rows)
    assert [(str(rule.network), rule.scope.shop, rule.source) for rule in read(text)] == [
        ("10.0.0.0/8", "acme", FileSource(file="rules.csv", line=4)),
        ("11.0.0.0/8", "acme", FileSource(file="rules.csv", line=6)),
    ]


def test_a_cell_over_several_lines_does_not_shift_the_lines_after_it() -> None:
    text = 'effect,network,comment\nallow,10.0.0.0/8,"a\nb\nc"\n\nallow,10.0.0.1/8,x\n'
    assert problems(text) == [(6, "10.0.0.1/8 has host bits set; write 10.0.0.0/8")]
    assert read(text.replace("10.0.0.1/8", "11.0.0.0/8"))[0].comment == "a\nb\nc"


def test_a_column_name_may_have_a_space_and_capitals() -> None:
    text = "Effect,Network,Expires At\nallow,10.0.0.0/8,2027-01-31T00:00:00Z"
    assert read(text)[0].expires_at == datetime(2027, 1, 31, tzinfo=UTC)


def test_all_problems_of_a_table_are_told_by_line() -> None:
    text = """\
effect,network,endpoint,mode,expires_at,id
permit,10.0.0.0/8,,,,
allow,10.0.0.1/8,Sale,shadows,tomorrow,
allow,10.0.0.0/8
allow,11.0.0.0/8,,,2027-01-31T08:00:00,
allow,12.0.0.0/8,,,,x
allow,13.0.0.0/8,,,,x
allow,,,,,
,14.0.0.0/8,,,,
"""
    assert problems(text) == [
        (2, "'permit' is no effect; write one of allow, deny, exceptable deny"),
        (3, "'Sale' is no endpoint; write Sales"),
        (3, "'shadows' is no mode; write shadow"),
        (3, "'tomorrow' is no date and time; write one like 2027-01-31T00:00:00Z"),
        (3, "10.0.0.1/8 has host bits set; write 10.0.0.0/8"),
        (4, "the row has 2 cells and the first one 6; write as many"),
        (5, "'2027-01-31T08:00:00' has no offset from UTC; write 2027-01-31T08:00:00Z"),
        (7, "the id 'x' stands in line 6 too; write another one"),
        (8, "'' is no network; write one like 192.0.2.0/24 or 2001:db8::/32"),
        (9, "'' is no effect; write one of allow, deny, exceptable deny"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "network"), (1, "effect")]),
        ("\n\n", [(1, "network"), (1, "effect")]),
        ("\neffect\n", [(2, "network")]),
        ("network;shop\n", [(1, "effect")]),
    ],
)
def test_a_table_needs_its_columns(text: str, expected: list[tuple[int, str]]) -> None:
    assert sorted(problems(text)) == sorted(
        (line, f"there is no column {name}; the first row has the names of the columns") for line, name in expected
    )


def test_columns_that_mean_nothing_or_stand_twice_are_refused() -> None:
    assert problems("effect,network,colour") == [
        (1, "'colour' is no column; write one of effect, network, endpoint, shop, mode, expires_at, owner, comment, id")
    ]
    assert problems("effect,network,Network,Effect,effect,onwer") == [
        (1, "'onwer' is no column; write owner"),
        (1, "the column effect stands twice; leave one out"),
        (1, "the column network stands twice; leave one out"),
    ]


def test_quotes_that_do_not_fit_are_refused_with_the_line_where_they_begin() -> None:
    message = 'the quotes do not fit, or a cell has over 131,072 characters; write a quote inside of quotes twice, ""'
    assert problems('effect,network\nallow,10.0.0.0/8\nallow,"11.0.0.0/8\nallow,12.0.0.0/8\n') == [(3, message)]
    assert problems('effect,network\nallow,"10.0.0.0"/8\n') == [(2, message)]


def nginx(text: str, *, scope: Scope = SALES, default: bool = False) -> Translated:
    return import_nginx(text, file="allow.conf", scope=scope, default=default)


def said(translated: Translated) -> list[str]:
    return [f"{rule.effect} {rule.network}" for rule in translated.rules]


def left_out(translated: Translated) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in translated.left_out]


def test_lines_of_nginx_become_rules_with_the_same_meaning() -> None:
    translated = nginx("""\
# the office
deny  192.168.1.1;
allow 192.168.1.0/24;  # but not its first
allow 10.1.1.0/16;
allow 2001:0db8::/32;
deny  all;
""")
    assert said(translated) == [
        "deny 192.168.1.1/32",
        "allow 192.168.1.0/24",
        "allow 10.1.0.0/16",
        "allow 2001:db8::/32",
    ]
    assert [rule.source for rule in translated.rules] == [FileSource(file="allow.conf", line=n) for n in (2, 3, 4, 5)]
    assert {rule.scope for rule in translated.rules} == {SALES}
    assert {(rule.owner, rule.comment, rule.mode, rule.expires_at) for rule in translated.rules} == {
        ("", "", Mode.ENFORCE, None)
    }
    assert translated.left_out == ()


def test_a_deny_around_an_earlier_allow_is_exceptable() -> None:
    assert said(nginx("allow 10.1.0.0/16; deny 10.0.0.0/8; deny 11.0.0.0/8; deny all;")) == [
        "allow 10.1.0.0/16",
        "exceptable deny 10.0.0.0/8",
        "deny 11.0.0.0/8",
    ]


def test_a_line_that_an_earlier_one_covers_is_left_out_with_its_reason() -> None:
    translated = nginx(
        "deny 10.0.0.0/8;\nallow 10.1.0.0/16;\ndeny 10.0.0.0/8;\nallow 2001:db8::/32;\ndeny all;\nallow 11.0.0.0/8;"
    )
    assert said(translated) == ["deny 10.0.0.0/8", "allow 2001:db8::/32"]
    assert left_out(translated) == [
        (2, "line 1 decides for all of 10.1.0.0/16, so this line never does anything"),
        (3, "line 1 decides for all of 10.0.0.0/8, so this line never does anything"),
        (6, "line 5 decides for everybody, so this line never does anything"),
    ]


def test_what_nginx_does_with_the_rest_is_said_where_it_is_not_the_default() -> None:
    everybody = ["0.0.0.0/0", "::/0"]
    assert said(nginx("deny all;", default=True)) == [f"deny {network}" for network in everybody]
    assert said(nginx("allow 10.0.0.0/8; deny all;", default=True)) == [
        "allow 10.0.0.0/8",
        "exceptable deny 0.0.0.0/0",
        "deny ::/0",
    ]
    assert said(nginx("deny all;", default=False)) == []
    for text in ("", "allow all;"):
        assert said(nginx(text, default=False)) == [f"allow {network}" for network in everybody]
        assert said(nginx(text, default=True)) == []
    rules = nginx("\n\ndeny all;", default=True).rules + nginx("\n\n", default=False).rules
    assert [rule.source for rule in rules] == [FileSource(file="allow.conf", line=line) for line in (3, 3, 1, 1)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("allow unix:;", "sockets of this machine have no address; whoever may open one is let in by file rights"),
        ("deny unix:;", "sockets of this machine have no address; whoever may open one is let in by file rights"),
        ("satisfy any;", "'satisfy any' is neither an allow nor a deny; say it here in another way"),
        ("include X;", "'include X' is neither an allow nor a deny; say it here in another way"),
        ("allow;", "'allow' is neither an allow nor a deny; say it here in another way"),
        (
            "allow 10.0.0.0/8 11.0.0.0/8;",
            "'allow 10.0.0.0/8 11.0.0.0/8' is neither an allow nor a deny; say it here in another way",
        ),
        ("Allow 10.0.0.0/8;", "'Allow 10.0.0.0/8' is neither an allow nor a deny; say it here in another way"),
        ("allow example.com;", "'example.com' is no network; write one like 192.0.2.0/24 or 2001:db8::/32"),
        (
            "allow 10.0.0.0/255.0.0.0;",
            "10.0.0.0/255.0.0.0 has a mask or leading zeros where the prefix length stands; write 10.0.0.0/8",
        ),
        ("allow 10.0.0.0/8", "the line has no end; write ; after it"),
        ("allow 10.0.0.0/8 }", "the line has no end; write ; after it"),
    ],
)
def test_what_has_no_translation_is_told_by_line(statement: str, message: str) -> None:
    translated = nginx(f"allow 12.0.0.0/8;\n# x;\n  {statement}")
    assert left_out(translated) == [(3, message)]
    assert said(translated)[0] == "allow 12.0.0.0/8"


def test_what_stands_in_a_block_is_not_translated() -> None:
    translated = nginx(
        "allow 10.0.0.0/8;\nlocation / {\n  allow 11.0.0.0/8;\n  if (x) { deny all;\n }\n deny 13.0.0.0/8; }\n}\n"
        "allow 12.0.0.0/8; deny all;"
    )
    assert said(translated) == ["allow 10.0.0.0/8", "allow 12.0.0.0/8"]
    message = "this stands in a block, which may override others; translate its lines alone"
    assert left_out(translated) == [(2, message), (3, message), (4, message), (4, message), (6, message)]


def test_a_statement_over_two_lines_is_known_by_its_first() -> None:
    translated = nginx("\n\nallow\n10.0.0.0/8\n; deny\nall;")
    assert [(rule.source, str(rule.network)) for rule in translated.rules] == [
        (FileSource(file="allow.conf", line=3), "10.0.0.0/8")
    ]


def first_match(lines: list[tuple[str, str]], address: IPv4Address | IPv6Address) -> bool:
    """Decide as nginx does."""
    for effect, network in lines:
        if network == "all" or address in ip_network(network, strict=False):
            return effect == "allow"
    return True


@pytest.mark.parametrize("default", [False, True])
def test_the_translation_decides_as_nginx_does(request: pytest.FixtureRequest, default: bool) -> None:
    dice = random.Random(f"nginx {request.config.getoption('--seed')}")
    for _ in range(300):
        lines = []
        for _ in range(dice.randint(0, 8)):
            if dice.random() < 0.1:
                network = "all"
            elif dice.random() < 0.8:
                network = str(
                    IPv4Network(
                        (0x0A000000 | dice.choice((0, 1, 2, 1 << 23)), dice.choice((0, 8, 9, 24, 31, 32))), strict=False
                    )
                )
            else:
                network = str(
                    IPv6Network((dice.choice((0, 1, 1 << 100)), dice.choice((0, 20, 64, 127, 128))), strict=False)
                )
            lines.append((dice.choice(("allow", "deny")), network))
        translated = nginx("\n".join(f"{effect} {network};" for effect, network in lines), default=default)
        rules = RuleSet(rules=translated.rules, defaults=Defaults(sales=default))
        snapshot = compile_rules(rules, version=1, compiled_at=NOW)
        assert len(translated.rules) <= len(lines) + 2
        for number in (0, 1, 2, 3, 0xFF, 0x100, 1 << 23, (1 << 24) - 1, 1 << 24):
            for address in (IPv4Address(0x0A000000 + number), IPv6Address(number), IPv6Address(number << 100)):
                got = snapshot.decide(str(address), endpoint=Endpoint.SALES, now=NOW)
                assert got.allowed is first_match(lines, address), (lines, address)
