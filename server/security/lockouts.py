"""What would let a shop in no more after a change of its policy. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime

from ipfilters import Effect, Endpoint, Mode, RuleSet
from licensing.credentials import API_KEY, AUTHORITY, CERTIFICATE, USERNAME
from server.security.policies import identifies_by_address, needs_address, needs_credential, proves, way
from server.security.proofs import ProofKind
from storage.records import AccessPolicy

PROOFS_OF: Mapping[str, frozenset[ProofKind]] = {
    API_KEY: frozenset({ProofKind.API_KEY}),
    USERNAME: frozenset({ProofKind.USERNAME}),
    CERTIFICATE: frozenset({ProofKind.CERTIFICATE, ProofKind.SIGNATURE}),
    AUTHORITY: frozenset({ProofKind.CERTIFICATE, ProofKind.SIGNATURE}),
}
"""The proofs that a credential of a kind can give."""


def lockouts(
    policy: AccessPolicy,
    *,
    shop: str,
    endpoint: Endpoint,
    rules: RuleSet,
    kinds: Collection[ProofKind],
    now: datetime,
) -> tuple[str, ...]:
    """Tell why a shop could prove itself nowhere under a policy, each with the mend; empty where it could.

    `kinds` are the proofs that its credentials of now can give.
    """
    by_address = _lets_in(rules, shop=shop, endpoint=endpoint, now=now)
    by_credential = proves(policy, kinds)
    either = not needs_address(policy) and not needs_credential(policy) and (by_address or by_credential)
    found = []
    if not by_address and not either and not _never_asked(policy):
        found.append(
            f"no rule allows an address for shop {shop}, so under {policy} no address helps it; "
            f"add one before: `opendepot ipfilter add --shop {shop} allow CIDR`"
        )
    if not by_credential and not either and not identifies_by_address(policy):
        found.append(
            f"shop {shop} has no credential to prove itself {way(policy)}, as {policy} asks; "
            "give it one before: `opendepot shop --help`"
        )
    return tuple(found)


def _never_asked(policy: AccessPolicy) -> bool:
    return needs_credential(policy) and not needs_address(policy)


def _lets_in(rules: RuleSet, *, shop: str, endpoint: Endpoint, now: datetime) -> bool:
    return rules.defaults.allows(endpoint) or any(
        rule.effect is Effect.ALLOW
        and rule.mode is Mode.ENFORCE
        and not rule.is_expired(now)
        and rule.scope.applies(endpoint=endpoint, shop=shop)
        for rule in rules.rules
    )
