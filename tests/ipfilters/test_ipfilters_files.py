"""Rules in TOML: what is read, what is refused with line and mend, and what is written reads as itself."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipfilters import (
    DatabaseSource,
    Defaults,
    Effect,
    Endpoint,
    FileSource,
    Mode,
    Rule,
    RuleSet,
    RulesRefused,
    Scope,
    load_rules,
    read_rules,
    write_rules,
)
from ipfilters.addresses import is_mapped
from ipfilters.positions import lines_of
from ipfilters.writing import write_rule

KEYS = "allow, deny, exceptable, mode, expires_at, owner, comment, id"

WHOLE = """\
format = 1

[defaults]
Sales = "allow"
Admin = "deny"

[[global]]
deny = "198.51.100.0/24"
exceptable = true
owner = "ops"
comment = "scans"

[[shop.acme]]
allow = ["192.0.2.7", "2001:db8::/32"]
endpoint = "Sales"
mode = "shadow"
expires_at = 2027-01-31T00:00:00+01:00

[[endpoint.Admin]]
allow = "203.0.113.0/24"
id = "office"

[[global]]
deny = "203.0.113.9"

[[shop."Acme & Co."]]
allow = "203.0.113.0/24"
"""


def read(text: str) -> RuleSet:
    return read_rules(text, file="filters.toml")


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(RulesRefused) as refused:
        read(text)
    assert {problem.file for problem in refused.value.problems} == {"filters.toml"}
    return [(problem.line, problem.message) for problem in refused.value.problems]


def in_rule(text: str, header: str = "[[global]]") -> list[tuple[int, str]]:
    """Give the problems of a rule, lines counted from its own first."""
    return [(line - 2, message) for line, message in problems(f"format = 1\n{header}\n{text}")]


def test_a_whole_file_is_read_in_the_order_of_its_lines() -> None:
    rules = read(WHOLE)
    assert rules.defaults == Defaults(sales=True, depot=True, ozomm=True, admin=False)
    acme = Scope(shop="acme", endpoint=Endpoint.SALES)
    expiry = datetime(2027, 1, 30, 23, tzinfo=UTC)

    def at(line: int) -> FileSource:
        return FileSource(file="filters.toml", line=line)

    assert rules.rules == (
        Rule(
            id="global: exceptable deny 198.51.100.0/24",
            scope=Scope(),
            effect=Effect.EXCEPTABLE_DENY,
            network=ip_network("198.51.100.0/24"),
            source=at(8),
            owner="ops",
            comment="scans",
        ),
        Rule(
            id="shop acme at Sales: allow 192.0.2.7/32",
            scope=acme,
            effect=Effect.ALLOW,
            network=ip_network("192.0.2.7"),
            source=at(14),
            mode=Mode.SHADOW,
            expires_at=expiry,
        ),
        Rule(
            id="shop acme at Sales: allow 2001:db8::/32",
            scope=acme,
            effect=Effect.ALLOW,
            network=ip_network("2001:db8::/32"),
            source=at(14),
            mode=Mode.SHADOW,
            expires_at=expiry,
        ),
        Rule(
            id="office",
            scope=Scope(endpoint=Endpoint.ADMIN),
            effect=Effect.ALLOW,
            network=ip_network("203.0.113.0/24"),
            source=at(20),
        ),
        Rule(
            id="global: deny 203.0.113.9/32",
            scope=Scope(),
            effect=Effect.DENY,
            network=ip_network("203.0.113.9"),
            source=at(24),
        ),
        Rule(
            id="shop Acme & Co.: allow 203.0.113.0/24",
            scope=Scope(shop="Acme & Co."),
            effect=Effect.ALLOW,
            network=ip_network("203.0.113.0/24"),
            source=at(27),
        ),
    )


def test_an_empty_file_has_a_format_and_the_usual_defaults() -> None:
    assert read("format = 1") == RuleSet()
    assert RuleSet().defaults == Defaults(sales=False, depot=True, ozomm=True, admin=False)


def test_every_default_can_be_turned() -> None:
    text = 'format = 1\n[defaults]\nSales = "allow"\nDepot = "deny"\nOzomm = "deny"\nAdmin = "allow"'
    assert read(text).defaults == Defaults(sales=True, depot=False, ozomm=False, admin=True)


def test_a_rule_in_one_line_and_other_ways_of_toml_are_read() -> None:
    text = 'format = 1\nglobal = [\n { deny = "10.0.0.0/8" },\n { allow = "11.0.0.0/8", mode = "enforce" } ]\r\n'
    rules = read(text + 'shop.acme = [{ allow = ["12.0.0.0/8",\n"13.0.0.0/8"], exceptable = false }]').rules
    assert [(str(rule.network), rule.source) for rule in rules] == [
        ("10.0.0.0/8", FileSource(file="filters.toml", line=3)),
        ("11.0.0.0/8", FileSource(file="filters.toml", line=4)),
        ("12.0.0.0/8", FileSource(file="filters.toml", line=5)),
        ("13.0.0.0/8", FileSource(file="filters.toml", line=6)),
    ]


def test_rules_that_say_the_same_get_ids_of_their_own_and_given_ids_are_kept() -> None:
    text = 'format = 1\n[[global]]\ndeny="10.0.0.0/8"\n' + '[[global]]\ndeny = "10.0.0.0/8"\n' * 2
    base = "global: deny 10.0.0.0/8"
    assert [rule.id for rule in read(text).rules] == [base, f"{base} #2", f"{base} #3"]
    given_later = text + f'[[global]]\nallow = "11.0.0.0/8"\nid = "{base}"\n'
    assert [rule.id for rule in read(given_later).rules] == [f"{base} #2", f"{base} #3", f"{base} #4", base]


def test_all_problems_are_told_at_once_by_line() -> None:
    text = """\
