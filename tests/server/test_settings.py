"""Settings: the order of their sources, what is refused, and secrets from files."""

from pathlib import Path

import pytest

from server.errors import SettingsError
from server.settings import Settings, load_settings


def written(tmp_path: Path, text: str) -> Path:
    config = tmp_path / "opendepot.toml"
    config.write_text(text)
    return config


def test_command_line_before_environment_before_file_before_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(tmp_path, 'host = "10.0.0.1"\nport = 1000\nadmin_port = 1001\n')
    monkeypatch.setenv("OPENDEPOT_PORT", "2000")
    monkeypatch.setenv("OPENDEPOT_ADMIN_PORT", "2001")
    monkeypatch.setenv("OPENDEPOT_CONFIG", "ignored here")
    found = load_settings(config, admin_port=3001, host=None)
    assert (found.host, found.port, found.admin_port, found.max_depth) == ("10.0.0.1", 2000, 3001, 32)


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    found = load_settings(written(tmp_path, 'database = "a.db"\npepper_file = "/abs/pepper"\n'))
    assert found.database == str(tmp_path / "a.db")
    assert found.pepper_file == Path("/abs/pepper")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1\n", "prot"),
        ("port = 70000\n", "port"),
        ("port = \n", "opendepot.toml"),
        ('public_url = "licences.example.com"\n', "public_url"),
        ('public_url = "https://h/?a=b"\n', "public_url"),
        ('collect_url = "https://h/collect"\n', "collect_url"),
        ("port = 9000\nadmin_port = 9000\n", "admin_port must differ"),
        (
            'ozomm_url = "https://h"\nozomm_key_file = "a"\n',
            "ozomm_certificate_file and ozomm_key_file belong together",
        ),
        ('ozomm_authorities_file = "a"\n', "are for another computer"),
        ('ozomm_url = "https://h"\nozomm_file = "a"\n', "ozomm_url names another computer"),
        ('ozomm_central_url = "https://h"\n', "ozomm_central_url and ozomm_api_key_file belong together"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings(written(tmp_path, text))
    assert "opendepot.toml" in str(refused.value)


def test_a_misspelt_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENDEPOT_PROT", "1")
    with pytest.raises(SettingsError, match="OPENDEPOT_PROT"):
        load_settings(None)


def test_what_clients_find_a_server_by_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENDEPOT_URL", "OPENDEPOT_API_KEY", "OPENDEPOT_API_KEY_FILE"):
        monkeypatch.setenv(name, "x")
    assert load_settings(None).port == 8080


def test_a_missing_file_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="opendepot init"):
        load_settings(tmp_path / "none.toml")


def test_urls_are_kept_without_their_last_slash_and_none_is_none() -> None:
    assert Settings(public_url="https://h/").public_url == "https://h"
    assert Settings(public_url=None, collect_url=None).public_url is None


def test_limits_of_xml_are_those_of_the_settings() -> None:
    limits = Settings(max_body_bytes=2048, max_depth=9).xml_limits
    assert (limits.max_bytes, limits.depth) == (2048, 9)


def test_the_address_of_a_database_is_kept_whole_and_is_no_path(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    address = "postgresql://depot@db.example.com/depot?sslmode=verify-full&passfile=/etc/depot/pgpass"
    config.write_text(f'database = "{address}"\n')
    assert load_settings(config).database == address


@pytest.mark.parametrize("address", ["postgresql://depot:secret@db/depot", "postgresql://db/depot?password=secret"])
def test_a_password_in_the_address_is_refused_with_the_way_out_and_not_repeated(address: str) -> None:
    with pytest.raises(SettingsError, match="passfile") as raised:
        load_settings(None, database=address)
    assert "secret@" not in str(raised.value)
    assert "=secret" not in str(raised.value)


def test_secrets_are_found_where_systemd_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    (handed / "pepper").write_bytes(bytes(32))
    config = tmp_path / "opendepot.toml"
    config.write_text('pepper_file = "secrets/pepper"\nsealing_key_file = "secrets/sealing-key"\n')
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    found = load_settings(config)
    assert found.pepper_file == handed / "pepper"
    assert found.sealing_key_file == tmp_path / "secrets" / "sealing-key"
    monkeypatch.setenv("OPENDEPOT_PEPPER_FILE", "/elsewhere")
    assert load_settings(config).pepper_file == Path("/elsewhere")
