"""Rules written as the TOML that `files` reads."""

from collections.abc import Iterable
from datetime import UTC

from ipfilters.files import FORMAT
from ipfilters.rules import Effect, Endpoint, Mode, Rule, RuleSet, Scope, default_id

_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)} | {ord('"'): '\\"', ord("\\"): "\\\\"}


def write_rules(rule_set: RuleSet) -> str:
    """Give the text of a file that reads as this rule set.

    What comes back is equal but for the sources, which are the lines of the new text.
    """
    return "\n".join(_lines(rule_set))


def write_rule(rule: Rule) -> str:
    """Give the lines of one rule in that text, without an end of line after the last."""
    return "\n".join(_rule_lines(rule))


def _lines(rule_set: RuleSet) -> Iterable[str]:
    yield f"format = {FORMAT}"
    yield ""
    yield "[defaults]"
    for endpoint in Endpoint:
        yield f"{endpoint} = {_quoted('allow' if rule_set.defaults.allows(endpoint) else 'deny')}"
    yield ""
    for rule in rule_set.rules:
        yield from _rule_lines(rule)
        yield ""


def _rule_lines(rule: Rule) -> Iterable[str]:
    yield f"[[{_table(rule.scope)}]]"
    yield f"{'allow' if rule.effect is Effect.ALLOW else 'deny'} = {_quoted(str(rule.network))}"
    if rule.effect is Effect.EXCEPTABLE_DENY:
        yield "exceptable = true"
    if rule.scope.shop is not None and rule.scope.endpoint is not None:
        yield f"endpoint = {_quoted(rule.scope.endpoint)}"
    if rule.mode is not Mode.ENFORCE:
        yield f"mode = {_quoted(rule.mode)}"
    if rule.expires_at is not None:
        yield f"expires_at = {rule.expires_at.astimezone(UTC).isoformat()}"
    for key, value in (("owner", rule.owner), ("comment", rule.comment)):
        if value:
            yield f"{key} = {_quoted(value)}"
    if rule.id != default_id(rule.scope, rule.effect, rule.network):
        yield f"id = {_quoted(rule.id)}"


def _table(scope: Scope) -> str:
    if scope.shop is not None:
        return f"shop.{_quoted(scope.shop)}"
    return "global" if scope.endpoint is None else f"endpoint.{scope.endpoint}"


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