format = 1
[defaults]
Sales = "maybe"
[[global]]
deny = "10.0.0.1/24"
colour = "red"
[[endpoint.Sale]]
allow = "10.0.0.0/8"
[[shop.acme]]
allow = "10.0.0.256"
"""
    assert problems(text) == [
        (3, 'the default is neither; write Sales = "allow" or "deny"'),
        (5, "10.0.0.1/24 has host bits set; write 10.0.0.0/24"),
        (6, f"'colour' is no key of a rule; write one of {KEYS}"),
        (7, "'Sale' is no endpoint; write Sales"),
        (10, "'10.0.0.256' is no network; write one like 192.0.2.0/24 or 2001:db8::/32"),
    ]
    with pytest.raises(RulesRefused, match=r"\Afilters.toml:3: the default .*\nfilters.toml:5: 10.0.0.1/24"):
        read(text)


@pytest.mark.parametrize(
    "text", ["", "\n\n", "format = 2", 'format = "1"', "format = true", "format = 1.5", "[format]"]
)
def test_a_file_of_another_format_is_refused(text: str) -> None:
    assert problems(text) == [(1, "the file has another format; write format = 1")]


def test_the_line_of_a_wrong_format_is_told() -> None:
    assert problems("# first\nformat = 2")[0][0] == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("format = 1\nformat = 2", 2),
        ("format = 1\n[[global]", 2),
        ('format = 1\n\nx = "', 3),
        ("format = 1\nx = 2026-13-40T00:00:00Z\n", 2),
        ("format = 1\n\nx = [\n", 4),
    ],
)
def test_what_is_no_toml_is_told_by_line(text: str, line: int) -> None:
    ((told, message),) = problems(text)
    assert told == line
    assert message.startswith("this is not TOML: ")
    assert message.strip() == message
    assert "(at " not in message


def test_what_tomllib_says_is_told_without_its_place() -> None:
    assert problems("format = 1\n[[global]") == [
        (2, "this is not TOML: Expected ']]' at the end of an array declaration")
    ]
    assert problems('x = "') == [(1, "this is not TOML: Unterminated string")]


def test_what_is_nested_too_deeply_and_numbers_too_long_are_refused() -> None:
    assert problems("x = " + "[" * 20_000) == [(1, "something is nested too deeply")]
    ((line, message),) = problems("format = 1\nx = " + "1" * 10_000)
    assert line == 2
    assert message.startswith("this is not TOML: Exceeds the limit")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('formats = "x"', (1, "'formats' is no key of this file; write format")),
        ("rules = []", (1, "'rules' is no key of this file; write one of format, defaults, global, endpoint, shop")),
        ("defaults = 1", (1, "defaults is no table; write [defaults]")),
        ("[defaults]\nsales = 'allow'", (2, "'sales' is no endpoint; write Sales")),
        ("[defaults]\nSales = true", (2, 'the default is neither; write Sales = "allow" or "deny"')),
        ("[defaults]\nSales = []", (2, 'the default is neither; write Sales = "allow" or "deny"')),
        ("[defaults]\nX = 'allow'", (2, "'X' is no endpoint; write one of Sales, Depot, Ozomm, Admin")),
        ("global = 1", (1, "global is no list of rules; write [[global]] above each rule")),
        ("global = [1]", (1, "global is no list of rules; write [[global]] above each rule")),
        ("[global]\nallow = '10.0.0.0/8'", (1, "global is no list of rules; write [[global]] above each rule")),
        ("endpoint = 1", (1, "endpoint needs a name; write [[endpoint.Sales]] above each of its rules")),
        ("[[endpoint]]", (1, "endpoint needs a name; write [[endpoint.Sales]] above each of its rules")),
        ("[[shop]]", (1, "shop needs a name; write [[shop.NAME]] above each of its rules")),
        ("[shop.acme]", (1, "shop.acme is no list of rules; write [[shop.acme]] above each rule")),
        ("[shop]\nacme = 3", (2, "shop.acme is no list of rules; write [[shop.acme]] above each rule")),
        ("[[shop.'']]", (1, "the shop has no name; write it after shop.")),
        ("[endpoint.Depot]", (1, "endpoint.Depot is no list of rules; write [[endpoint.Depot]] above each rule")),
    ],
)
def test_what_is_no_table_of_rules_is_refused_with_what_to_write(text: str, expected: tuple[int, str]) -> None:
    line, message = expected
    assert problems("format = 1\n" + text) == [(line + 1, message)]


EITHER = 'a rule has either allow or deny; write one, such as allow = "192.0.2.0/24"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, EITHER)),
        ("owner = 'x'", (0, EITHER)),
        ("allow = '10.0.0.0/8'\ndeny = '10.0.0.0/8'", (0, EITHER)),
        ("allow = 7", (1, 'allow is no network; write allow = "192.0.2.0/24" or a list of such')),
        ("deny = []", (1, 'deny is no network; write deny = "192.0.2.0/24" or a list of such')),
        ("allow = ['10.0.0.0/8', 7]", (1, 'allow is no network; write allow = "192.0.2.0/24" or a list of such')),
        ("allow = [\n'10.0.0.0/8',\n'10.0.0.1/8']", (3, "10.0.0.1/8 has host bits set; write 10.0.0.0/8")),
        (
            "owner = 'x'\nallow = '::ffff:10.0.0.0/104'",
            (2, "::ffff:10.0.0.0/104 is IPv4 written as IPv6, and addresses of it are read as IPv4; write 10.0.0.0/8"),
        ),
        ("allow = '10.0.0.0/8'\nexceptable = true", (2, "only a deny is exceptable; leave exceptable out")),
        ("deny = '10.0.0.0/8'\nexceptable = 1", (2, "exceptable is neither yes nor no; write exceptable = true")),
        ("deny = '10.0.0.0/8'\nmode = 'Shadow'", (2, "'Shadow' is no mode; write shadow")),
        ("deny = '10.0.0.0/8'\nmode = 'x'", (2, "'x' is no mode; write one of enforce, shadow")),
        ("deny = '10.0.0.0/8'\nmode = 1", (2, 'mode is no text; write mode = "..."')),
        ("deny = '10.0.0.0/8'\nowner = 1", (2, 'owner is no text; write owner = "..."')),
        ("deny = '10.0.0.0/8'\ncomment = []", (2, 'comment is no text; write comment = "..."')),
        ("deny = '10.0.0.0/8'\nid = 1", (2, 'id is no text; write id = "..."')),
        ("deny = '10.0.0.0/8'\nonwer = 'x'", (2, "'onwer' is no key of a rule; write owner")),
        (
            "deny = '10.0.0.0/8'\nexpires_at = 2027-01-31",
            (2, "expires_at is no instant with an offset; write expires_at = 2027-01-31T00:00:00Z"),
        ),
        (
            "deny = '10.0.0.0/8'\nexpires_at = 2027-01-31T08:00:00",
            (2, "expires_at is no instant with an offset; write expires_at = 2027-01-31T08:00:00Z"),
        ),
        (
            "deny = '10.0.0.0/8'\nexpires_at = 'tomorrow'",
            (2, "expires_at is no instant with an offset; write expires_at = 2027-01-31T00:00:00Z"),
        ),
        (
            "deny = ['10.0.0.0/8', '11.0.0.0/8']\nid = 'x'",
            (2, "an id names one network; leave it out, or write a rule for each network"),
        ),
        (
            "deny = '10.0.0.0/8'\nid = 'x'\n[[global]]\nid = 'x'\nallow = '10.0.0.0/8'",
            (5, "the id 'x' stands in line 3 too; write another one"),
        ),
    ],
)
def test_a_rule_with_a_mistake_is_refused_with_what_to_write(text: str, expected: tuple[int, str]) -> None:
    assert in_rule(text) == [expected]


def test_two_ids_in_one_line_are_two() -> None:
    text = "format = 1\nglobal = [{ id = 'x', deny = '10.0.0.0/8' }, { id = 'x', deny = '11.0.0.0/8' }]"
    assert problems(text) == [(2, "the id 'x' stands in line 2 too; write another one")]


def test_the_endpoint_of_a_shop_s_rule() -> None:
    rule = "allow = '10.0.0.0/8'\nendpoint = "
    assert in_rule(rule + "'Salse'", "[[shop.acme]]") == [(2, "'Salse' is no endpoint; write Sales")]
    assert in_rule(rule + "1", "[[shop.acme]]")[0] == (2, "'' is no endpoint; write one of Sales, Depot, Ozomm, Admin")
    assert in_rule(rule + "'Sales'") == [
        (
            2,
            f"'endpoint' is no key of a rule; write one of {KEYS}",
        )
    ]


def test_one_network_in_a_list_may_have_an_id() -> None:
    assert read("format = 1\n[[global]]\nid = 'x'\ndeny = ['10.0.0.0/8']").rules[0].id == "x"


def test_a_file_is_loaded_and_named(tmp_path: Path) -> None:
    file = tmp_path / "filters.toml"
    file.write_bytes(WHOLE.encode().replace(b"\n", b"\r\n"))
    assert str(load_rules(file).rules[0].source) == f"{file}:8"
    file.write_bytes(b'format = 1\n# first\nx = "\xff"\n')
    with pytest.raises(RulesRefused) as refused:
        load_rules(file)
    assert str(refused.value) == f"{file}:3: this line is not UTF-8; save the file as UTF-8"
    with pytest.raises(FileNotFoundError):
        load_rules(tmp_path / "none.toml")


def bare(rules: RuleSet) -> RuleSet:
    """Give rules without their sources."""
    source = FileSource(file="", line=1)
    return RuleSet(rules=tuple(replace(rule, source=source) for rule in rules.rules), defaults=rules.defaults)


def test_a_file_is_written_as_people_would_write_it() -> None:
    assert (
        write_rules(read(WHOLE))
        == """\
