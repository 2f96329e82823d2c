"""Writes the reference pages that are made of declarations: `make generate`. A test compares them with the files."""

import importlib
import json
import sys
import textwrap
import tomllib
from pathlib import Path

import typer
from typer.main import get_command

from licensing.lifecycle import ways
from licensing.placements import LICENSE_STATES, PLACEMENT_STATES
from server.cli.main import app
from server.faults import CATALOGUE
from server.operating.invariants import CHECKS
from server.settings import Settings
from soap import Version
from soap.faults import Fault

HERE = Path(__file__).parent / "reference"
LIMITS = Path(__file__).parent / "limits.toml"
SITUATIONS = Path(__file__).parent / "situations.toml"
TRANSFERS = Path(__file__).parent / "situations-depot.txt"
"""Situations that the transfer protocol brings, as tables."""


def settings_page() -> str:
    """Give the page of all settings."""
    lines = [
        "# Settings",
        "",
        "Made from `server/settings/` by `make generate`.",
        "",
        "A value comes from the first of: the command line (where a verb has the option), the environment",
        "(`OPENDEPOT_` and the name in capitals), the TOML file, the default. Secrets are given as files.",
        "Relative paths in the TOML file start at its folder.",
    ]
    for group in Settings.__bases__:
        lines += ["", f"## {(group.__doc__ or '').rstrip('.')}", "", "| setting | default | meaning |", "|---|---|---|"]
        lines += [_setting(name) for name in Settings.model_fields if name in group.__annotations__]
    return "\n".join(lines) + "\n"


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    default = "" if field.default is None else f"`{json.dumps(field.default, default=str)}`"
    return f"| `{name}` | {default} | {field.description} |"


