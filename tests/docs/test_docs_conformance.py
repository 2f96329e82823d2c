"""The page of conformance names tests that are there, and leaves no cell empty."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "conformance.md").read_text()
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)(?:\[(\w+)\])?`")


def _rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@cache
def _tests(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_every_test_that_is_named_is_there() -> None:
    named = NAMED.findall(PAGE)

    assert [f"{path}::{name}" for path, name, _ in named if name not in _tests(path)] == []
    for path, name, case in named:
        if case:
            assert f'"{case}": Scenario(' in (ROOT / "tests" / path).read_text(), (name, case)
    assert len(named) > 150


def test_every_row_has_a_test_or_says_why_it_does_not_apply() -> None:
    rows = _rows()

    assert [row for row in rows if not all(row)] == []
    for row in rows:
        if row[-1] != "shown by":
            assert NAMED.search(row[-1]) or row[-1].startswith("Does not apply"), row
    assert len(rows) > 120


def test_every_scenario_and_every_pain_has_its_row() -> None:
    scenarios = (ROOT / "tests" / "soap" / "conformance" / "test_conform_soap12.py").read_text()
    cases = {case for _, _, case in NAMED.findall(PAGE)}

    assert set(re.findall(r'"(T\d+)": Scenario\(', scenarios)) == cases - {""}
    assert [number for number in range(1, 16) if f"test_pain_{number:02}_" not in PAGE] == []


def test_every_test_of_conformance_has_its_row() -> None:
    folder = ROOT / "tests" / "soap" / "conformance"
    named = {name for _, name, _ in NAMED.findall(PAGE)}
    for path in sorted(folder.glob("test_*.py")):
        assert _tests(str(path.relative_to(ROOT / "tests"))) - named == set(), path.name
