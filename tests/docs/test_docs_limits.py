"""The page of limits has every setting that bounds a caller, and each test that it names is there."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from server.settings import Settings

ROOT = Path(__file__).parents[2]
ROWS: dict[str, list[dict[str, Any]]] = tomllib.loads((ROOT / "docs" / "limits.toml").read_text(encoding="utf-8"))

NOT_OF_CALLERS = {
    "port": "where the server listens",
    "admin_port": "where the server listens",
    "admin_soap_port": "where the server listens",
    "mail_port": "whom the server calls",
    "mail_seconds": "whom the server calls",
    "mail_attempts": "whom the server calls",
    "webhook_seconds": "whom the server calls",
    "webhook_attempts": "whom the server calls",
    "workers": "how the server runs",
    "hang_seconds": "how the server runs",
    "drain_seconds": "how the server runs",
    "reader_count": "how the server runs",
    "statement_cache_size": "how the server runs",
    "update_link_seconds": "what is promised",
    "reminder_days": "what is promised",
    "retention_days": "what is promised",
}
"""Settings that are numbers and bound nothing that a caller takes."""


def test_every_setting_that_bounds_a_caller_is_listed_once() -> None:
    numbers = {
        name
        for name, field in Settings.model_fields.items()
        if any(kind in str(field.annotation) for kind in ("int", "float")) and "str" not in str(field.annotation)
    }
    listed = [row["setting"] for row in ROWS["limit"]]
    assert len(set(listed)) == len(listed)
    assert set(listed) | set(NOT_OF_CALLERS) == numbers, "a row in docs/limits.toml, or a line in NOT_OF_CALLERS here"
    assert not set(listed) & set(NOT_OF_CALLERS)


@pytest.mark.parametrize("name", sorted({name for rows in ROWS.values() for row in rows for name in row["shown"]}))
def test_a_test_that_is_named_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
