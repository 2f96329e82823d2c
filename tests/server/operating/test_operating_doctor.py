"""`opendepot doctor`: what is wrong with an installation is told with the command that mends it."""

import io
import json
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from installations import Installed, copied, installed

from server.cli import main as cli
from server.listener import serving
from server.operating.doctor import inspect
from server.operating.report import Level, Report

RUNNER = typer.testing.CliRunner()


@pytest.fixture
def sound(originals: Callable[[str], Installed], tmp_path: Path) -> Installed:
    """An installation on a SQLite file, with which all is well."""
    return copied(originals("sqlite"), tmp_path / "depot")


async def looked_at(depot: Installed, *, ahead: timedelta = timedelta(0), **settings: object) -> Report:
    given = depot.settings.model_copy(update=settings)
    return await inspect(given, config=depot.config, clock=lambda: datetime.now(UTC) + ahead)


def mend_of(report: Report, check: str, level: Level = Level.PROBLEM) -> str:
    (finding,) = [found for found in report.findings if found.check == check and found.level is level]
    assert finding.mend is not None
    return finding.mend


async def test_a_sound_installation_has_no_problem(sound: Installed) -> None:
    report = await looked_at(sound)
    assert report.healthy, report.problems
    assert not report.deep


def change_mode(path: str, mode: int) -> Callable[[Installed], None]:
    return lambda depot: (depot.folder / path).chmod(mode)


@pytest.mark.parametrize(
    ("check", "damage", "mend"),
    [
        ("settings", change_mode("opendepot.toml", 0o666), "chmod go-w {folder}/opendepot.toml"),
        ("pepper_file", change_mode("secrets/pepper", 0o644), "chmod 600 {folder}/secrets/pepper"),
        ("sealing_key_file", change_mode("secrets", 0o777), "chmod 700 {folder}/secrets"),
        ("database_file", change_mode("opendepot.sqlite3", 0o644), "chmod 600 {folder}/opendepot.sqlite3"),
        ("pepper_file", lambda depot: (depot.folder / "secrets/pepper").unlink(), "put {folder}/secrets/pepper back"),
        ("keys", lambda depot: (depot.folder / "secrets/pepper").write_bytes(b"short"), "put back the three files"),
        ("keys", lambda depot: (depot.folder / "secrets/firm-security-box").write_bytes(b"no"), "put back the three"),
        (
            "key_fingerprint",
            lambda depot: (depot.folder / "secrets/pepper").write_bytes(secrets.token_bytes(32)),
            "put back the files under secrets/",
        ),
        ("database", lambda depot: (depot.folder / "opendepot.sqlite3").unlink(), "opendepot doctor --config"),
        ("database", lambda depot: (depot.folder / "opendepot.sqlite3").write_bytes(b"x" * 9999), "setting `database`"),
        (
            "schema",
            lambda depot: depot.run("INSERT INTO schema_migrations VALUES (9000, 'later', x'00')"),
            "install the newer version",
        ),
        ("schema", lambda depot: depot.run("UPDATE schema_migrations SET checksum = x'00'"), "install the version"),
        ("clock", lambda depot: depot.run(f"UPDATE audit SET at = {2**52}"), "timedatectl"),
        (
            "key_fingerprint",
            lambda depot: depot.run("UPDATE server SET current_epoch = NULL, key_fingerprint = NULL"),
            "opendepot serve --config",
        ),
    ],
)
async def test_what_is_wrong_is_told_with_its_mend(
    sound: Installed, check: str, damage: Callable[[Installed], object], mend: str
) -> None:
    damage(sound)
    assert mend.replace("{folder}", str(sound.folder)) in mend_of(await looked_at(sound), check)


async def test_migrations_that_are_due_are_told(tmp_path: Path, sound: Installed) -> None:
    (sound.folder / "opendepot.sqlite3").unlink()
    (sound.folder / "opendepot.sqlite3").touch(0o600)
    assert mend_of(await looked_at(sound), "schema") == f"opendepot migrate --config {sound.config}"


async def test_a_clock_that_stands_still_in_the_past_is_told(sound: Installed) -> None:
    assert "timedatectl" in mend_of(await looked_at(sound, ahead=-timedelta(days=3650)), "clock")
    assert "timedatectl" in mend_of(await looked_at(sound, ahead=-timedelta(hours=1)), "clock")


