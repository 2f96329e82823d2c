"""The verbs of `opendepot ipfilter`: edits with their history, questions, explanations, logs."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from wire import initialise_in_thread

from ipfilters import AddressRefused, RulesRefused
from licensing.errors import NameTaken, ShopUnknown
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.core import opened_core
from server.filters.editing import EditRefused
from server.settings import load_settings
from storage.commands import AddHits, RuleHits


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "depot"
    initialise_in_thread(folder)
    return folder / CONFIG


@pytest.fixture
def run(config: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a verb; each test begins without rules."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)

    def verb(*words: str, fails: type[BaseException] | None = None, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [*words, "--config", str(config)])
        if fails is not None:
            assert isinstance(result.exception, fails), result.output
        else:
            assert result.exit_code == code, (result.output, result.exception)
        return result

    CliRunner().invoke(app, ["shop", "add", "acme", "--config", str(config)])
    CliRunner().invoke(app, ["shop", "policy", "acme", "credential", "--config", str(config)])
    CliRunner().invoke(app, ["ipfilter", "revert", "0", "--config", str(config)])
    return verb


def rules(run) -> list[str]:
    return [rule["id"] for rule in json.loads(run("ipfilter", "list", "--json").output)]


def test_a_rule_is_added_replaced_listed_and_removed(run) -> None:
    run("ipfilter", "add", "allow", "192.0.2.0/24", "--shop", "acme", "--shadow", "--owner", "ops")
    run("ipfilter", "add", "deny", "198.51.100.0/24", "--endpoint", "Depot", "--exceptable")
    run("ipfilter", "add", "allow", "192.0.2.0/24", "--shop", "acme", "--expires", "2031-01-31T00:00:00Z")
    assert rules(run) == ["endpoint Depot: exceptable deny 198.51.100.0/24", "shop acme: allow 192.0.2.0/24"]
    text = run("ipfilter", "list", "--shop", "acme").output
    assert "until 2031-01-31" in text
    assert "shadow" not in text
    run("ipfilter", "remove", "shop acme: allow 192.0.2.0/24")
    assert rules(run) == ["endpoint Depot: exceptable deny 198.51.100.0/24"]
    run("ipfilter", "remove", "shop acme: allow 192.0.2.0/24", fails=EditRefused)


def test_every_edit_has_who_when_why_and_what_and_can_be_taken_back(run) -> None:
    run("ipfilter", "add", "deny", "198.51.100.1", "--reason", "scans")
    newest = json.loads(run("ipfilter", "history", "--json").output)[0]
    assert (newest["reason"], "+deny" in newest["diff"], bool(newest["author"])) == ("scans", True, True)
    run("ipfilter", "add", "deny", "198.51.100.2")
    run("ipfilter", "revert", str(newest["version"]))
    assert rules(run) == ["global: deny 198.51.100.1/32"]
    assert "-deny" in run("ipfilter", "history", "--limit", "1", "--diff").output
    run("ipfilter", "revert", "9999", fails=EditRefused)
    run("ipfilter", "revert", str(newest["version"]), fails=EditRefused)


def test_an_edit_that_locks_out_its_editor_needs_a_confirmation(run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("ipfilter", "add", "deny", "203.0.113.0/24", "--endpoint", "Admin")
    refused = run(*words, "--editor", "203.0.113.9", fails=EditRefused)
    assert "locks out 203.0.113.9" in refused.output
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.9 50000 192.0.2.1 22")
    run(*words, fails=EditRefused)
    assert rules(run) == []
    run(*words, "--yes")
    assert rules(run) == ["endpoint Admin: deny 203.0.113.0/24"]


def test_an_edit_that_opens_sales_to_everybody_needs_a_confirmation(run) -> None:
    words = ("ipfilter", "add", "allow", "0.0.0.0/0", "--shop", "acme")
    assert "opens Sales as shop acme to 100%" in run(*words, fails=EditRefused).output
    run(*words, "--yes")


def test_mistakes_are_told_with_their_mend(run, tmp_path: Path) -> None:
    assert "write 10.0.0.0/24" in str(run("ipfilter", "add", "deny", "10.0.0.1/24", fails=AddressRefused).exception)
    run("ipfilter", "add", "allow", "10.0.0.0/24", "--shop", "nobody", fails=EditRefused)
    run("ipfilter", "add", "allow", "10.0.0.0/24", "--exceptable", fails=EditRefused)
    run("shop", "policy", "nobody", "ip", fails=ShopUnknown)
    path = tmp_path / "filters.toml"
    path.write_text('format = 1\n[[global]]\ndeny = "10.0.0.1/24"\n')
    refused = CliRunner().invoke(app, ["ipfilter", "check", str(path)])
    assert isinstance(refused.exception, RulesRefused)
    assert str(refused.exception).startswith(f"{path}:3: ")
    path.write_text('format = 1\n[[global]]\ndeny = "10.0.0.0/24"\n')
    assert "1 rules, no mistake" in CliRunner().invoke(app, ["ipfilter", "check", str(path)]).output


def test_explain_tells_policy_and_verdict(run) -> None:
    run("ipfilter", "add", "allow", "192.0.2.0/24", "--shop", "acme")
    said = {}
    for policy in ("credential", "ip", "ip AND credential", "ip OR credential"):
        run("shop", "policy", "acme", policy)
        for address in ("192.0.2.7", "198.51.100.1"):
            found = json.loads(run("ipfilter", "explain", address, "--shop", "acme", "--json").output)
            said[policy, found["allowed"]] = found["verdict"].split()[0] + found["verdict"].split()[-1]
    assert [said[policy, True] for policy in ("credential", "ip", "ip AND credential", "ip OR credential")] == [
        "letcredential",
        "letaddress",
        "letcredential",
        "letaddress",
    ]
    assert said["ip", False] == said["ip AND credential", False] == "refusedrefused"
    run("ipfilter", "explain", "192.0.2.7", "--shop", "nobody", fails=EditRefused)
    assert "ignored" in run("ipfilter", "explain", "192.0.2.7", "--forwarded", "198.51.100.1").output


def test_rules_are_imported_from_every_format_and_only_once(run, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('format = 1\n[[global]]\ndeny = "198.51.100.0/24"\n')
    (tmp_path / "b.csv").write_text("effect,network,shop\nallow,192.0.2.0/24,acme\n")
    (tmp_path / "c.conf").write_text("allow 203.0.113.0/24;\ndeny all;\n")
    run("ipfilter", "import", str(tmp_path / "a.toml"))
    run("ipfilter", "import", str(tmp_path / "b.csv"), "--format", "csv")
    run("ipfilter", "import", str(tmp_path / "c.conf"), "--format", "nginx", "--shop", "acme")
    assert {"global: deny 198.51.100.0/24", "shop acme: allow 192.0.2.0/24", "shop acme: allow 203.0.113.0/24"} <= set(
        rules(run)
    )
    run("ipfilter", "import", str(tmp_path / "a.toml"), fails=EditRefused)
    run("ipfilter", "import", str(tmp_path / "b.csv"), "--format", "csv", "--shop", "acme", fails=EditRefused)


def log_of(path: Path) -> Path:
    common = {"event": "exchange", "service": "Sales", "shop": "acme", "outcome": "ok", "address_allowed": False}
    lines = [{**common, "client": client} for client in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "198.51.100.1")]
    lines += [{"event": "filter_hits", "rules": {"shop acme: allow 192.0.2.0/24": 3}}, {"event": "serving"}]
    path.write_text("not json\n{broken\n" + "\n".join(json.dumps(line) for line in lines) + "\n")
    return path


def test_a_file_is_tried_on_recorded_requests(run, tmp_path: Path) -> None:
    log, file = log_of(tmp_path / "server.log"), tmp_path / "new.toml"
    file.write_text('format = 1\n[[shop.acme]]\nallow = "192.0.2.0/24"\n')
    text = run("ipfilter", "test", str(file), "--replay", str(log)).output
    assert text.startswith("3 of 4 requests would change\n192.0.2.7 at Sales as shop acme: 2 times denied, now allowed")


def test_ranges_are_learned_and_added_in_shadow_mode(run, tmp_path: Path) -> None:
    log = log_of(tmp_path / "server.log")
    text = run("ipfilter", "learn", str(log), "--shop", "acme", "--most", "2", "--add").output
    assert "allow 198.51.100.1/32  1 requests from 1 addresses" in text
    found = json.loads(run("ipfilter", "list", "--json").output)
    assert {(rule["mode"], rule["comment"]) for rule in found} == {("shadow", "learned")}
    run("ipfilter", "learn", str(log), "--shop", "nobody", fails=EditRefused)


def test_lint_finds_what_does_nothing(run, tmp_path: Path) -> None:
    run("ipfilter", "add", "allow", "192.0.2.0/24", "--shop", "acme")
    assert "so its allow rules do nothing" in run("ipfilter", "lint", code=1).output
    run("shop", "policy", "acme", "ip AND credential")
    assert "0 findings" in run("ipfilter", "lint", "--hits", str(log_of(tmp_path / "server.log"))).output
    run("ipfilter", "add", "allow", "203.0.113.0/24", "--shop", "acme")
    text = run("ipfilter", "lint", "--hits", str(log_of(tmp_path / "server.log")), code=1).output
    assert "203.0.113.0/24" in text


def test_an_administrator_s_key_is_shown_once(run) -> None:
    made = json.loads(run("admin", "add", "ops", "--json").output)
    assert (made["name"], made["api_key"][:3]) == ("ops", "od_")
    run("admin", "add", "ops", fails=NameTaken)


def test_a_policy_that_would_let_the_shop_in_no_more_is_asked_about(run) -> None:
    refused = run("shop", "policy", "acme", "ip AND mtls", fails=EditRefused)
    assert "no rule allows an address" in refused.output
    assert "TLS client certificate" in refused.output
    assert json.loads(run("shop", "show", "acme", "--json").output)["policy"] == "credential"
    run("shop", "policy", "acme", "ip AND mtls", "--yes")
    assert json.loads(run("shop", "show", "acme", "--json").output)["policy"] == "ip AND mtls"
    run("ipfilter", "add", "allow", "192.0.2.0/24", "--shop", "acme")
    run("shop", "policy", "acme", "ip AND credential")


def test_nothing_that_a_rule_says_is_obeyed_by_a_terminal(run, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202e"
    run("ipfilter", "add", "deny", "192.0.2.0/24", "--comment", evil, "--owner", evil, "--reason", evil)
    (tmp_path / "nginx").write_text(f"allow {evil};\nallow 10.0.0.0/8;\n")
    printed = [
        run("ipfilter", "import", str(tmp_path / "nginx"), "--format", "nginx", "--yes"),
        run("ipfilter", "list"),
        run("ipfilter", "explain", "192.0.2.1"),
        run("ipfilter", "history", "--diff"),
    ]
    for result in printed:
        assert all(each.isprintable() or each == "\n" for each in result.output), result.output
    assert r"\x1b]0;owned" in printed[1].output


def store_hits(config: Path, hits: dict[str, RuleHits]) -> None:
    async def store() -> None:
        async with opened_core(load_settings(config)) as core:
            await core.storage.execute(AddHits(hits=hits))

    asyncio.run(store())


def test_the_list_has_what_each_rule_decided(run, config: Path) -> None:
    run("ipfilter", "add", "allow", "192.0.2.0/24", "--shop", "acme")
    run("ipfilter", "add", "deny", "198.51.100.0/24")
    at = datetime(2027, 1, 2, tzinfo=UTC)

    store_hits(config, {"shop acme: allow 192.0.2.0/24": RuleHits(hits=7, first_at=at, last_at=at)})
    listed = json.loads(run("ipfilter", "list", "--json").output)
    found = {rule["id"]: (rule["hits"], rule["last_hit"]) for rule in listed}
    assert found == {
        "shop acme: allow 192.0.2.0/24": (7, at.isoformat()),
        "global: deny 198.51.100.0/24": (0, None),
    }
    assert ", 7 hits, the last at 2027-01-02T00:00:00+00:00" in run("ipfilter", "list").output


def test_lint_tells_which_rules_decide_no_more_once_it_was_counted_for_long_enough(
    run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for network in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        run("ipfilter", "add", "allow", network, "--shop", "acme")
    run("shop", "policy", "acme", "ip AND credential")
    never, last, busy = (f"shop acme: allow 203.0.113.{number}/32" for number in (1, 2, 3))
    note = json.loads(run("ipfilter", "lint", "--unhit-for", "3650", "--json").output)
    assert (note["findings"], len(note["notes"])) == ([], 1)
    assert "not yet counted for 3650 days" in run("ipfilter", "lint", "--unhit-for", "3650").output

    begun, later = now + timedelta(days=1), now + timedelta(days=60)
    store_hits(
        config,
        {
            "of a rule that is no more": RuleHits(hits=1, first_at=now - timedelta(days=4000), last_at=begun),
            last: RuleHits(hits=2, first_at=begun, last_at=begun),
            busy: RuleHits(hits=2, first_at=begun, last_at=later),
        },
    )
    found = json.loads(run("ipfilter", "lint", "--json").output)
    assert (found["rules"], found["findings"], found["notes"]) == (3, [], [])

    monkeypatch.setattr("server.cli.ipfilter_looking.utc_now", lambda: later)
    found = json.loads(run("ipfilter", "lint", "--json", code=1).output)
    assert [(each["code"], each["severity"], each["rule"]) for each in found["findings"]] == [
        ("never-hit", "hint", never),
        ("unhit", "hint", last),
    ]
    assert found["notes"] == []
    text = run("ipfilter", "lint", code=1).output
    assert f"it last decided at {begun.isoformat(timespec='seconds')}; drop it" in text
    assert text.endswith("3 rules, 2 findings\n")
    fewer = json.loads(run("ipfilter", "lint", "--json", "--unhit-for", "59", code=1).output)["findings"]
    assert [each["code"] for each in fewer] == ["never-hit"]
    assert json.loads(run("ipfilter", "lint", "--json", "--unhit-for", "61").output)["findings"] == []
