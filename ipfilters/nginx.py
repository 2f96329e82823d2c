"""Rules from the `allow` and `deny` lines of nginx (ngx_http_access_module).

There the first line that matches decides, here a deny and then the longest prefix. Two networks are either apart or
one inside the other, so a line is never reached when an earlier one is as wide, and of those that are reached the
earlier is always the narrower: the first match is the longest one. An allow and an exceptable deny decide by length,
so whatever is reached can be said here with the same meaning, and nothing else is translated.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network

from ipfilters.addresses import AddressRefused, Network, parse_network, shown
from ipfilters.drafts import Draft, Problems, finish
from ipfilters.problems import Problem
from ipfilters.rules import Effect, Rule, Scope

_STATEMENT = re.compile(r"[^;{}]*[;{}]?")
_Key = tuple[int, int, int]
"""A network as version, prefix length and first address: a tuple is several times as fast a key."""

_EVERYBODY = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Translated:
    """What became of nginx lines.

    `rules` say the same as the lines that are not named in `left_out`; each of those says why. The rules end with ones
    for everybody where nginx would do other than the default that they were translated for.
    """

    rules: tuple[Rule, ...]
    left_out: tuple[Problem, ...]


def import_nginx(text: str, *, file: str, scope: Scope, default: bool) -> Translated:
    """Translate the lines of one block, or of an included file, into rules of a scope.

    `default` is whether the endpoint lets in an address that no rule matches. Nothing is raised: what has no
    translation stands in `left_out`.
    """
    problems = Problems(file)
    reached: list[tuple[int, Effect, Network]] = []
    lines: dict[_Key, int] = {}
    lengths: set[int] = set()
    rest = Effect.ALLOW
    ended: int | None = None
    for line, words in _statements(text, problems):
        networks = _networks(words, line, problems)
        if not networks:
            continue
        if ended is not None:
            problems.add(line, f"line {ended} decides for everybody, so this line never does anything")
            continue
        effect = Effect(words[0])
        if networks == _EVERYBODY:
            rest, ended = effect, line
            continue
        before = next((lines[key] for key in _around(networks[0], lengths) if key in lines), None)
        if before is None:
            reached.append((line, effect, networks[0]))
            lines[_key(networks[0])] = line
            lengths.add(networks[0].prefixlen)
        else:
            problems.add(line, f"line {before} decides for all of {networks[0]}, so this line never does anything")
    if (rest is Effect.ALLOW) is not default:
        reached += [(ended or 1, rest, network) for network in _EVERYBODY if _key(network) not in lines]
    drafts = [Draft(line=line, scope=scope, effect=effect, network=network) for line, effect, network in reached]
    return Translated(rules=finish(_excepted(drafts), problems), left_out=tuple(sorted(problems.found)))


def _excepted(drafts: list[Draft]) -> list[Draft]:
    """Make those denies exceptable inside of which something is allowed; the others may as well stand for ever."""
    lengths = {draft.network.prefixlen for draft in drafts if draft.effect is Effect.DENY}
    around = {key for draft in drafts if draft.effect is Effect.ALLOW for key in _around(draft.network, lengths)}
    return [
        replace(draft, effect=Effect.EXCEPTABLE_DENY)
        if draft.effect is Effect.DENY and _key(draft.network) in around
        else draft
        for draft in drafts
    ]


def _statements(text: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Give the words of each statement outside of blocks; what stands in blocks becomes a problem."""
    plain = re.sub(r"#[^\n]*", "", text)
    depth, line = 0, 1
    for found in _STATEMENT.finditer(plain):
        statement = found[0]
        begins = line + statement[: len(statement) - len(statement.lstrip())].count("\n")
        line += statement.count("\n")
        words, end = statement.rstrip(";{}").split(), statement[-1:]
        if words and (depth or end == "{"):
            problems.add(begins, "this stands in a block, which may override others; translate its lines alone")
        elif words and end != ";":
            problems.add(begins, "the line has no end; write ; after it")
        elif words:
            yield begins, words
        depth += (end == "{") - (end == "}" and depth > 0)


def _networks(words: list[str], line: int, problems: Problems) -> tuple[Network, ...]:
    """Give the networks of a statement, none where it has no translation."""
    if words[0] not in {"allow", "deny"} or len(words) != 2:
        problems.add(line, f"{shown(' '.join(words))} is neither an allow nor a deny; say it here in another way")
        return ()
    if words[1] == "all":
        return _EVERYBODY
    if words[1] == "unix:":
        problems.add(line, "sockets of this machine have no address; whoever may open one is let in by file rights")
        return ()
    try:
        return (parse_network(words[1]),)
    except AddressRefused as refused:
        # nginx itself takes host bits as nothing, so the mended network is what it has been deciding by.
        if refused.mended is not None and "host bits" in refused.message:
            return (parse_network(refused.mended),)
        problems.add(line, refused.message)
        return ()


def _key(network: Network) -> _Key:
    return network.version, network.prefixlen, int(network.network_address)


def _around(network: Network, lengths: set[int]) -> list[_Key]:
    """Give the keys of the networks of these prefix lengths that hold a network, itself among them."""
    version, number, bits = network.version, int(network.network_address), network.max_prefixlen
    return [
        (version, length, number >> (bits - length) << (bits - length))
        for length in sorted(lengths)
        if length <= network.prefixlen
    ]
