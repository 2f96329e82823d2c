"""The matrix of policies and decisions."""

import pytest

from ipfilters import Decision, Reason
from server.filters.judging import Verdict, verdict
from storage.records import AccessPolicy

DECISIONS = {
    reason: Decision(allowed=reason in {Reason.ALLOW_RULE, Reason.DEFAULT_ALLOW}, reason=reason) for reason in Reason
}


@pytest.mark.parametrize("policy", AccessPolicy)
def test_a_deny_that_stands_holds_under_every_policy(policy: AccessPolicy) -> None:
    assert verdict(policy, DECISIONS[Reason.DENY_RULE]) is Verdict.DENIED


@pytest.mark.parametrize("reason", [Reason.ALLOW_RULE, Reason.DEFAULT_ALLOW])
def test_an_address_that_is_let_in_proves_the_shop_or_leaves_it_to_the_credential(reason: Reason) -> None:
    found = {policy: verdict(policy, DECISIONS[reason]) for policy in AccessPolicy}
    assert found == {
        AccessPolicy.IP: Verdict.PROVEN,
        AccessPolicy.CREDENTIAL: Verdict.CREDENTIAL,
        AccessPolicy.IP_AND_CREDENTIAL: Verdict.CREDENTIAL,
        AccessPolicy.IP_OR_CREDENTIAL: Verdict.PROVEN,
    }


def test_the_default_denies_only_where_the_policy_asks_for_the_address() -> None:
    found = {policy: verdict(policy, DECISIONS[Reason.DEFAULT_DENY]) for policy in AccessPolicy}
    assert found == {
        AccessPolicy.IP: Verdict.DENIED,
        AccessPolicy.CREDENTIAL: Verdict.CREDENTIAL,
        AccessPolicy.IP_AND_CREDENTIAL: Verdict.DENIED,
        AccessPolicy.IP_OR_CREDENTIAL: Verdict.CREDENTIAL,
    }
