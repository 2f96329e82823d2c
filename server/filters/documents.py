"""Documents of rules as they stand in the database, read so that one more rule costs little among very many."""

from ipfilters import Defaults, Rule, RuleSet, RulesRefused, read_rules, write_rules
from ipfilters.writing import write_rule
from server.filters.sources import sourced
from storage.records import FilterDocument

MOST_ALONE = 1000
"""More new rules than these are read faster with the whole document."""


class DocumentReader:
    """Reads documents one after another. What stood in the last one is not read again.

    That goes by the paragraphs of the text, for documents that are word for word what `write_rules` writes: then each
    paragraph is one rule, whatever stands around it. Any other document is read as a whole. For one thread at a time.
    """

    def __init__(self) -> None:
        self._head: str | None = None
        self._defaults = Defaults()
        self._known: dict[str, Rule] = {}

    def read(self, document: FilterDocument | None) -> RuleSet:
        """Give the rules of a document, which name it as their source. Raises RulesRefused."""
        if document is None:
            return RuleSet()
        return sourced(self._again(document.rules) or self._whole(document), document)

    def _again(self, text: str) -> RuleSet | None:
        head, paragraphs = _parted(text)
        if head != self._head:
            return None
        found = [self._known.get(paragraph) for paragraph in paragraphs]
        new = {paragraph for paragraph, rule in zip(paragraphs, found, strict=True) if rule is None}
        if len(new) > MOST_ALONE:
            return None
        try:
            alone = {paragraph: _alone(paragraph) for paragraph in new}
            rules = tuple([rule or alone[paragraph] for paragraph, rule in zip(paragraphs, found, strict=True)])
            read = RuleSet(rules=rules, defaults=self._defaults)
        except (RulesRefused, ValueError):
            # Wrong, or not to be told from its paragraphs: the whole document says which.
            return None
        self._known = dict(zip(paragraphs, rules, strict=True))
        return read

    def _whole(self, document: FilterDocument) -> RuleSet:
        read = read_rules(document.rules, file=f"database version {document.version}")
        head, paragraphs = _parted(document.rules)
        if write_rules(read) == document.rules:
            self._head, self._defaults = head, read.defaults
            self._known = dict(zip(paragraphs, read.rules, strict=True))
        else:
            self._head, self._known = None, {}
        return read


def _parted(text: str) -> tuple[str, list[str]]:
    """Give what stands before the rules, and the paragraph of each rule."""
    head, first, rest = text.removesuffix("\n").partition("\n\n[[")
    return head, f"[[{rest}".split("\n\n") if first else []


def _alone(paragraph: str) -> Rule:
    """Read a rule that stands alone. Raises RulesRefused, and ValueError where a rule would be written otherwise."""
    (rule,) = read_rules(f"format = 1\n{paragraph}\n", file="").rules
    if write_rule(rule) != paragraph:
        raise ValueError("this is not how a rule is written")
    return rule
