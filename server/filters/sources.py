"""Rules from files and from the database as one rule set."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ipfilters import DatabaseSource, Defaults, Endpoint, RuleSet, load_rules, read_rules
from ipfilters.rules import FreeIds, from_source
from storage.records import FilterDocument

Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of each file its inode, time of change and size, None where it cannot be looked at."""


def stamp_of(files: Sequence[Path]) -> Stamp:
    """Look whether files have changed, without reading them."""
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def load_files(files: Sequence[Path]) -> tuple[RuleSet, ...]:
    """Read rule files. Raises RulesRefused, and OSError when one cannot be opened."""
    return tuple(load_rules(path) for path in files)


def rules_of(document: FilterDocument | None) -> RuleSet:
    """Give the rules of a document, which name it as their source. Raises RulesRefused."""
    if document is None:
        return RuleSet()
    return sourced(read_rules(document.rules, file=f"database version {document.version}"), document)


def sourced(read: RuleSet, document: FilterDocument) -> RuleSet:
    """Give the rules that were read of a document with that document as their source."""
    source = DatabaseSource(row=f"version {document.version}", who=document.author, at=document.written_at)
    return replace(read, rules=tuple([from_source(rule, source) for rule in read.rules]))


def merged(rule_sets: Iterable[RuleSet]) -> RuleSet:
    """Put rule sets into one: all rules, and of the defaults each that differs from the usual one in some set.

    Where two rules have one id, the later one's gets a number.
    """
    sets = tuple(rule_sets)
    usual = Defaults()
    defaults = {
        endpoint.lower(): usual.allows(endpoint) ^ any(_differs(given.defaults, endpoint) for given in sets)
        for endpoint in Endpoint
    }
    filled = [given.rules for given in sets if given.rules]
    if len(filled) <= 1:
        # Where a hundred thousand are in the database and none in files.
        return RuleSet(rules=filled[0] if filled else (), defaults=Defaults(**defaults))
    ids = FreeIds()
    rules = []
    for rule in (rule for given in sets for rule in given.rules):
        name = ids.give(rule.id)
        rules.append(rule if name == rule.id else replace(rule, id=name))
    return RuleSet(rules=tuple(rules), defaults=Defaults(**defaults))


def _differs(defaults: Defaults, endpoint: Endpoint) -> bool:
    return defaults.allows(endpoint) is not Defaults().allows(endpoint)
