"""Small changes of a program, one at a time, to see whether its tests notice: drawn by a seed, so that they replay."""

import ast
import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.before} -> {self.after}"


def mutants(folder: Path, count: int, seed: int) -> list[Mutant]:
    """Draw so many different changes of the modules of a folder, or all when there are fewer."""
    sites = [
        (path, number)
        for path in sorted(folder.glob("*.py"))
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
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
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
