"""Where values of settings come from: the TOML file, and the files that the service manager hands over."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from server.errors import SettingsError
from server.settings.kinds import is_address

ENVIRONMENT_PREFIX = "OPENDEPOT_"
OF_CLIENTS = frozenset({"OPENDEPOT_CONFIG", "OPENDEPOT_URL", "OPENDEPOT_API_KEY", "OPENDEPOT_API_KEY_FILE"})
"""Names with that prefix that say where a client finds a server; they may stand in the same shell."""
TOML = "toml_values"
"""The name by which what stands in the TOML file is handed to the settings."""
_FILES = (Path, Path | None)


def unknown_names(fields: Mapping[str, FieldInfo]) -> list[str]:
    """Name what the environment sets with our prefix and what is no setting, sorted."""
    return sorted(
        name
        for name in os.environ
        if name.startswith(ENVIRONMENT_PREFIX)
        and name not in OF_CLIENTS
        and name.removeprefix(ENVIRONMENT_PREFIX).lower() not in fields
    )


def service_credentials(fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Give the files that the service manager hands over (systemd.exec(5), LoadCredential): pepper, sealing-key, ..."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return {}
    files = {
        name: Path(folder) / name.removesuffix("_file").replace("_", "-")
        for name, field in fields.items()
        if name.endswith("_file") and field.annotation in _FILES
    }
    return {name: path for name, path in files.items() if path.is_file()}


def read_toml(config: Path, fields: Mapping[str, FieldInfo]) -> Mapping[str, Any]:
    """Read the values of a TOML file; relative paths become those from its folder. Raises SettingsError."""
    try:
        found = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {config}: {error.strerror}; `opendepot init DIR` makes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config}: {error}") from None
    for name, field in fields.items():
        value = found.get(name)
        is_file = field.annotation in _FILES or (name == "database" and not is_address(str(value)))
        if is_file and isinstance(value, str):
            found[name] = str(config.parent / value)
        if field.annotation == tuple[Path, ...] and isinstance(value, list):
            found[name] = [str(config.parent / path) if isinstance(path, str) else path for path in value]
    return found
