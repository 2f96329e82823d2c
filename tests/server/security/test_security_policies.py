"""The matrix of policies and decisions, and what each policy asks for."""

import pytest

from ipfilters import Decision, Reason
from server.security.policies import (
    Verdict,
    identifies_by_address,
    needs_address,
    needs_credential,
    needs_message,
    proves,
    verdict,
    way,
)
from server.security.proofs import STRONG, ProofKind
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


@pytest.mark.parametrize("policy", AccessPolicy)
def test_a_policy_takes_the_proofs_that_it_names_and_says_so(policy: AccessPolicy) -> None:
    named = {
        "mtls": ({ProofKind.CERTIFICATE}, "its TLS client certificate"),
        "signature": ({ProofKind.SIGNATURE}, "a signature over the message"),
    }
    kinds, said = named.get(policy.rpartition(" ")[2], (set(ProofKind), "with a credential"))
    assert {kind for kind in ProofKind if proves(policy, [kind])} == kinds
    assert proves(policy, ProofKind)
    assert not proves(policy, [])
    assert said in way(policy)
    assert needs_message(policy) is not policy.endswith("mtls"), "a password or a signature stands in the message"


@pytest.mark.parametrize("policy", AccessPolicy)
def test_a_policy_asks_for_the_address_for_a_credential_for_both_or_for_either(policy: AccessPolicy) -> None:
    alone, both, either = policy == "ip", " AND " in policy, " OR " in policy
    assert identifies_by_address(policy) is alone
    assert needs_address(policy) is (alone or both)
    assert needs_credential(policy) is not (alone or either)


def test_a_front_must_hold_a_key_that_never_travels() -> None:
    assert {ProofKind.CERTIFICATE, ProofKind.SIGNATURE} == STRONG
