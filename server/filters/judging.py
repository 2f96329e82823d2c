"""What an address proves, by the policy of a shop and what the rules say of the address. Pure.

|                     | a deny stands | an allow matches, or the default allows | the default denies |
|---------------------|---------------|-----------------------------------------|--------------------|
| `credential`        | denied        | credential                              | credential         |
| `ip`                | denied        | proven                                  | denied             |
| `ip AND credential` | denied        | credential                              | denied             |
| `ip OR credential`  | denied        | proven                                  | credential         |
"""

from enum import Enum

from ipfilters import Decision, Reason
from storage.records import AccessPolicy


class Verdict(Enum):
    """What an address comes to: nothing more is needed, a credential is, or nothing would help."""

    PROVEN = "proven"
    CREDENTIAL = "credential"
    DENIED = "denied"


def verdict(policy: AccessPolicy, decision: Decision) -> Verdict:
    """Give what an address proves under a policy."""
    if decision.reason is Reason.DENY_RULE:
        return Verdict.DENIED
    match policy:
        case AccessPolicy.CREDENTIAL:
            return Verdict.CREDENTIAL
        case AccessPolicy.IP:
            return Verdict.PROVEN if decision.allowed else Verdict.DENIED
        case AccessPolicy.IP_AND_CREDENTIAL:
            return Verdict.CREDENTIAL if decision.allowed else Verdict.DENIED
        case AccessPolicy.IP_OR_CREDENTIAL:
            return Verdict.PROVEN if decision.allowed else Verdict.CREDENTIAL
