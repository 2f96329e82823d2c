"""Messages of `urn:opendepot:admin:1`, made from wsdl/v1/admin.xsd by `python -m soap.generate`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleExpiration:
    """When a rule ends to hold.

    time: The instant, with its offset from UTC.
    """

    time: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRule:
    """A rule about the addresses of one network.

    effect: What it does.
    network: A network such as 192.0.2.0/24 or 2001:db8::/32, or an address alone.
    endpoint: Only at this interface; left out: at all of them.
    mode: Whether it decides; left out: it does.
    expiration: When it ends to hold; left out: never.
    owner: Who asked for it.
    comment: What it is for.
    """

    effect: str
    network: str
    endpoint: str | None = None
    mode: str | None = None
    expiration: RuleExpiration | None = None
    owner: str | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SetShopFilterRequest:
    """All rules of a shop, and what proves the shop.

    shop_name: The shop.
    version: The version that GetShopFilter gave: where the rules have changed since, nothing is written.
    policy: What proves that a request comes from the shop; left out: as before.
    rule: The rules; none: the shop has no rules of its own any more.
    reason: Why, for the history.
    confirmed: True to write it even if it opens a service to nearly all addresses or locks out the caller.
    """

    shop_name: str
    version: int
    confirmed: bool
    policy: str | None = None
    rule: tuple[NewRule, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSummary:
    """A rule as it stands.

    id: Its name in explanations and counts.
    effect: allow, deny or exceptable deny.
    network: The network.
    endpoint: The interface, where it is for one only.
    mode: enforce or shadow.
    expires_at: When it ends to hold, as a date and time; left out: never.
    owner: Who asked for it.
    comment: What it is for.
    """

    id: str
    effect: str
    network: str
    mode: str
    endpoint: str | None = None
    expires_at: str | None = None
    owner: str | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopFilter:
    """What is asked of the address of a shop.

    shop_name: The shop.
    version: The version of all rules in the database.
    policy: What proves that a request comes from the shop: ip, or credential, mtls or signature, alone or
        after ip AND or ip OR.
    rule: Its own rules.
    """

    shop_name: str
    version: int
    policy: str
    rule: tuple[RuleSummary, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SetShopFilterAnswer:
    """The answer to SetShopFilter.

    filter: The rules as they stand now.
    """

    filter: ShopFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class GetShopFilterRequest:
    """Names a shop.

    shop_name: The shop.
    """

    shop_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GetShopFilterAnswer:
    """The answer to GetShopFilter.

    filter: The rules as they stand.
    """

    filter: ShopFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainAddressRequest:
    """A connection as it might come.

    address: The other end of the connection.
    endpoint: What is asked for.
    shop_name: As which shop.
    forwarded: Lines of the forwarding header, in order.
    """

    address: str
    endpoint: str
    shop_name: str | None = None
    forwarded: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A decision about an address.

    client: Who the client is, behind trusted proxies.
    allowed: Whether the rules let the address in.
    reason: deny-rule, allow-rule, default-deny or default-allow.
    winner: The id of the rule that decided.
    policy: What proves the shop, where one was named.
    verdict: What follows from the policy: proven, credential (one is needed) or denied.
    version: The version of the rules in the database.
    text: All of it in lines of text: proxies, every rule that matches, and why it did or did not decide.
    """

    client: str
    allowed: bool
    reason: str
    version: int
    text: str
    winner: str | None = None
    policy: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainAddressAnswer:
    """The answer to ExplainAddress.

    explanation: What would become of it, and why.
    """

    explanation: Explanation


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultDetail:
    """What went wrong, where, and whether sending the same request again can help.

    code: A stable name of the case, listed with its meaning and mend in the reference of fault codes.
    message: What was wrong and how to mend it, in English, for people.
    reference: The name of this exchange in the log of the server; quote it to support.
    retry: Never, or Later: the same request may succeed if it is sent again after a while.
    path: The element that the fault is about, such as CreateOrder/orderLine[2]/quantity.
    """

    code: str
    message: str
    reference: str
    retry: str
    path: str | None = None
