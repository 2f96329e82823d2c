"""What an address and proofs come to, by the policy of a shop. Pure.

|                 | a deny stands | an allow matches, or the default allows | the default denies |
|-----------------|---------------|-----------------------------------------|--------------------|
| `X`             | denied        | credential                              | credential         |
| `ip`            | denied        | proven                                  | denied             |
| `ip AND X`      | denied        | credential                              | denied             |
| `ip OR X`       | denied        | proven                                  | credential         |

`X` is `credential` (any proof will do), `mtls` (a TLS client certificate) or `signature` (of the message).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipfilters import Decision, Reason
from server.security.proofs import ProofKind
from storage.records import AccessPolicy

_ANY = frozenset(ProofKind)
_MTLS = frozenset({ProofKind.CERTIFICATE})
_SIGNATURE = frozenset({ProofKind.SIGNATURE})


class Verdict(Enum):
    """What an address comes to: nothing more is needed, a credential is, or nothing would help."""

    PROVEN = "proven"
    CREDENTIAL = "credential"
    DENIED = "denied"


class _Address(Enum):
    UNASKED = "unasked"
    ALONE = "alone"
    AND = "and"
    OR = "or"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    address: _Address
    kinds: frozenset[ProofKind]


_RULES: Mapping[AccessPolicy, _Rule] = {
    AccessPolicy.IP: _Rule(address=_Address.ALONE, kinds=_ANY),
    AccessPolicy.CREDENTIAL: _Rule(address=_Address.UNASKED, kinds=_ANY),
    AccessPolicy.MTLS: _Rule(address=_Address.UNASKED, kinds=_MTLS),
    AccessPolicy.SIGNATURE: _Rule(address=_Address.UNASKED, kinds=_SIGNATURE),
    AccessPolicy.IP_AND_CREDENTIAL: _Rule(address=_Address.AND, kinds=_ANY),
    AccessPolicy.IP_AND_MTLS: _Rule(address=_Address.AND, kinds=_MTLS),
    AccessPolicy.IP_AND_SIGNATURE: _Rule(address=_Address.AND, kinds=_SIGNATURE),
    AccessPolicy.IP_OR_CREDENTIAL: _Rule(address=_Address.OR, kinds=_ANY),
    AccessPolicy.IP_OR_MTLS: _Rule(address=_Address.OR, kinds=_MTLS),
    AccessPolicy.IP_OR_SIGNATURE: _Rule(address=_Address.OR, kinds=_SIGNATURE),
}

_WHERE_ALLOWED: Mapping[_Address, Verdict] = {
    _Address.UNASKED: Verdict.CREDENTIAL,
    _Address.ALONE: Verdict.PROVEN,
    _Address.AND: Verdict.CREDENTIAL,
    _Address.OR: Verdict.PROVEN,
}
_WHERE_NOT: Mapping[_Address, Verdict] = {
    _Address.UNASKED: Verdict.CREDENTIAL,
    _Address.ALONE: Verdict.DENIED,
    _Address.AND: Verdict.DENIED,
    _Address.OR: Verdict.CREDENTIAL,
}
_VERDICTS: Mapping[AccessPolicy, tuple[Verdict, Verdict]] = {
    policy: (_WHERE_NOT[rule.address], _WHERE_ALLOWED[rule.address]) for policy, rule in _RULES.items()
}
"""What an address comes to that is not allowed, and one that is."""

_WAYS = {
    _ANY: "with a credential",
    _MTLS: "with its TLS client certificate",
    _SIGNATURE: "with a signature over the message",
}


def verdict(policy: AccessPolicy, decision: Decision) -> Verdict:
    """Give what an address proves under a policy."""
    if decision.reason is Reason.DENY_RULE:
        return Verdict.DENIED
    return _VERDICTS[policy][decision.allowed]


def proves(policy: AccessPolicy, kinds: Iterable[ProofKind]) -> bool:
    """Whether one of these proofs is a credential as the policy asks for."""
    return not _RULES[policy].kinds.isdisjoint(kinds)


def needs_message(policy: AccessPolicy) -> bool:
    """Whether what the policy asks for stands in the message itself, and so is not known before its body."""
    return not _RULES[policy].kinds.isdisjoint({ProofKind.SIGNATURE, ProofKind.USERNAME})


def identifies_by_address(policy: AccessPolicy) -> bool:
    """Whether the policy knows no credential, so that the URL must name the shop."""
    return _RULES[policy].address is _Address.ALONE


def needs_address(policy: AccessPolicy) -> bool:
    """Whether nothing but a right address, alone or with more, lets a shop in."""
    return _RULES[policy].address in {_Address.ALONE, _Address.AND}


def needs_credential(policy: AccessPolicy) -> bool:
    """Whether no address alone lets a shop in."""
    return _RULES[policy].address in {_Address.UNASKED, _Address.AND}


def way(policy: AccessPolicy) -> str:
    """Tell how a shop of this policy proves itself, for somebody who has proven to be the shop otherwise."""
    return _WAYS[_RULES[policy].kinds]
