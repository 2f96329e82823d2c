"""Rules in a TOML file. The format is described in docs/explanation/ip-filters.md.

An error names file, line and what to write; all errors are told at once, and keys that mean nothing are errors.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from ipfilters import positions
from ipfilters.drafts import SHOWN_DATE, Draft, Problems, finish
from ipfilters.problems import Problem, RulesRefused
from ipfilters.rules import Defaults, Effect, Endpoint, Mode, RuleSet, Scope

FORMAT = 1

_TOP = ("format", "defaults", "global", "endpoint", "shop")
_KEYS = ("allow", "deny", "exceptable", "mode", "expires_at", "owner", "comment", "id")
_ENDPOINTS = tuple(str(endpoint) for endpoint in Endpoint)
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def load_rules(path: Path) -> RuleSet:
    """Read a file; sources name it as `path` does. Raises RulesRefused, and OSError when it cannot be opened."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(file=str(path), line=line, message="this line is not UTF-8; save the file as UTF-8")
        raise RulesRefused([problem]) from None
    return read_rules(text, file=str(path))


def read_rules(text: str, *, file: str) -> RuleSet:
    """Read the text of a file called `file`. Raises RulesRefused with every problem that it has."""
    try:
        values = tomllib.loads(text)
        lines = positions.lines_of(text)
    except RecursionError:
        raise RulesRefused([Problem(file=file, line=1, message="something is nested too deeply")]) from None
    except ValueError as error:
        raise RulesRefused([_syntax(str(error), text, file)]) from None
    reader = _Reader(lines, Problems(file))
    rule_set = reader.read(values)
    if rule_set is None:
        raise RulesRefused(reader.problems.found)
    return rule_set


def _syntax(message: str, text: str, file: str) -> Problem:
    place = _PLACE.search(message)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    return Problem(file=file, line=line, message=f"this is not TOML: {_PLACE.sub('', message)}")


