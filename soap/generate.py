"""Writes `soap/messages/*.py` from the contract: `python -m soap.generate` after a change of the schemas.

The files are kept in the repository so that a type checker and a reader see them; a test compares them with what this
module makes of the contract, so they cannot drift.
"""

import sys
import textwrap
from pathlib import Path

from lxml import etree

import wsdl
from soap.schema import ComplexType, Field, Schema, SimpleType, read_schema

PYTHON_TYPES = {
    "string": "str",
    "int": "int",
    "long": "int",
    "boolean": "bool",
    "dateTime": "datetime",
    "base64Binary": "bytes",
}

MODULES = {
    "sales": "v1/sales.xsd",
    "depot": "v1/depot.xsd",
    "admin": "v1/admin.xsd",
    "ozomm": "v1/ozomm.xsd",
    "header": "v1/header.xsd",
}
"""Which module is made of which schema."""

_WIDTH = 110


def module_source(path: str) -> str:
    """Give the source of the messages module for a schema file of the contract."""
    schema = read_schema(etree.fromstring(wsdl.read(path)))
    lines = [f'"""Messages of `{schema.namespace}`, made from wsdl/{path} by `python -m soap.generate`."""', ""]
    lines.append("from dataclasses import dataclass")
    if any(_kind(field) == "datetime" for type_ in schema.complex_types for field in type_.fields):
        lines.append("from datetime import datetime")
    lines += ["", "from frozen import quickly_made"]
    for type_ in _dependencies_first(schema):
        lines += ["", "", *_class_lines(type_)]
    return "\n".join(lines) + "\n"


def _dependencies_first(schema: Schema) -> list[ComplexType]:
    ordered: list[ComplexType] = []

    def visit(type_: ComplexType) -> None:
        for field in type_.fields:
            if isinstance(field.type, ComplexType):
                visit(field.type)
        if type_ not in ordered:
            ordered.append(type_)

    for type_ in schema.complex_types:
        visit(type_)
    return ordered


def _kind(field: Field) -> str:
    return PYTHON_TYPES[field.type.built_in] if isinstance(field.type, SimpleType) else field.type.name


def _class_lines(type_: ComplexType) -> list[str]:
    lines = ["@quickly_made", "@dataclass(frozen=True, kw_only=True, slots=True)"]
    lines += [f"class {type_.name}:", *_docstring(type_)]
    lines.append("")
    for field in sorted(type_.fields, key=lambda f: f.optional):
        if field.many:
            lines.append(f"    {field.attribute}: tuple[{_kind(field)}, ...]{' = ()' if field.optional else ''}")
        elif field.optional:
            lines.append(f"    {field.attribute}: {_kind(field)} | None = None")
        else:
            lines.append(f"    {field.attribute}: {_kind(field)}")
    return lines


def _docstring(type_: ComplexType) -> list[str]:
    lines = textwrap.wrap(f'"""{type_.documentation}', _WIDTH, initial_indent="    ", subsequent_indent="    ")
    lines.append("")
    for field in type_.fields:
        lines += textwrap.wrap(
            f"{field.attribute}: {field.documentation}", _WIDTH, initial_indent="    ", subsequent_indent="        "
        )
    return [*lines, '    """']


def main() -> None:
    """Write every messages module next to this one."""
    for name, path in MODULES.items():
        target = Path(__file__).parent / "messages" / f"{name}.py"
        target.write_text(module_source(path), encoding="utf-8")
        sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
