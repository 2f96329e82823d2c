"""Rules from a table: CSV as spreadsheets write it.

The first row has the names of the columns, in any order and case: `effect` (allow, deny, exceptable deny) and
`network` must be there, `endpoint`, `shop`, `mode`, `expires_at`, `owner`, `comment` and `id` may be. An empty cell
says nothing. Columns are parted by comma, semicolon or tab, whichever the first row has most of; a byte order mark and
blank rows are passed over. A rule without endpoint and shop is global.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime

from ipfilters.addresses import shown
from ipfilters.drafts import SHOWN_DATE, Draft, Problems, finish
from ipfilters.problems import RulesRefused
from ipfilters.rules import Effect, Endpoint, Mode, Rule, Scope

_COLUMNS = ("effect", "network", "endpoint", "shop", "mode", "expires_at", "owner", "comment", "id")
_NEEDED = ("effect", "network")
_DELIMITERS = ",;\t"


def import_csv(text: str, *, file: str) -> tuple[Rule, ...]:
    """Read rules from a table. Raises RulesRefused with the problems of every row."""
    problems = Problems(file)
    rows = list(_rows(text.removeprefix("\ufeff"), problems))
    names = _names(rows, problems)
    drafts = []
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            message = f"the row has {len(cells)} cells and the first one {len(names)}; write as many"
            problems.add(line, message)
            continue
        draft = _draft(dict(zip(names, cells, strict=True)), line, problems)
        if draft is not None:
            drafts.append(draft)
    rules = finish(drafts, problems)
    if problems.found:
        raise RulesRefused(problems.found)
    return rules


def _rows(text: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that hold something, each with the line in which it begins."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=first.count), strict=True)
    begins = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield begins, stripped
            begins = reader.line_num + 1
    except csv.Error:
        most = f"{csv.field_size_limit():,}"
        message = (
            f'the quotes do not fit, or a cell has over {most} characters; write a quote inside of quotes twice, ""'
        )
        problems.add(begins, message)


def _names(rows: Sequence[tuple[int, list[str]]], problems: Problems) -> list[str]:
    line, cells = rows[0] if rows else (1, [])
    names = [cell.lower().replace(" ", "_") for cell in cells]
    for name in names:
        problems.known(name, _COLUMNS, line, what="column")
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(line, f"the column {name} stands twice; leave one out")
    for name in _NEEDED:
        if name not in names:
            problems.add(line, f"there is no column {name}; the first row has the names of the columns")
    return names


def _draft(row: dict[str, str], line: int, problems: Problems) -> Draft | None:
    before = len(problems.found)
    effect, mode, endpoint = row.get("effect", "").lower(), row.get("mode", "").lower(), row.get("endpoint", "")
    problems.known(effect, tuple(Effect), line, what="effect")
    if mode:
        problems.known(mode, tuple(Mode), line, what="mode")
    by_small = {name.lower(): name for name in Endpoint}
    if endpoint and endpoint.lower() not in by_small:
        problems.known(endpoint, tuple(Endpoint), line, what="endpoint")
    network = problems.network(row.get("network", ""), line)
    expires_at = _instant(row.get("expires_at", ""), line, problems)
    if network is None or len(problems.found) > before:
        return None
    return Draft(
        line=line,
        scope=Scope(endpoint=by_small.get(endpoint.lower()), shop=row.get("shop") or None),
        effect=Effect(effect),
        network=network,
        mode=Mode(mode) if mode else Mode.ENFORCE,
        expires_at=expires_at,
        owner=row.get("owner", ""),
        comment=row.get("comment", ""),
        id=row.get("id", ""),
    )


def _instant(text: str, line: int, problems: Problems) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        problems.add(line, f"{shown(text)} is no date and time; write one like {SHOWN_DATE}")
        return None
    if instant.utcoffset() is None:
        problems.add(line, f"{shown(text)} has no offset from UTC; write {instant.isoformat()}Z")
        return None
    return instant
