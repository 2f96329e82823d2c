"""Which rules count as unhit: those that had the time to decide, while somebody counted, and did not."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ipfilters import Code, RuleSet, load_rules, read_rules
from server.filters.sources import merged, rules_of
from server.filters.unhit import counted_since, find_unhit, known_before
from storage.commands import RuleHits
from storage.records import FilterDocument

NOW = datetime(2027, 3, 1, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
SECOND = timedelta(seconds=1)
RULES = read_rules('format = 1\n[[global]]\ndeny = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]\n', file="test")
NEVER, LAST, BUSY = (rule.id for rule in RULES.rules)
OLDEST = {"gone": RuleHits(hits=1, first_at=SINCE - SECOND, last_at=SINCE - SECOND)}


def hit(at: datetime) -> RuleHits:
    return RuleHits(hits=1, first_at=at, last_at=at)


def unhit(
    hits: dict[str, RuleHits], *, rules: RuleSet = RULES, known: set[str] | None = None
) -> list[tuple[Code, str | None]]:
    found = find_unhit(
        rules.rules,
        hits=hits,
        known={rule.id for rule in rules.rules} if known is None else known,
        since=SINCE,
        now=NOW,
    )
    return [(finding.code, finding.rule and finding.rule.id) for finding in found]


def test_a_rule_without_a_hit_or_with_an_old_one_is_unhit_and_one_with_a_hit_since_is_not() -> None:
    hits = {**OLDEST, LAST: hit(SINCE - SECOND), BUSY: hit(SINCE)}
    assert unhit(hits) == [(Code.NEVER_HIT, NEVER), (Code.UNHIT, LAST)]


def test_nothing_is_said_when_nobody_counted_for_so_long() -> None:
    assert unhit({}) == []
    assert unhit({BUSY: hit(SINCE)}) == []
    assert unhit({BUSY: hit(SINCE), **OLDEST}) == [(Code.NEVER_HIT, NEVER), (Code.NEVER_HIT, LAST)]
    assert counted_since({}) is None
    assert counted_since({BUSY: hit(NOW), **OLDEST}) == SINCE - SECOND


def test_a_rule_that_is_too_new_or_has_expired_is_not_unhit() -> None:
    assert unhit(OLDEST, known={BUSY}) == [(Code.NEVER_HIT, BUSY)]
    expired = replace(RULES, rules=tuple(replace(rule, expires_at=NOW) for rule in RULES.rules))
    assert unhit(OLDEST, rules=expired) == []


def test_rules_of_a_file_are_known_since_the_file_was_last_written_and_others_since_their_document(
    tmp_path: Path,
) -> None:
    text = 'format = 1\n[[global]]\ndeny = "{}"\n'
    paths = [tmp_path / "old.toml", tmp_path / "new.toml"]
    for path, network, at in zip(paths, ("192.0.2.1", "192.0.2.2"), (SINCE - SECOND, SINCE), strict=True):
        path.write_text(text.format(network))
        os.utime(path, (at.timestamp(), at.timestamp()))
    document = FilterDocument(
        version=1, rules=text.format("192.0.2.1"), author="a", written_at=SINCE, comment="", diff=""
    )
    of_files = [load_rules(path) for path in paths]
    ids = [rule.id for rule in merged((*of_files, rules_of(document))).rules]
    assert ids == [NEVER, LAST, f"{NEVER} #2"]
    assert known_before(SINCE, of_files=of_files, document=rules_of(document), files=paths) == {ids[0], ids[2]}
    assert known_before(SINCE, of_files=of_files, document=RuleSet(), files=paths) == {ids[0]}