class _Reader:
    def __init__(self, lines: Mapping[positions.Path, int], problems: Problems) -> None:
        self.problems = problems
        self._lines = lines
        self._drafts: list[Draft] = []

    def read(self, values: dict[str, object]) -> RuleSet | None:
        """Give the rule set, None when there are problems."""
        for key in values:
            self.problems.known(key, _TOP, self._lines[key,], what="key of this file")
        if values.get("format") != FORMAT or isinstance(values["format"], bool):
            self.problems.add(self._lines.get(("format",), 1), f"the file has another format; write format = {FORMAT}")
        defaults = self._defaults(values.get("defaults", {}))
        self._rules(values.get("global", []), ("global",), Scope())
        for name, rules in self._tables(values, "endpoint").items():
            if self._endpoint(name, ("endpoint", name)):
                self._rules(rules, ("endpoint", name), Scope(endpoint=Endpoint(name)))
        for name, rules in self._tables(values, "shop").items():
            if name:
                self._rules(rules, ("shop", name), Scope(shop=name))
            else:
                self.problems.add(self._lines["shop", name], "the shop has no name; write it after shop.")
        # The order in which the rules stand, where shops and endpoints take turns.
        rules = finish(sorted(self._drafts, key=lambda draft: draft.line), self.problems)
        return None if self.problems.found else RuleSet(rules=rules, defaults=defaults)

    def _defaults(self, value: object) -> Defaults:
        chosen: dict[str, bool] = {}
        if not isinstance(value, dict):
            self.problems.add(self._lines["defaults",], "defaults is no table; write [defaults]")
            return Defaults()
        for name, default in value.items():
            if not self._endpoint(name, ("defaults", name)):
                continue
            if default not in ("allow", "deny"):
                self._complain(("defaults", name), f'the default is neither; write {name} = "allow" or "deny"')
            chosen[name.lower()] = default == "allow"
        return Defaults(**chosen)

    def _tables(self, values: dict[str, object], key: str) -> dict[str, object]:
        tables = values.get(key, {})
        if isinstance(tables, dict):
            return tables
        shown = "Sales" if key == "endpoint" else "NAME"
        self._complain((key,), f"{key} needs a name; write [[{key}.{shown}]] above each of its rules")
        return {}

    def _rules(self, value: object, path: positions.Path, scope: Scope) -> None:
        if not isinstance(value, list) or not all(isinstance(rule, dict) for rule in value):
            shown = ".".join(str(key) for key in path)
            self._complain(path, f"{shown} is no list of rules; write [[{shown}]] above each rule")
            return
        for number, rule in enumerate(value):
            self._rule(rule, (*path, number), scope)

    def _rule(self, rule: dict[str, object], path: positions.Path, scope: Scope) -> None:
        keys = _KEYS if scope.shop is None else (*_KEYS, "endpoint")
        for key in rule:
            self.problems.known(key, keys, self._lines[*path, key], what="key of a rule")
        if "endpoint" in rule and scope.shop is not None:
            name = self._text(rule, "endpoint", path)
            if self._endpoint(name, (*path, "endpoint")):
                scope = Scope(shop=scope.shop, endpoint=Endpoint(name))
        if ("allow" in rule) is ("deny" in rule):
            self._complain(path, 'a rule has either allow or deny; write one, such as allow = "192.0.2.0/24"')
            return
        mode = self._text(rule, "mode", path) or str(Mode.ENFORCE)
        known = self.problems.known(mode, tuple(Mode), self._lines.get((*path, "mode"), 1), what="mode")
        expires_at, effect = self._instant(rule, path), self._effect(rule, path)
        owner, comment, name = (self._text(rule, key, path) for key in ("owner", "comment", "id"))
        networks = self._networks(rule, path, named=bool(name))
        for line, text in networks:
            network = self.problems.network(text, line)
            if network is not None and known:
                self._drafts.append(
                    Draft(
                        line=line,
                        scope=scope,
                        effect=effect,
                        network=network,
                        mode=Mode(mode),
                        expires_at=expires_at,
                        owner=owner,
                        comment=comment,
                        id=name if len(networks) == 1 else "",
                    )
                )

    def _networks(self, rule: dict[str, object], path: positions.Path, *, named: bool) -> list[tuple[int, str]]:
        key = "allow" if "allow" in rule else "deny"
        value = rule[key]
        if isinstance(value, str):
            return [(self._lines[*path, key], value)]
        if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
            self._complain((*path, key), f'{key} is no network; write {key} = "192.0.2.0/24" or a list of such')
            return []
        if named and len(value) > 1:
            self._complain((*path, "id"), "an id names one network; leave it out, or write a rule for each network")
        return [(self._lines[*path, key, number], text) for number, text in enumerate(value)]

    def _effect(self, rule: dict[str, object], path: positions.Path) -> Effect:
        exceptable = rule.get("exceptable", False)
        if not isinstance(exceptable, bool):
            self._complain((*path, "exceptable"), "exceptable is neither yes nor no; write exceptable = true")
        if "allow" in rule:
            if exceptable:
                self._complain((*path, "exceptable"), "only a deny is exceptable; leave exceptable out")
            return Effect.ALLOW
        return Effect.EXCEPTABLE_DENY if exceptable else Effect.DENY

    def _instant(self, rule: dict[str, object], path: positions.Path) -> datetime | None:
        value = rule.get("expires_at")
        if value is None or (isinstance(value, datetime) and value.utcoffset() is not None):
            return value
        mend = f"expires_at = {SHOWN_DATE}"
        if isinstance(value, datetime):
            mend = f"expires_at = {value.isoformat()}Z"
        elif isinstance(value, date):
            mend = f"expires_at = {value.isoformat()}T00:00:00Z"
        self._complain((*path, "expires_at"), f"expires_at is no instant with an offset; write {mend}")
        return None

    def _text(self, rule: dict[str, object], key: str, path: positions.Path) -> str:
        value = rule.get(key, "")
        if isinstance(value, str):
            return value
        self._complain((*path, key), f'{key} is no text; write {key} = "..."')
        return ""

    def _endpoint(self, name: str, path: positions.Path) -> bool:
        return self.problems.known(name, _ENDPOINTS, self._lines[path], what="endpoint")

    def _complain(self, path: positions.Path, message: str) -> None:
        self.problems.add(self._lines[path], message)
