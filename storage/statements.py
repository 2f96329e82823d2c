"""The SQL statements by name, from the files under `storage/sql`: those common to all databases and a database's own.

A file holds blocks: a line `-- name: some_name`, then one statement. Values stand in them as `:name`.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

_MARKER = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


def split_blocks(text: str) -> dict[str, str]:
    """The named statements of one file's text; ValueError on a repeated name or text before the first name."""
    head, *parts = _MARKER.split(text)
    if head.strip():
        raise ValueError("SQL stands before the first '-- name:' line")
    blocks: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in blocks:
            raise ValueError(f"two statements are named {name}")
        blocks[name] = body.strip()
    return blocks


def sql_folder(path: str) -> Traversable:
    """The folder of SQL files at this path, like `common` or `sqlite/migrations`."""
    return files("storage") / "sql" / path


def load_statements(folders: Iterable[Traversable]) -> Mapping[str, str]:
    """All statements of these folders by name; ValueError when a name stands in two files."""
    found: dict[str, str] = {}
    for folder in folders:
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            for name, sql in split_blocks(file.read_text(encoding="utf-8")).items():
                if name in found:
                    raise ValueError(f"two statements are named {name}")
                found[name] = sql
    return MappingProxyType(found)
