"""Messages of `urn:opendepot:admin:1`, made from wsdl/v1/admin.xsd by `python -m soap.generate`."""

from dataclasses import dataclass
from datetime import datetime

from frozen import quickly_made


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RuleExpiration:
    """When a rule ends to hold.

    time: The instant, with its offset from UTC.
    """

    time: datetime


@quickly_made
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


@quickly_made
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


@quickly_made
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


@quickly_made
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


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class SetShopFilterAnswer:
    """The answer to SetShopFilter.

    filter: The rules as they stand now.
    """

    filter: ShopFilter


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetShopFilterRequest:
    """Names a shop.

    shop_name: The shop.
    """

    shop_name: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetShopFilterAnswer:
    """The answer to GetShopFilter.

    filter: The rules as they stand.
    """

    filter: ShopFilter


@quickly_made
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


@quickly_made
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


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainAddressAnswer:
    """The answer to ExplainAddress.

    explanation: What would become of it, and why.
    """

    explanation: Explanation


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CreateShopRequest:
    """A new shop.

    shop_name: Its name; HTTP Basic uses it as user name.
    right: What it may do; left out: order and read.
    """

    shop_name: str
    right: tuple[str, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class NewShop:
    """A new shop and its first credential.

    shop_name: Its name.
    api_key: Its API key, which is given this once.
    """

    shop_name: str
    api_key: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CreateShopAnswer:
    """The answer to CreateShop.

    receipt: The new shop.
    """

    receipt: NewShop


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ShopRights:
    """Rights of a shop.

    right: A right.
    """

    right: tuple[str, ...]


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ShopAdmission:
    """Whether a shop is let in.

    active: False: whatever it proves, it is not.
    """

    active: bool


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateShopRequest:
    """What a shop shall be; what is left out stays as it is.

    shop_name: The shop.
    rights: Exactly what it may do.
    policy: What proves it at Sales.
    depot_policy: What proves it at the Depot; not by its address alone.
    admission: Whether it is let in.
    """

    shop_name: str
    rights: ShopRights | None = None
    policy: str | None = None
    depot_policy: str | None = None
    admission: ShopAdmission | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialSummary:
    """A credential.

    credential_id: Its id.
    kind: api-key, username, certificate or authority.
    state: Holds, Ending or Revoked.
    created_at: When it was added.
    valid_until: When it ends, ISO 8601.
    label: What it is for.
    fingerprint: Of a certificate: SHA-256, hexadecimal.
    """

    credential_id: str
    kind: str
    state: str
    created_at: datetime
    valid_until: str | None = None
    label: str | None = None
    fingerprint: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ShopSummary:
    """A shop, and what proves it. Keys and secrets are not told.

    shop_name: Its name.
    active: Whether it is let in.
    policy: What proves it at Sales.
    depot_policy: What proves it at the Depot.
    right: What it may do.
    credential: What it has or had, the oldest first.
    """

    shop_name: str
    active: bool
    policy: str
    depot_policy: str
    right: tuple[str, ...] = ()
    credential: tuple[CredentialSummary, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateShopAnswer:
    """The answer to UpdateShop.

    shop: The shop as it is now.
    """

    shop: ShopSummary


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ListShopsRequest:
    """Which shops.

    page_token: What the answer before gave; left out: from the first.
    """

    page_token: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ShopPage:
    """Some shops.

    has_more: Whether there are more.
    next_page_token: Asks for those.
    shop: A shop.
    """

    has_more: bool
    next_page_token: str | None = None
    shop: tuple[ShopSummary, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ListShopsAnswer:
    """The answer to ListShops.

    page: Shops by name.
    """

    page: ShopPage


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class KeyOverlap:
    """How long two API keys hold beside each other.

    hours: Hours; 0 ends the old one at once.
    """

    hours: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class AddCredentialRequest:
    """A new credential of a shop.

    shop_name: The shop.
    kind: What it is.
    label: What it is for.
    user_name: Of a username: the name in a UsernameToken.
    certificate: Of a certificate or authority: PEM.
    overlap: Of an API key: how long the one before goes on to hold; left out: 72 hours.
    """

    shop_name: str
    kind: str
    label: str | None = None
    user_name: str | None = None
    certificate: str | None = None
    overlap: KeyOverlap | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class NewCredential:
    """A new credential.

    credential_id: Its id.
    kind: What it is.
    secret: The API key, or the secret of a username, which is given this once.
    """

    credential_id: str
    kind: str
    secret: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class AddCredentialAnswer:
    """The answer to AddCredential.

    receipt: The new credential.
    """

    receipt: NewCredential


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RevokeCredentialRequest:
    """A credential of a shop.

    shop_name: The shop.
    credential_id: Its id.
    """

    shop_name: str
    credential_id: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RevokedCredential:
    """A credential that holds no more.

    credential_id: Its id.
    state: Revoked.
    """

    credential_id: str
    state: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RevokeCredentialAnswer:
    """The answer to RevokeCredential.

    receipt: What was revoked.
    """

    receipt: RevokedCredential


@quickly_made
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