def fault_codes_page() -> str:
    """Give the page of all fault codes."""
    lines = [
        "# Fault codes",
        "",
        "Made from `server/faults/` by `make generate`.",
        "",
        "Every fault names its `code`, a `message` with the mend, a `reference` to quote to support, `retry`, and",
        "the `path` of the element it is about where there is one. *Later*: the same request may be sent again.",
        "",
        "| code | element | HTTP (1.1 / 1.2) | retry | meaning | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for code, kind in sorted(CATALOGUE.items()):
        fault = Fault(code=code, kind=kind, message="", reference="")
        status = f"{fault.status(Version.SOAP11)} / {fault.status(Version.SOAP12)}"
        retry = "Later" if kind.retry else "Never"
        lines.append(f"| `{code}` | {kind.element} | {status} | {retry} | {kind.meaning} | {kind.mend} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Give the page of all verbs and their options."""
    lines = ["# Command line", "", "Made from the verbs themselves by `make generate`.", ""]
    _describe(get_command(app), "opendepot", lines)
    return "\n".join(lines).rstrip() + "\n"


def _describe(command: object, name: str, lines: list[str]) -> None:
    commands = getattr(command, "commands", None)
    if commands:
        for inner, described in commands.items():
            _describe(described, f"{name} {inner}", lines)
        return
    assert isinstance(command, typer.core.TyperCommand)  # noqa: S101  tells the type checker
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    lines += [f"## `{' '.join([name, *(str(a.metavar or a.name).upper() for a in arguments)])}`", ""]
    lines += [(command.help or "").strip(), ""]
    rows = [
        f"- `{', '.join([*o.opts, *o.secondary_opts])}`: {getattr(o, 'help', '') or ''}"
        + (" Required." if o.required else "")
        for o in options
    ]
    lines += [*rows, ""] if rows else []


def invariants_page() -> str:
    """Give the page of the checks of the data."""
    lines = [
        "# Invariants of the data",
        "",
        "Made from `server/operating/invariants.py` by `make generate`.",
        "",
        "`opendepot doctor --deep` runs these checks on SQLite and on PostgreSQL, row by row, while the server goes on",
        "serving. A check whose table or extension is not there says that it is not applicable.",
        "",
        "| | check | what must hold | what mends it |",
        "|---|---|---|---|",
    ]
    lines += [f"| {check.invariant} | `{check.name}` | {check.holds} | {check.mend} |" for check in CHECKS]
    return "\n".join(lines) + "\n"


def lifecycle_page() -> str:
    """Give the page of what can become of a licence: the tables of states, their diagram, and every situation."""
    lines = [
        "# What can become of a licence",
        "",
        "Made from `licensing/placements.py`, `licensing/lifecycle.py`, `docs/situations.toml` and",
        "`docs/situations-depot.txt` by `make generate`.",
        "",
        "No state is stored. It follows from *wanted* (what should be in a container), *occupied* (what may be in it)",
        "and *confirmed* (what a receipt has shown). [The transfer protocol](../explanation/transfer.md) moves them.",
        "",
        "## A licence, and a line of an order",
        "",
        "| state | when (the first that holds) | meaning |",
        "|---|---|---|",
        *(f"| `{row.state}` | {row.rule} | {row.meaning} |" for row in LICENSE_STATES),
        "",
        "## A licence in one container",
        "",
        "| state | when (the first that holds) | meaning |",
        "|---|---|---|",
        *(f"| `{row.state}` | {row.rule} | {row.meaning} |" for row in PLACEMENT_STATES),
        "",
        "```mermaid",
        "stateDiagram-v2",
        *(f"    {before or '[*]'} --> {after}: {event}" for before, event, after in ways()),
        "```",
        "",
        "What was returned is as at the start.",
        "",
        "## Situations",
        "",
        "| situation | operation | fault code | the server | the container | how it is mended | test |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in tomllib.loads(SITUATIONS.read_text(encoding="utf-8"))["situation"]:
        code = f"`{row['code']}`" if "code" in row else ""
        lines.append(
            f"| {row['what']} | {row['operation']} | {code} | {row.get('server', '')} | {row.get('container', '')} "
            f"| {row['mend']} | `{row['test']}` |"
        )
    return "\n".join(lines) + "\n\n" + TRANSFERS.read_text(encoding="utf-8")


def limits_page() -> str:
    """Give the page of what bounds what a caller may take."""
    rows = tomllib.loads(LIMITS.read_text(encoding="utf-8"))
    lines = [
        "# Limits",
        "",
        "Made from `docs/limits.toml`, `server/settings/` and `server/faults/` by `make generate`.",
        "",
        "What a caller may take, and what comes back beyond it. The tests show each limit at its edge and one past it.",
        "What an attack may cost is a limit as well: a refusal takes at most 50 ms of the processor and 16 MiB of",
        "memory, held over more than 2,400 attacks (`tests/attacks/test_attacks_wire.py`), among them the largest",
        "messages of each operation, wrong in one element and in all.",
        "",
        "## With a setting",
        "",
        "| setting | default | bounds | beyond it | shown by |",
        "|---|---|---|---|---|",
    ]
    for row in rows["limit"]:
        field = Settings.model_fields[row["setting"]]
        lines.append(
            f"| `{row['setting']}` | {field.default} | {field.description} | {_answer(row['answer'])} "
            f"| {_tests(row['shown'])} |"
        )
    lines += [
        "",
        "## Fixed",
        "",
        "What the contract bounds stands in its schema and is not repeated here.",
        "",
        "| bounds | limit | beyond it | shown by |",
        "|---|---|---|---|",
    ]
    for row in rows["fixed"]:
        lines.append(f"| {row['what']} | {_value(row['value'])} | {_answer(row['answer'])} | {_tests(row['shown'])} |")
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    module, colon, name = text.partition(":")
    return str(getattr(importlib.import_module(module), name)) if colon else text


def _answer(text: str) -> str:
    """Write a fault code with its statuses, and anything else as it is."""
    if text not in CATALOGUE:
        return text
    fault = Fault(code=text, kind=CATALOGUE[text], message="", reference="")
    return f"`{text}`, {fault.status(Version.SOAP11)} / {fault.status(Version.SOAP12)}"


def _tests(names: list[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


def client_faults_module() -> str:
    """Give the module of the client's exceptions: one for each fault code, under one for each fault element."""
    lines = [
        '"""The faults of the services as exceptions: one class for each code of the fault table."""',
        "",
        "from collections.abc import Mapping",
        "",
        "from soap import FaultReceived",
        "",
    ]
    for element, about in sorted(_FAULT_ELEMENTS.items()):
        lines += ["", f"class {element}(FaultReceived):", f'    """{about}"""', ""]
    for code, kind in sorted(CATALOGUE.items()):
        lines += ["", f"class {code}({kind.element}):"]
        lines += _docstring(f"{kind.meaning} {kind.mend}", retry=kind.retry)
        lines += [""]
    lines += ["", "BY_CODE: Mapping[str, type[FaultReceived]] = {"]
    lines += [f'    "{code}": {code},' for code in sorted(CATALOGUE)]
    lines += ["}", "", "", "def typed(fault: FaultReceived) -> FaultReceived:"]
    lines += ['    """Give the exception of a fault\'s code; one that is newer than this client stays as it is."""']
    lines += ["    kind = BY_CODE.get(fault.code)", "    if kind is None:", "        return fault", "    return kind("]
    lines += ["        code=fault.code,", "        message=fault.message,", "        reference=fault.reference,"]
    lines += ["        retry=fault.retry,", "        path=fault.path,", "    )", ""]
    return "\n".join(lines)


_FAULT_ELEMENTS = {
    "RequestFault": "The request is not what the contract says.",
    "AccessFault": "The caller is not known, or may not do this.",
    "NotFoundFault": "What the request names is not there.",
    "ConflictFault": "The request contradicts what was recorded before.",
    "RuleFault": "A rule does not allow it.",
    "ServerFault": "The server could not carry it out.",
}


def _docstring(text: str, *, retry: bool) -> list[str]:
    words = f"{text} The same request may be sent again." if retry and "again" not in text else text
    wrapped = textwrap.wrap(words, 110, break_long_words=False, break_on_hyphens=False)
    if len(wrapped) == 1:
        return [f'    """{wrapped[0]}"""']
    return [f'    """{wrapped[0]}', *(f"    {line}" for line in wrapped[1:]), '    """']


PAGES = {
    "settings.md": settings_page,
    "fault-codes.md": fault_codes_page,
    "cli.md": cli_page,
    "invariants.md": invariants_page,
    "lifecycle.md": lifecycle_page,
    "limits.md": limits_page,
    "../../opendepot/faults.py": client_faults_module,
}


def main() -> None:
    """Write all pages."""
    HERE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{HERE / name}\n")


if __name__ == "__main__":
    main()