format = 1

[defaults]
Sales = "allow"
Depot = "allow"
Ozomm = "allow"
Admin = "deny"

[[global]]
deny = "198.51.100.0/24"
exceptable = true
owner = "ops"
comment = "scans"

[[shop."acme"]]
allow = "192.0.2.7/32"
endpoint = "Sales"
mode = "shadow"
expires_at = 2027-01-30T23:00:00+00:00

[[shop."acme"]]
allow = "2001:db8::/32"
endpoint = "Sales"
mode = "shadow"
expires_at = 2027-01-30T23:00:00+00:00

[[endpoint.Admin]]
allow = "203.0.113.0/24"
id = "office"

[[global]]
deny = "203.0.113.9/32"

[[shop."Acme & Co."]]
allow = "203.0.113.0/24"
"""
    )


ZONES = (UTC, timezone(timedelta(hours=5.5)))
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NETWORKS = st.builds(
    lambda address, length: ip_network(
        f"{str(address).partition('%')[0]}/{min(length, address.max_prefixlen)}", strict=False
    ),
    st.ip_addresses(),
    st.integers(0, 128),
).filter(lambda network: not is_mapped(network))
RULES = st.builds(
    Rule,
    id=TEXTS.filter(bool),
    scope=st.builds(Scope, endpoint=st.none() | st.sampled_from(Endpoint), shop=st.none() | TEXTS.filter(bool)),
    effect=st.sampled_from(Effect),
    network=NETWORKS,
    source=st.just(DatabaseSource(row="1", who="alice", at=datetime(2026, 11, 24, tzinfo=UTC))),
    mode=st.sampled_from(Mode),
    expires_at=st.none() | st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from(ZONES)),  # noqa: DTZ001
    owner=TEXTS,
    comment=TEXTS,
)


# A machine that does much else makes few rules a second.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(RULES, max_size=6, unique_by=lambda rule: rule.id),
    st.builds(Defaults, sales=..., depot=..., ozomm=..., admin=...),
)
def test_what_is_written_reads_as_itself(rules: list[Rule], defaults: Defaults) -> None:
    rule_set = RuleSet(rules=tuple(rules), defaults=defaults)
    text = write_rules(rule_set)
    again = read(text)
    assert bare(again) == bare(rule_set)
    assert write_rules(again) == text
    paragraphs = text.removesuffix("\n").split("\n\n")[2:]
    assert [write_rule(rule) for rule in again.rules] == paragraphs
    for rule in again.rules:
        assert isinstance(rule.source, FileSource)
        assert str(rule.network) in text.split("\n")[rule.source.line - 1]


VALUES = st.recursive(
    st.sampled_from(
        [
            "1",
            "true",
            "2026-11-24T00:00:00Z",
            "2026-11-24 00:00:00",
            '"a # b"',
            "'c ] d'",
            '""',
            "''",
            '"\\" , \\\\"',
            '"""\n x " "" \\"""""',
            "'''\n' ''\n''''",
        ]
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(lambda found: "[ # c ]\n" + ",\n".join(found) + "\n]"),
        st.lists(values, max_size=3).map(lambda found: "[" + " , ".join(found) + (" ,]" if found else "]")),
        st.lists(values, max_size=3).map(
            lambda found: "{ " + ", ".join(f"k{n}.x = {v}" for n, v in enumerate(found)) + " }"
        ),
    ),
    max_leaves=6,
)
HEADERS = st.sampled_from(
    ["", "[t]\n", "[[a]]\n", "[[a]] # x\n", "[a.b]\n", "[[a.c]]\n", '[ "q.\\u0041" . "]" ]\n', "[[s.'x y']]\n", "[s]\n"]
)


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths_of(inner, (*path, key)) for key, inner in items))


@given(st.lists(st.tuples(HEADERS, st.lists(VALUES, max_size=3)), max_size=5))
def test_every_path_of_a_document_has_its_line(blocks: list[tuple[str, list[str]]]) -> None:
    text = ""
    for number, (header, values) in enumerate(blocks):
        text += header + "".join(f"v{number}{key} = {value}\n# x = [\n\n" for key, value in enumerate(values))
    try:
        values_read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = lines_of(text)
    assert set(found) == paths_of(values_read) - {()}
    lines = text.split("\n")
    for path, line in found.items():
        if isinstance(path[-1], str) and path[-1].startswith(("v", "k")):
            assert path[-1] in lines[line - 1]


def test_lines_of_keys_tables_and_elements() -> None:
    text = (
        'a = 1\r\n"b" . c = [\r\n 1, [2,\r\n 3], {x = 4} ]\n\n[[t]]\ny = """\n\n"""\nz = 5\n[[t]]\n[t.u]\nw = 6 # v = 7'
    )
    assert lines_of(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 2,
        ("b", "c", 0): 3,
        ("b", "c", 1): 3,
        ("b", "c", 1, 0): 3,
        ("b", "c", 1, 1): 4,
        ("b", "c", 2): 4,
        ("b", "c", 2, "x"): 4,
        ("t",): 6,
        ("t", 0): 6,
        ("t", 0, "y"): 7,
        ("t", 0, "z"): 10,
        ("t", 1): 11,
        ("t", 1, "u"): 12,
        ("t", 1, "u", "w"): 13,
    }


def test_a_comment_right_behind_a_header_is_no_key() -> None:
    assert lines_of("[[global]]#a = 1\nallow = 1\n[shop]#b = 1\nc = 2\n") == {
        ("global",): 1,
        ("global", 0): 1,
        ("global", 0, "allow"): 2,
        ("shop",): 3,
        ("shop", "c"): 4,
    }


def test_the_file_in_the_documentation_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "ip-filters.md").read_text(encoding="utf-8")
    rules = read(page.partition("```toml\n")[2].partition("```")[0])
    assert [str(rule.scope) for rule in rules.rules] == [
        "global",
        "endpoint Admin",
        "endpoint Admin",
        "shop acme at Sales",
    ]


def test_a_document_that_tomllib_would_refuse_has_no_lines() -> None:
    with pytest.raises(AssertionError, match=r"\Ano key at 0: this document was never read by tomllib\Z"):
        lines_of("= 1")
