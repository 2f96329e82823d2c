"""Small changes of a program, one at a time, to see whether its tests notice: drawn by a seed, so that they replay."""

import ast
import copy
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from coverage import CoverageData

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Mult: ast.FloorDiv,
}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A module as it would be after one change."""

    path: Path
    line: int
    end: int
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.before} -> {self.after}"


def mutants(folder: Path, count: int, seed: int) -> list[Mutant]:
    """Draw so many different changes of the modules of a folder and those below, or all when there are fewer."""
    sites = [
        (path, number)
        for path in sorted(folder.rglob("*.py"))
        if path.name != "__init__.py"
        for number in range(len(list(_changes(ast.parse(path.read_text())))))
    ]
    chosen = random.Random(f"mutants {seed}").sample(sites, min(count, len(sites)))
    return [_mutant(path, number) for path, number in chosen]


def _mutant(path: Path, number: int) -> Mutant:
    tree = ast.parse(path.read_text())
    node, after = list(_changes(tree))[number]
    before = ast.unparse(node)
    changed = _Replaced(node, after).visit(tree)
    return Mutant(
        path=path,
        line=getattr(node, "lineno", 0),
        end=getattr(node, "end_lineno", 0),
        before=before,
        after=ast.unparse(after),
        text=ast.unparse(ast.fix_missing_locations(changed)),
    )


class _Replaced(ast.NodeTransformer):
    def __init__(self, node: ast.AST, after: ast.AST) -> None:
        self._node, self._after = node, after

    def visit(self, node: ast.AST) -> ast.AST:
        return self._after if node is self._node else super().generic_visit(node)


def _changes(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Give what can be changed, and what it would become. Types and what people read are left alone."""
    untouched = {id(inner) for outer in ast.walk(tree) for left in _left_alone(outer) for inner in ast.walk(left)}
    for node in ast.walk(tree):
        if id(node) not in untouched:
            for after in _others(node):
                yield node, after


