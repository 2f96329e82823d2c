"""Rules on their way from a text: what every format has in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from ipfilters.addresses import AddressRefused, Network, parse_network, shown
from ipfilters.problems import Problem
from ipfilters.rules import Effect, FileSource, FreeIds, Mode, Rule, Scope, default_id

SHOWN_DATE = "2027-01-31T00:00:00Z"


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A rule as a text says it; `id` is empty where the text gives none."""

    line: int
    scope: Scope
    effect: Effect
    network: Network
    mode: Mode = Mode.ENFORCE
    expires_at: datetime | None = None
    owner: str = ""
    comment: str = ""
    id: str = ""


class Problems:
    """Collects what is wrong with one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, line: int, message: str) -> None:
        """Note one problem."""
        self.found.append(Problem(file=self.file, line=line, message=message))

    def network(self, text: str, line: int) -> Network | None:
        """Read a network; None when that became a problem."""
        try:
            return parse_network(text)
        except AddressRefused as refused:
            self.add(line, refused.message)
            return None

    def known(self, word: str, words: Sequence[str], line: int, *, what: str) -> bool:
        """Whether a word is one of those that are known; if not, that became a problem with the nearest one."""
        if word in words:
            return True
        by_small = {known.lower(): known for known in words}
        near = get_close_matches(word.lower(), list(by_small), n=1)
        mend = f"write {by_small[near[0]]}" if near else f"write one of {', '.join(words)}"
        self.add(line, f"{shown(word)} is no {what}; {mend}")
        return False


def finish(drafts: Sequence[Draft], problems: Problems) -> tuple[Rule, ...]:
    """Make rules of drafts, with an id for each that has none; a doubled id becomes a problem."""
    lines: dict[str, int] = {}
    for draft in drafts:
        if draft.id in lines:
            problems.add(
                draft.line, f"the id {shown(draft.id)} stands in line {lines[draft.id]} too; write another one"
            )
        elif draft.id:
            lines[draft.id] = draft.line
    ids = FreeIds(lines)
    rules = []
    for draft in drafts:
        name = draft.id or ids.give(default_id(draft.scope, draft.effect, draft.network))
        rules.append(
            Rule(
                id=name,
                scope=draft.scope,
                effect=draft.effect,
                network=draft.network,
                source=FileSource(file=problems.file, line=draft.line),
                mode=draft.mode,
                expires_at=draft.expires_at,
                owner=draft.owner,
                comment=draft.comment,
            )
        )
    return tuple(rules)
