"""Every event and metric that the code can make stands in the reference, and what stands there can be made."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from observe import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "events-and-metrics.md").read_text()
EVENTS, METRICS = PAGE.split("\n## Metrics\n")
WORKERS = {"opendepot_workers", "opendepot_worker_restarts"}
"""Metrics of the supervisor, which are made where those of the workers are put together."""


def listed(text: str) -> set[str]:
    """The names in the first column of a table."""
    return {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def told(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The events of a module: how each is told, and the expression that names it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            by_log = name in {"info", "warning", "failure"} and owner.endswith("events")
            if by_log or name in {"on_told", "_tell_once", "raise_alarm"}:
                yield name, node.args[0]


def constants(expression: ast.expr) -> Iterator[str]:
    """The names that an expression can have, as far as they stand in it."""
    if isinstance(expression, ast.Constant):
        yield str(expression.value)
    elif isinstance(expression, ast.IfExp):
        yield from constants(expression.body)
        yield from constants(expression.orelse)


def events_of_the_code() -> set[str]:
    found: set[str] = set()
    for package in ("server", "licensing"):
        for path in (ROOT / package).rglob("*.py"):
            for _, expression in told(ast.parse(path.read_text())):
                found.update(constants(expression))
    housekeeping = ast.parse((ROOT / "server" / "housekeeping.py").read_text())
    works = [
        node.elts[0].value
        for node in ast.walk(housekeeping)
        if isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[0], ast.Constant)
    ]
    assert "audit_seal" in works
    return found | {f"{work}_failed" for work in works}


def test_every_event_stands_in_the_reference() -> None:
    missing = events_of_the_code() - listed(EVENTS)
    assert not missing, f"write rows for {sorted(missing)} in docs/reference/events-and-metrics.md"


def test_every_event_of_the_reference_stands_in_the_code() -> None:
    text = "\n".join(
        path.read_text() for package in ("server", "licensing", "observe") for path in (ROOT / package).rglob("*.py")
    )
    gone = {
        name
        for name in listed(EVENTS)
        if f'"{name}"' not in text
        and f'"{name.removesuffix("_failed")}"' not in text
        and f'f"{name.partition("_")[0]}_{{' not in text
    }
    assert not gone, f"no code tells of {sorted(gone)}"


def test_every_metric_stands_in_the_reference_and_the_other_way_round() -> None:
    families = {family.name for family in Metrics(version="0")._registry.collect()} | WORKERS
    ours = {name for name in families if name.startswith("opendepot_")}
    rows = {name.removesuffix("_total") for name in listed(METRICS) if name.startswith("opendepot_")}
    assert ours - rows == set()
    assert rows - ours == set()


def test_a_new_event_would_be_missed() -> None:
    tree = ast.parse('self._events.warning("sky_falls", reason="x")\nevents.info("a" if up else "b")')
    assert [name for _, expression in told(tree) for name in constants(expression)] == ["sky_falls", "a", "b"]
