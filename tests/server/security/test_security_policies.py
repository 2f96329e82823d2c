"""The matrix of policies and decisions."""

import pytest

from ipfilters import Decision, Reason
from server.security.policies import Verdict, verdict
from storage.records import AccessPolicy

DECISIONS = {
    reason: Decision(allowed=reason in {Reason.ALLOW_RULE, Reason.DEFAULT_ALLOW}, reason=reason) for reason in Reason
}


@pytest.mark.parametrize("policy", AccessPolicy)
def test_a_deny_that_stands_holds_under_every_policy(policy: AccessPolicy) -> None:
    assert verdict(policy, DECISIONS[Reason.DENY_RULE]) is Verdict.DENIED


@pytest.mark.parametrize("reason", [Reason.ALLOW_RULE, Reason.DEFAULT_ALLOW])
def test_an_address_that_is_let_in_proves_the_shop_or_leaves_it_to_the_credential(reason: Reason) -> None:
    for policy in AccessPolicy:
        address = policy is AccessPolicy.IP or policy.startswith("ip OR")
        assert verdict(policy, DECISIONS[reason]) is (Verdict.PROVEN if address else Verdict.CREDENTIAL)


def test_the_default_denies_only_where_the_policy_asks_for_the_address() -> None:
    for policy in AccessPolicy:
        needed = policy is AccessPolicy.IP or policy.startswith("ip AND")
        assert verdict(policy, DECISIONS[Reason.DEFAULT_DENY]) is (Verdict.DENIED if needed else Verdict.CREDENTIAL)
