"""What a change of a policy would lock out, found before it is made."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from ipfilters import DatabaseSource, Defaults, Effect, Endpoint, Mode, Rule, RuleSet, Scope
from server.security.lockouts import lockouts
from server.security.proofs import ProofKind
from storage.records import AccessPolicy

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = {ProofKind.API_KEY}


def allow(shop: str | None = "acme", endpoint: Endpoint | None = None, **changes: object) -> RuleSet:
    values = {"effect": Effect.ALLOW, "mode": Mode.ENFORCE, "expires_at": None, **changes}
    source = DatabaseSource(row="1", who="", at=NOW)
    network = ip_network("192.0.2.0/24")
    return RuleSet(
        rules=(Rule(id="1", scope=Scope(shop=shop, endpoint=endpoint), network=network, source=source, **values),)
    )


NO_RULES = RuleSet()


def asked(policy: AccessPolicy, rules: RuleSet = NO_RULES, kinds: set[ProofKind] = KEY) -> tuple[str, ...]:
    return lockouts(policy, shop="acme", endpoint=Endpoint.SALES, rules=rules, kinds=kinds, now=NOW)


@pytest.mark.parametrize("policy", [AccessPolicy.IP, AccessPolicy.IP_AND_CREDENTIAL])
def test_a_policy_of_addresses_needs_a_rule_that_allows_one(policy: AccessPolicy) -> None:
    (said,) = asked(policy)
    assert "opendepot ipfilter add --shop acme allow" in said
    assert asked(policy, allow()) == ()
    assert asked(policy, allow(shop=None)) == ()
    assert asked(policy, RuleSet(defaults=Defaults(sales=True))) == ()


@pytest.mark.parametrize(
    "useless",
    [
        allow(shop="other"),
        allow(endpoint=Endpoint.DEPOT),
        allow(effect=Effect.DENY),
        allow(mode=Mode.SHADOW),
        allow(expires_at=NOW - timedelta(days=1)),
    ],
)
def test_a_rule_that_does_not_allow_here_and_now_is_none(useless: RuleSet) -> None:
    assert len(asked(AccessPolicy.IP, useless)) == 1


def test_a_policy_of_credentials_needs_one_of_the_right_kind() -> None:
    assert asked(AccessPolicy.CREDENTIAL) == ()
    assert len(asked(AccessPolicy.CREDENTIAL, kinds=set())) == 1
    assert "TLS client certificate" in asked(AccessPolicy.MTLS)[0]
    assert asked(AccessPolicy.MTLS, kinds={ProofKind.CERTIFICATE}) == ()
    assert len(asked(AccessPolicy.IP_AND_MTLS)) == 2


def test_where_an_address_or_a_credential_will_do_one_of_them_must_be_there() -> None:
    assert asked(AccessPolicy.IP_OR_CREDENTIAL) == ()
    assert len(asked(AccessPolicy.IP_OR_MTLS)) == 2
    assert asked(AccessPolicy.IP_OR_MTLS, allow()) == ()
    assert asked(AccessPolicy.IP_OR_MTLS, kinds={ProofKind.CERTIFICATE}) == ()
