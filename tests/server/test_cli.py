"""The command line: every verb does what its help says, and every error is one line with a way out."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from licensing.errors import LicensingError
from server.cli import main as cli
from server.cli.initialise import CONFIG, initialise
from server.errors import SettingsError

RUNNER = typer.testing.CliRunner()


def run(*arguments: object, code: int = 0, text: str | None = None) -> str:
    result = RUNNER.invoke(cli.app, [str(argument) for argument in arguments], input=text, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    run("init", tmp_path / "depot", "--yes")
    return tmp_path / "depot" / CONFIG


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """Run the real entry point and give the line that it tells on standard error."""
    monkeypatch.setattr(sys, "argv", ["opendepot", *(str(argument) for argument in arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("opendepot: ")
    assert error.count("\n") == 1
    return error


def test_init_writes_private_files_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "depot"
    assert "wrote" in run("init", folder, "--yes")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in before} >= {CONFIG, "pepper", "sealing-key", "firm-security-box", "opendepot.sqlite3"}
    for path in before:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert "nothing was changed" in run("init", folder, "--yes")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_an_item_is_added_updated_and_shown_with_its_rules(config: Path) -> None:
    codes = ("--firm-code", 10, "--product-code", 1, "--config", config)
    run("item", "add", "X", "--option", "text=a", "--rule", "containerKinds=Dongle,CmAct", *codes)
    shown = run(
        "item", "update", "X", "--option", "checkpoint=30d", "--without", "text", "--not-sold", "--config", config
    )
    assert shown == run("item", "show", "X", "--config", config)
    assert shown.splitlines() == [
        "X  firm code 10  product code 1  not sold",
        "  option checkpoint=30d",
        "  rule containerKinds=CmAct,Dongle",
    ]
    assert json.loads(run("item", "show", "X", "--json", "--config", config))["active"] is False


def test_an_item_gets_data_from_a_file_and_never_shows_it(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "data.toml"
    file.write_text('[protected]\n3 = "open"\n[secret]\n0 = "phrase"\n')
    run("item", "add", "X", "--firm-code", 10, "--product-code", 1, "--data", file, "--config", config)
    file.write_text('[secret]\n1 = "base64:cGhyYXNl"\n')
    shown = run("item", "update", "X", "--data", file, "--without", "protectedData", "--config", config)
    assert shown == run("item", "show", "X", "--config", config)
    assert shown.splitlines()[1:] == ["  data secretData=0,1"]
    told = run("item", "show", "X", "--json", "--config", config) + run("item", "list", "--config", config)
    assert json.loads(run("item", "show", "X", "--json", "--config", config))["data"] == ["secretData=0,1"]
    assert "secret_data" not in told
    file.write_text("[secret]\n0 = phrase\n")
    with pytest.raises(LicensingError, match="no TOML"):
        run("item", "update", "X", "--data", file, "--config", config)


def test_a_ticket_is_traced_and_rights_are_given_by_name(config: Path) -> None:
    assert "rights: extend-any" in _with_shop(config)
    with pytest.raises(LicensingError, match="no such right"):
        run("shop", "rights", "acme", "--right", "everything", "--config", config)
    with pytest.raises(LicensingError, match="no shop"):
        run("shop", "rights", "nobody", "--config", config)
    assert "none" in run("shop", "rights", "acme", "--config", config)
    with pytest.raises(LicensingError, match="no such ticket"):
        run("ticket", "trace", "00000-00000-00000-00000-00000", "--config", config)


def _with_shop(config: Path) -> str:
    run("shop", "add", "acme", "--config", config)
    return run("shop", "rights", "acme", "--right", "extend-any", "--config", config)


def test_init_asks_and_takes_no_for_an_answer(tmp_path: Path) -> None:
    run("init", tmp_path / "depot", code=1, text="n\n")
    assert not (tmp_path / "depot").exists()


def test_init_never_makes_a_new_key_for_an_old_database(config: Path) -> None:
    (config.parent / "secrets" / "pepper").unlink()
    with pytest.raises(SettingsError, match="put it back"):
        initialise(config.parent)


def test_init_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / "depot"
    run("init", folder, "--yes")
    for name in ("opendepot.sqlite3", CONFIG):
        (folder / name).unlink()
    (folder / "secrets" / "pepper.new").write_bytes(b"half")
    (folder / "secrets" / "pepper").unlink()
    run("init", folder, "--yes")
    assert len((folder / "secrets" / "pepper").read_bytes()) == 32


def test_init_where_it_cannot_write_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot write" in told(capsys, monkeypatch, "init", tmp_path / "file" / "depot", "--yes")


def test_items_are_added_and_listed(config: Path) -> None:
    options = ("--option", "expirationTime=add:30d", "--option", "featureMap=0x3")
    run("item", "add", "A-1", "--firm-code", 10, "--product-code", 13, *options, "--config", config)
    assert "A-1  firm code 10  product code 13" in run("item", "list", "--config", config)
    (item,) = json.loads(run("item", "list", "--json", "--config", config))
    assert json.loads(item["options"]) == {"expiration_time": "add:30", "feature_map": 3}


def test_what_is_refused_is_told_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = ("item", "add", "A-1", "--firm-code", 10, "--product-code", 13, "--config", config)
    run(*add)
    assert "take another number" in told(capsys, monkeypatch, *add)
    wrong = (
        "item",
        "add",
        "A-2",
        "--firm-code",
        10,
        "--product-code",
        13,
        "--option",
        "colour=red",
        "--config",
        config,
    )
    assert "featureMap" in told(capsys, monkeypatch, *wrong)
    assert "opendepot init" in told(capsys, monkeypatch, "item", "list", "--config", config.parent / "none.toml")
    assert "no such ticket" in told(capsys, monkeypatch, "ticket", "show", "x", "--config", config)


def test_keys_of_another_server_are_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init", tmp_path / "other", "--yes")
    for name in ("pepper", "sealing-key", "firm-security-box"):
        (tmp_path / "other" / "secrets" / name).replace(config.parent / "secrets" / name)
    assert "not those that the database was made with" in told(capsys, monkeypatch, "item", "list", "--config", config)


def test_a_box_that_another_key_sealed_or_that_is_missing_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = config.parent / "secrets" / "firm-security-box"
    box.write_bytes(box.read_bytes()[:-4] + b"AAAA")
    assert "firm_security_box_file" in told(capsys, monkeypatch, "item", "list", "--config", config)
    box.unlink()
    assert "cannot read" in told(capsys, monkeypatch, "item", "list", "--config", config)


def test_a_shop_is_added_and_its_key_shown_once(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENDEPOT_CONFIG", str(config))
    assert "API key, shown this once: od_" in run("shop", "add", "first")
    added = json.loads(run("shop", "add", "second", "--json"))
    assert added["name"] == "second"
    assert added["api_key"].encode() not in (config.parent / "opendepot.sqlite3").read_bytes()


def test_each_verb_is_listed_with_its_first_sentence_whole() -> None:
    for group in ("", *(each.name for each in cli.app.registered_groups)):
        verbs = run(*filter(None, [group]), "--help").partition("Commands:")[2]
        assert verbs
        assert "..." not in verbs


def test_version_and_help() -> None:
    assert run("--version").strip() == "0.1.0"
    for group in ("", "item", "shop", "ticket", "container"):
        assert "Usage" in run(*filter(None, [group]), "--help")


def test_the_offline_way_by_files(config: Path, tmp_path: Path) -> None:
    container = tmp_path / "container.json"
    trust = config.parent / "vendor-certificate.pem"
    serial = run("container", "create", container, "--trust", trust).strip()
    run("container", "context", container, "--firm-code", 10, "--output", tmp_path / "my.rac.xml")
    assert (tmp_path / "my.rac.xml").read_bytes().startswith(b"<context")
    described: dict[str, Any] = json.loads(run("container", "show", container))
    assert serial in json.dumps(described)
    assert "private" not in json.dumps(described).lower()


def test_container_files_that_are_missing_or_wrong_are_told(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ("container", "create", tmp_path / "c.json", "--trust")
    assert "cannot read" in told(capsys, monkeypatch, *create, tmp_path / "none.pem")
    run(*create, config.parent / "vendor-certificate.pem")
    assert "there is a container" in told(capsys, monkeypatch, *create, config.parent / "vendor-certificate.pem")
    (tmp_path / "bad.rau.xml").write_text("<update/>")
    assert told(capsys, monkeypatch, "container", "import", tmp_path / "c.json", tmp_path / "bad.rau.xml")
    assert told(capsys, monkeypatch, "container", "show", tmp_path / "none.json")
    collect = ("collect", "--url", "http://127.0.0.1:9", "--ticket", "x", "--container", tmp_path / "c.json")
    assert "no answer from" in told(capsys, monkeypatch, *collect)


def test_demo_runs_the_whole_cycle(tmp_path: Path) -> None:
    output = run("demo", "--dir", tmp_path / "demo")
    assert "Done: ordered twice, collected twice, confirmed." in output
    assert "POST http://127.0.0.1:" in output
    assert "holds 2 x EDITOR-1Y" in output
    assert run("demo", "--dir", tmp_path / "demo").count("Done:") == 1, "a second demo in the same folder works too"


def test_demo_serves_on_until_told_and_the_licensee_collects_by_the_command_line(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "coverage",
            "run",
            "-m",
            "server.cli.main",
            "demo",
            "--serve",
            "--dir",
            tmp_path / "demo",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert demo.stdout is not None
    lines: list[str] = []
    try:
        for line in demo.stdout:
            lines.append(line)
            if "API key" in line:
                break
        text = "".join(lines)
        url = text.split("A server is up at ")[1].split()[0]
        ticket = text.split("<m:ticket>")[1].split("<")[0]
        config, container = tmp_path / "demo" / CONFIG, tmp_path / "mine.json"
        run("container", "create", container, "--trust", tmp_path / "demo" / "vendor-certificate.pem")
        shown = run("ticket", "show", ticket, "--config", config)
        traced = run("ticket", "trace", ticket, "--config", config)
        assert traced.startswith(shown)
        assert "CreateOrder" in traced
        assert ticket not in traced
        assert json.loads(run("ticket", "trace", ticket, "--json", "--config", config))["history"]
        assert "WhollyCollected: 2 of 2, 2 confirmed" in shown
        assert "Confirmed: wanted 2, occupied 2, confirmed 2" in shown
        details = json.loads(run("ticket", "show", ticket, "--json", "--config", config))
        assert details["ending"] == ticket[-5:]
        result = RUNNER.invoke(cli.app, ["collect", "--url", url, "--ticket", ticket, "--container", str(container)])
        assert "NothingFree" in str(result.exception)
    finally:
        demo.terminate()
        demo.communicate(timeout=20)
        assert demo.returncode == 0
