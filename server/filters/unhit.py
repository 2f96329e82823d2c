"""Which rules decided nothing for long, by what the database has counted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ipfilters import Code, DatabaseSource, FileSource, Finding, Rule, RuleSet, Severity
from server.filters.sources import merged
from storage.commands import RuleHits


def counted_since(hits: Mapping[str, RuleHits]) -> datetime | None:
    """Give the first decision that was counted, None where there is none: before it nobody may have counted."""
    return min((found.first_at for found in hits.values()), default=None)


def known_before(since: datetime, *, of_files: Sequence[RuleSet], document: RuleSet, files: Iterable[Path]) -> set[str]:
    """Give the ids of rules that were in force at the aware instant `since`.

    `document` are the rules that the database had then, `of_files` those that the files have now: no file says what was
    in it, so one that was written later counts as new. Raises OSError for a file that cannot be looked at.
    """
    old = {str(path) for path in files if datetime.fromtimestamp(path.stat().st_mtime, UTC) < since}
    return {rule.id for rule in merged((*of_files, document)).rules if _stood(rule, old)}


def find_unhit(
    rules: Iterable[Rule],
    *,
    hits: Mapping[str, RuleHits],
    known: set[str],
    since: datetime,
    now: datetime,
) -> list[Finding]:
    """Tell of rules without a decision since the aware instant `since`, as of `now`, in their order.

    `known` are the ids of rules that were in force at `since`: others had less time, so nothing is said about them. Nor
    is of those that have expired, nor of any unless counting began before `since`.
    """
    began = counted_since(hits)
    if began is None or began >= since:
        return []
    return [
        _finding(rule, hits.get(rule.id))
        for rule in rules
        if rule.id in known and not rule.is_expired(now) and not _decided(hits.get(rule.id), since)
    ]


def _stood(rule: Rule, old_files: set[str]) -> bool:
    match rule.source:
        case FileSource(file=file):
            return file in old_files
        case DatabaseSource():
            return True


def _decided(found: RuleHits | None, since: datetime) -> bool:
    return found is not None and found.last_at >= since


def _finding(rule: Rule, found: RuleHits | None) -> Finding:
    if found is None:
        code, said = Code.NEVER_HIT, "it never decided"
    else:
        code, said = Code.UNHIT, f"it last decided at {found.last_at.isoformat(timespec='seconds')}"
    message = f"{rule}: {said}; drop it when nobody needs it"
    return Finding(code=code, severity=Severity.HINT, message=message, rule=rule)
