"""Files that somebody made to do harm: they end as rules or as problems, and nothing of them reaches a terminal."""

import random
from collections.abc import Callable

import pytest
from ipfilters_oracle import allow

from ipfilters import (
    AddressRefused,
    Endpoint,
    Problem,
    Rule,
    RuleSet,
    RulesRefused,
    Scope,
    import_csv,
    import_nginx,
    parse_address,
    parse_network,
    read_rules,
    write_rules,
)
from ipfilters.addresses import shown
from ipfilters.positions import lines_of
from ipfilters.rules import FreeIds

MOST_OF_A_MESSAGE = 500
CSV = (
    "effect,network,endpoint,shop,mode,expires_at,owner,comment,id\n"
    'allow,10.0.0.0/8,Sales,acme,shadow,2027-01-31T00:00:00Z,ops,"a ""b""",x\n'
)
NGINX = "# office\nallow 10.0.0.0/8;\ndeny 10.1.0.0/16; deny all;\nlocation / { allow 2001:db8::/32; }\n"
TOML = (
    'format = 1\n[defaults]\nSales = "deny"\n[[global]]\ndeny = "10.0.0.0/8"\nexceptable = true\n'
    '[[shop.acme]]\nallow = ["192.0.2.7", "2001:db8::/32"]\nendpoint = "Sales"\nexpires_at = 2027-01-31T00:00:00Z\n'
)
PIECES = (
    "\0",
    "\x1b[31m",
    "\u202e",
    '"',
    "'''",
    '"""',
    "[",
    "[[",
    "{",
    "}",
    "=",
    "\r",
    "\n",
    ";",
    ",",
    "\t",
    "#",
    "%",
    "/",
)
PIECES += (
    "\ufeff",
    "\u0661",
    "/33",
    "::ffff:",
    "allow",
    "deny",
    "all",
    "unix:",
    "10.0.0.0",
    "9" * 5000,
    "a." * 50,
    "é",
)


def rules_of_nginx(text: str) -> tuple[Rule, ...]:
    translated = import_nginx(text, file="f", scope=Scope(endpoint=Endpoint.SALES), default=False)
    fit_for_people(translated.left_out)
    return translated.rules


READERS: dict[str, tuple[str, Callable[[str], tuple[Rule, ...]]]] = {
    "csv": (CSV, lambda text: import_csv(text, file="f")),
    "nginx": (NGINX, rules_of_nginx),
    "toml": (TOML, lambda text: read_rules(text, file="f").rules),
}


def fit_for_people(problems: object) -> None:
    for problem in problems:  # type: ignore[attr-defined]
        assert isinstance(problem, Problem)
        assert len(str(problem)) <= MOST_OF_A_MESSAGE
        assert str(problem).isprintable(), problem


def read(name: str, text: str) -> tuple[Rule, ...]:
    try:
        return READERS[name][1](text)
    except RulesRefused as refused:
        fit_for_people(refused.problems)
        return ()


@pytest.mark.parametrize("name", READERS)
def test_a_file_with_anything_in_it_ends_as_rules_or_as_problems(name: str, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    dice = random.Random(f"hostile {name} {seed}")
    good = READERS[name][0]
    assert read(name, good)
    for _ in range(1000):
        text = good
        for _ in range(dice.randint(1, 4)):
            at, cut = dice.randrange(len(text) + 1), dice.choice((0, 0, 1, 7, 40))
            text = text[:at] + dice.choice(PIECES) + text[at + cut :]
        rules = read(name, text)
        # Whatever was taken can be written, and reads as the same again.
        again = read_rules(write_rules(RuleSet(rules=rules)), file="f").rules
        assert [(rule.id, rule.network, rule.scope) for rule in again] == [
            (rule.id, rule.network, rule.scope) for rule in rules
        ]


def test_rules_that_say_the_same_have_an_id_each_however_many_they_are() -> None:
    rules = import_csv("effect,network\n" + "allow,10.0.0.0/8\n" * 2000, file="f")
    assert len({rule.id for rule in rules}) == 2000
    assert rules[1].id == f"{rules[0].id} #2"
    # Looking for a free number from the start each time would take thousands of millions of steps.
    ids = FreeIds()
    assert len({ids.give("a") for _ in range(100_000)}) == 100_000


def test_an_id_that_looks_like_a_numbered_one_is_passed_over() -> None:
    ids = FreeIds(["a #2"])
    assert [ids.give("a") for _ in range(3)] == ["a", "a #3", "a #4"]
    assert ids.give("a #2") == "a #2 #2"
    assert ids.give("b") == "b"


def test_nginx_lines_of_every_prefix_length_are_translated_soon() -> None:
    lines = [f"allow {number >> 8 & 255}.{number & 255}.0.0/{16 + number % 17};" for number in range(6000)]
    lines += [f"deny 2001:{number:x}::/{32 + number % 97};" for number in range(6000)]
    translated = import_nginx("\n".join(lines), file="f", scope=Scope(), default=False)
    assert len(translated.rules) > 6000


@pytest.mark.parametrize("text", ["[[" + "a." * 300 + "a]]\n", "a." * 300 + "a = 1\n", "[shop" + ".a" * 300 + "]\n"])
def test_the_places_of_keys_with_very_many_dots_are_not_kept(text: str) -> None:
    assert max(map(len, lines_of(text))) < 10
    with pytest.raises(RulesRefused) as refused:
        read_rules(f"format = 1\n{text}", file="f")
    fit_for_people(refused.value.problems)


@pytest.mark.parametrize(
    "text", ["9" * 1_000_000, "fe80::%" + "x" * 1_000_000, "fe80::1%\x1b[31m", "\x1b[2J", "a\n" * 9]
)
def test_a_message_repeats_no_more_of_a_text_than_a_line_and_nothing_that_a_terminal_obeys(text: str) -> None:
    for reader in (parse_network, parse_address):
        try:
            said = str(reader(text))
        except AddressRefused as refused:
            said = refused.message
        assert len(said) <= MOST_OF_A_MESSAGE
        assert said.isprintable()


def test_a_text_of_a_line_is_repeated_whole_and_a_longer_one_shortened() -> None:
    assert shown("9" * 100) == repr("9" * 100)
    assert shown("9" * 101) == repr("9" * 100 + "...")


def test_a_row_with_a_cell_that_csv_refuses_is_told_with_its_line() -> None:
    with pytest.raises(RulesRefused, match="over 131,072 characters"):
        import_csv("effect,network,comment\nallow,10.0.0.0/8," + "x" * 200_000 + "\n", file="f")


def test_control_characters_in_what_is_for_people_are_kept_but_written_as_escapes() -> None:
    text = write_rules(RuleSet(rules=(allow("10.0.0.0/8", comment="\x1b[31m\0\x7f"),)))
    assert "\x1b" not in text
    assert read_rules(text, file="f").rules[0].comment == "\x1b[31m\0\x7f"