async def test_the_box_is_told_before_its_root_ends(sound: Installed) -> None:
    near, after = timedelta(days=365 * 20 - 10), timedelta(days=365 * 20 + 30)
    assert "new Firm Security Box" in mend_of(await looked_at(sound, ahead=near), "firm_security_box", Level.WARNING)
    assert "new Firm Security Box" in mend_of(await looked_at(sound, ahead=after), "firm_security_box")


async def test_a_tls_certificate_is_told_before_and_after_it_expires(sound: Installed) -> None:
    certificate, key = sound.folder / "tls.pem", sound.folder / "tls.key"
    tls = {"tls_certificate_file": certificate, "tls_key_file": key}
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "depot")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=private.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=60))
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(private.private_bytes(*encoding))
    assert (await looked_at(sound, **tls)).healthy
    days = {"near": timedelta(days=40), "after": timedelta(days=61)}
    assert "kill -HUP" in mend_of(
        await looked_at(sound, ahead=days["near"], **tls), "tls_certificate_file", Level.WARNING
    )
    assert "kill -HUP" in mend_of(await looked_at(sound, ahead=days["after"], **tls), "tls_certificate_file")
    key.write_bytes(b"")
    assert "its own key" in mend_of(await looked_at(sound, **tls), "tls")


async def test_too_few_open_files_and_too_little_room_are_warned_of(
    sound: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await looked_at(sound, max_connections=10**9)
    assert "LimitNOFILE=1000000256" in mend_of(report, "open_files", Level.WARNING)
    real = os.statvfs(sound.folder)
    for free, level in ((1 << 29, Level.WARNING), (1 << 20, Level.PROBLEM)):
        usage = type("Usage", (), {"free": free, "total": real.f_blocks, "used": 0})
        monkeypatch.setattr("server.operating.installation.shutil.disk_usage", lambda _path, usage=usage: usage)
        assert "make room" in mend_of(await looked_at(sound), "disk", level)


async def test_a_running_server_is_asked_for_its_version_and_readiness(
    sound: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(sound.settings.model_copy(update={"port": 0}), log=io.StringIO()) as up:
        port = int(up.admin_url.rpartition(":")[2])
        report = await looked_at(sound, admin_port=port)
        assert {f.check: f.level for f in report.findings}["ready"] is Level.OK
        assert report.healthy, report.problems
        monkeypatch.setattr("server.operating.doctor.installed_version", lambda _name: "9.9.9")
        assert "restart the server" in mend_of(await looked_at(sound, admin_port=port), "version")
        assert "events" in mend_of(await not_ready(sound, port), "ready")


async def not_ready(depot: Installed, port: int) -> Report:
    """A report while nothing can be written to the database."""
    depot.run("DROP TABLE server")
    return await looked_at(depot, admin_port=port)


async def test_postgresql_that_may_lose_what_it_acknowledged_is_told(
    originals: Callable[[str], Installed], tmp_path: Path
) -> None:
    report = await looked_at(copied(originals("postgres"), tmp_path / "depot"))
    assert "ALTER SYSTEM SET fsync = on" in mend_of(report, "durability")
    assert {finding.check for finding in report.problems} == {"durability"}


def test_deep_finds_damage_and_a_report_is_json(sound: Installed) -> None:
    sound.run("DELETE FROM audit")
    result = RUNNER.invoke(cli.app, ["doctor", "--deep", "--json", "--config", str(sound.config)])
    assert result.exit_code == 3, result.output
    report = json.loads(result.output)
    assert not report["healthy"]
    assert report["deep"]
    found = {finding["check"]: finding for finding in report["findings"]}
    assert found["order_without_audit"]["level"] == "problem"
    assert found["order_without_audit"]["invariant"] == "I7"
    assert found["order_without_audit"]["count"] == 3
    assert found["order_without_audit"]["mend"]


def test_exit_code_and_words(sound: Installed) -> None:
    result = RUNNER.invoke(cli.app, ["doctor", "--deep", "--config", str(sound.config)])
    assert result.exit_code == 0, result.output
    assert "0 problems" in result.output
    result = RUNNER.invoke(cli.app, ["doctor", "--config", str(sound.folder / "none.toml")])
    assert result.exit_code == 3
    assert "mend: " in result.output


def test_a_new_installation_is_sound_and_deep_checks_pass_on_nothing(tmp_path: Path) -> None:
    depot = installed(tmp_path / "new")
    result = RUNNER.invoke(cli.app, ["doctor", "--deep", "--config", str(depot.config)])
    assert result.exit_code == 0, result.output
