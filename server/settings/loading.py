"""Reading the settings of a server."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from server.errors import SettingsError
from server.settings.joined import Settings
from server.settings.sources import TOML, read_toml, unknown_names


def load_settings(config: Path | None, **command_line: Any) -> Settings:
    """Read the settings; `command_line` values that are None were not given.

    Raises SettingsError, which names every wrong setting, where it stands and what is allowed.
    """
    given = {name: value for name, value in command_line.items() if value is not None}
    unknown = unknown_names(Settings.model_fields)
    if unknown:
        raise SettingsError(f"no such setting: {', '.join(unknown)}; see docs/reference/settings.md")
    toml = {} if config is None else read_toml(config, Settings.model_fields)
    try:
        values: dict[str, Any] = {**given, TOML: toml}
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"{config or 'environment'}: {problems}") from None