def _left_alone(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        yield node.annotation
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
        yield node.returns
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__slots__":
        yield node
    if isinstance(node, ast.Subscript):
        # Of types: `tuple[int, str] | None` is no sum of bits. Places in sequences are changed as numbers below.
        yield from () if isinstance(node.slice, ast.Constant | ast.BinOp | ast.UnaryOp | ast.Slice) else (node,)


def _others(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901  a table of kinds of nodes
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARED:
            yield _with(node, ops=[_COMPARED[type(operator)]()])
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.UnaryOp(op=ast.USub()):
            yield node.operand
        case ast.BinOp() if type(node.op) in _COMPUTED:
            yield _with(node, op=_COMPUTED[type(node.op)]())
        case ast.Constant(value=bool() as value):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value=value + 1)
        case ast.If() | ast.IfExp():
            yield _with(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(value=ast.Constant(value=None))
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.AugAssign():
            yield ast.Pass()
        case ast.Break():
            yield ast.Pass()


def _with(node: ast.AST, **changes: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


_QUIETLY = ("-q", "-n0", "-p", "no:cacheprovider")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Tries changes of a part of a package, each with the tests that reach what is changed and with no others.

    `package` is the folder of the whole package, `part` what is changed in it, `tests` what pytest is told to run.
    `imported` names modules that are imported once for all changes, with all that they import but the package's own.
    `state` keeps what was found, so that a run that was broken off goes on; a change that lived is tried again, since
    there may be tests now that notice it.
    """

    root: Path
    package: Path
    part: Path
    tests: Sequence[str]
    state: Path
    imported: Sequence[str] = ()
    processes: int = 2
    seconds: float = 120.0

    def lived(self, drawn: Sequence[Mutant]) -> list[Mutant]:
        """Give the changes that no test noticed."""
        reached, noticed = self._reached(), self._noticed()
        left = [mutant for mutant in drawn if self._name(mutant) not in noticed]
        shares = [left[number :: self.processes] for number in range(self.processes)]
        with ThreadPoolExecutor(self.processes) as pool:
            lived = [mutant for share in pool.map(partial(self._those_that_live, reached), shares) for mutant in share]
        return [mutant for mutant in drawn if mutant in lived]

    def _those_that_live(self, reached: "Reached", share: Sequence[Mutant]) -> list[Mutant]:
        command = [
            sys.executable,
            "-P",
            str(Path(__file__).with_name("mutant_nursery.py")),
            self.package.name,
            *self.imported,
        ]
        with subprocess.Popen(
            command,
            cwd=self.root,
            env=self._environment(self.root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as nursery:
            return [mutant for mutant in share if self._lives(nursery, mutant, reached.by(mutant))]

    def _lives(self, nursery: "subprocess.Popen[str]", mutant: Mutant, tests: Sequence[str]) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            alive = self._passes(nursery, Path(folder), mutant, tests)
        if not alive:
            with (self.state / "noticed.txt").open("a") as file:
                file.write(f"{self._name(mutant)} {mutant}\n")
        print(f"{'lives' if alive else 'noticed'}: {self._told(mutant)}", flush=True)
        return alive

    def _passes(self, nursery: "subprocess.Popen[str]", folder: Path, mutant: Mutant, tests: Sequence[str]) -> bool:
        """Whether tests pass with a module as the mutant has it. One that hangs does not."""
        # With what is compiled of the other modules: copies are as old as what they are of.
        shutil.copytree(self.package, folder / self.package.name)
        (folder / mutant.path.relative_to(self.package.parent)).write_text(mutant.text)
        (folder / "tests.txt").write_text("\n".join(tests))
        words = [*_QUIETLY, "-x", *([f"@{folder / 'tests.txt'}"] if tests else self.tests)]
        asked = {"path": str(folder), "words": words, "seconds": self.seconds}
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        print(json.dumps(asked), file=nursery.stdin, flush=True)
        return int(nursery.stdout.readline()) == 0

    def _reached(self) -> "Reached":
        """Run all tests on the program as it is, and see what each reaches. Raises AssertionError if one fails."""
        data = self.state / "coverage"
        data.unlink(missing_ok=True)
        source = ".".join(self.part.relative_to(self.package.parent).parts)
        measuring = (f"--cov={source}", "--cov-branch", "--cov-context=test", "--cov-report=", "--cov-fail-under=0")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", *_QUIETLY, *self.tests, *measuring],
            cwd=self.root,
            env={**self._environment(self.root), "COVERAGE_FILE": str(data)},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return Reached(data)

    def _environment(self, path: Path) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        return {**own, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}

    def _noticed(self) -> set[str]:
        file = self.state / "noticed.txt"
        return {line.split()[0] for line in file.read_text().splitlines()} if file.exists() else set()

    def _name(self, mutant: Mutant) -> str:
        place = mutant.path.relative_to(self.package)
        return hashlib.sha256(f"{place}\0{mutant.path.read_text()}\0{mutant.text}".encode()).hexdigest()

    def _told(self, mutant: Mutant) -> str:
        return str(mutant).replace(mutant.path.name, str(mutant.path.relative_to(self.part)), 1)


class Reached:
    """Which lines each test reaches, of a run of them all."""

    def __init__(self, file: Path) -> None:
        data = CoverageData(basename=str(file))
        data.read()
        self._by_line: dict[str, dict[int, set[str]]] = {}
        self._lines: Counter[str] = Counter()
        for name in data.measured_files():
            by_line = self._by_line[str(Path(name).resolve())] = defaultdict(set)
            for line, contexts in data.contexts_by_lineno(name).items():
                # What is reached while modules are imported is no test's.
                by_line[line] = {context.rpartition("|")[0] for context in contexts if context}
                self._lines.update(by_line[line])

    def by(self, mutant: Mutant) -> list[str]:
        """Give the tests that reach what is changed, first those that reach least.

        None do what is carried out while a module is imported, and then every test may notice.
        """
        by_line = self._by_line[str(mutant.path.resolve())]
        found = set().union(*(by_line[line] for line in range(mutant.line, mutant.end + 1)))
        return sorted(found, key=lambda test: (self._lines[test], test))
