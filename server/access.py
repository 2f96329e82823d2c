"""Who speaks: gate A before a body is read, gate B after the header blocks are read and before the body is believed."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from ipfilters import (
    Client,
    ClientRefused,
    Decision,
    Endpoint,
    Forwarding,
    Reason,
    TrustedProxies,
    explain,
    find_client,
)
from licensing.catalogue import Catalogue
from observe import Metrics
from server.errors import AddressDenied, ClientUnknown, FrontRefused, NotIdentified
from server.filters.judging import Verdict, verdict
from server.filters.keeper import FilterKeeper, FilterState
from soap import Received, SoapError
from soap.envelope import ContentType, read_content_type
from storage.records import AccessPolicy, Shop

NO_SHOP = "address, credential and URL together name no active shop; tell the operator the reference"
"""Said of every shop that was named and not proven, so that nobody learns which shops there are."""

_CLOSED_WHEN_STALE = frozenset({Endpoint.SALES, Endpoint.ADMIN})


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who was let in. Depot's callers prove themselves by a ticket or a container's signature, inside the message."""

    identified_shop: Shop | None
    identified_administrator: str | None = None
    address: str = ""

    @property
    def shop(self) -> Shop:
        """The shop. Raises AssertionError where the service identifies none: a bug of the registry."""
        if self.identified_shop is None:
            raise AssertionError("a handler of an unidentified service asked for the shop")
        return self.identified_shop

    @property
    def administrator(self) -> str:
        """The administrator's name. Raises AssertionError at other services than Admin: a bug of the registry."""
        if self.identified_administrator is None:
            raise AssertionError("a handler of another service asked for the administrator")
        return self.identified_administrator


@dataclass(kw_only=True, slots=True)
class Calling:
    """What is known of a request when its head was read, and what the last look at its address gave.

    `named` is the shop in the URL. `allowed`, None before any look, is what the rules say of the address, whatever the
    policy makes of it; `version` is that of the rules.
    """

    endpoint: Endpoint
    client: Client
    named: str | None
    authorization: str | None
    allowed: bool | None = None
    version: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Presented:
    """An API key as it was presented, and the shop's name where HTTP Basic gave one."""

    api_key: str
    name: str | None


def gate_a(*, content_type: str | None, content_encoding: str | None, declared: int | None, most: int) -> ContentType:
    """Refuse by the HTTP header alone what will be refused anyway. Raises SoapError."""
    kind = read_content_type(content_type)
    if (content_encoding or "identity").strip().lower() != "identity":
        raise SoapError("ContentEncodingRefused", "send the body without Content-Encoding", version=kind.version)
    if declared is not None and declared > most:
        raise SoapError("TooLarge", f"the body is larger than {most} bytes", version=kind.version)
    return kind


class Gates:
    """Who may send what from where: the address before the body is read, the credential before it is believed.

    Each decision about an address is taken whole by one state of the filters, and the second gate asks the state of
    then: a body may have taken long to arrive.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        filters: FilterKeeper,
        metrics: Metrics,
        *,
        proxies: TrustedProxies,
        header: str,
        admin_policy: AccessPolicy = AccessPolicy.CREDENTIAL,
    ) -> None:
        self._catalogue = catalogue
        self._filters = filters
        self._metrics = metrics
        self._proxies = proxies
        self._header = header
        self._form = form_of(header)
        self._admin_policy = admin_policy

    def client(self, peer: str, fields: Mapping[str, str]) -> Client:
        """Tell who the client is. Raises ClientUnknown."""
        line = fields.get(self._header)
        try:
            return find_client(peer, () if line is None else (line,), trusted=self._proxies, form=self._form)
        except ClientRefused as refused:
            raise ClientUnknown(refused.message) from None

    def admit_address(self, call: Calling) -> None:
        """Pass gate A's look at the address. Raises AddressDenied, NotIdentified, FiltersStale."""
        state = self._filters.fresh() if call.endpoint in _CLOSED_WHEN_STALE else self._filters.last()
        if call.endpoint is not Endpoint.SALES:
            decision = self._decided(state, call, None, "none")
            policy = self._admin_policy if call.endpoint is Endpoint.ADMIN else AccessPolicy.IP
            if verdict(policy, decision) is Verdict.DENIED:
                raise self._denied(state, call, None, policy)
            return
        early = state.snapshot.refused_early(call.client.address, endpoint=call.endpoint, now=self._filters.now())
        if early is not None and early.reason is Reason.DENY_RULE:
            self._counted(early, call.endpoint, "none")
            raise self._denied(state, call, None, None)
        if call.named is not None:
            self._admit_named(state, call, call.named)

    def _admit_named(self, state: FilterState, call: Calling, named: str) -> None:
        """Refuse what the shop in the URL would not be let in with.

        Whether there is such a shop stays untold: the answer is that of a wrong credential.
        """
        shop = state.shops.get(named)
        policy = AccessPolicy.CREDENTIAL if shop is None else shop.access_policy
        decision = self._decided(state, call, None if shop is None else named, "named")
        found = verdict(policy, decision)
        if found is Verdict.DENIED or (found is Verdict.CREDENTIAL and not call.authorization):
            denial = self._denial(state, call, None if shop is None else named, policy)
            raise NotIdentified(NO_SHOP, denial=denial)

    async def admit(self, received: Received, call: Calling) -> Caller:
        """Give the caller of a message. Raises NotIdentified, AddressDenied, FiltersStale, FrontRefused."""
        shop: Shop | None = None
        administrator: str | None = None
        if call.endpoint is Endpoint.SALES:
            shop = await self._shop(call)
        elif call.endpoint is Endpoint.ADMIN:
            administrator = await self._administrator(call)
        if received.on_behalf_of is not None:
            raise FrontRefused("OnBehalfOf needs the right front, which this caller does not hold")
        return Caller(identified_shop=shop, identified_administrator=administrator, address=call.client.address)

    async def _shop(self, call: Calling) -> Shop:
        if call.named is not None and not call.authorization:
            return self._by_address(call, call.named)
        presented = read_authorization(call.authorization)
        shop = await self._catalogue.find_shop(presented.api_key, presented.name)
        if shop is None:
            raise NotIdentified("this API key belongs to no active shop" if call.named is None else NO_SHOP)
        if call.named not in {None, shop.name}:
            raise NotIdentified(NO_SHOP)
        state = self._filters.fresh()
        policy = state.shops.get(shop.name, shop).access_policy
        if verdict(policy, self._decided(state, call, shop.name, "identified")) is Verdict.DENIED:
            raise self._denied(state, call, shop.name, policy)
        if policy is AccessPolicy.IP and call.named is None:
            raise NotIdentified("this shop is identified by its address alone: add its name to the URL, /v1/sales/NAME")
        return shop

    def _by_address(self, call: Calling, named: str) -> Shop:
        state = self._filters.fresh()
        shop = state.shops.get(named)
        if shop is not None:
            decision = self._decided(state, call, named, "named")
            if verdict(shop.access_policy, decision) is Verdict.PROVEN:
                return shop
        policy = AccessPolicy.CREDENTIAL if shop is None else shop.access_policy
        denial = self._denial(state, call, None if shop is None else named, policy)
        raise NotIdentified(NO_SHOP, denial=denial)

    async def _administrator(self, call: Calling) -> str:
        presented = read_authorization(call.authorization)
        name = await self._catalogue.find_administrator(presented.api_key, presented.name)
        if name is None:
            raise NotIdentified("this API key belongs to no administrator")
        state = self._filters.fresh()
        if verdict(self._admin_policy, self._decided(state, call, None, "none")) is Verdict.DENIED:
            raise self._denied(state, call, None, self._admin_policy)
        return name

    def _decided(self, state: FilterState, call: Calling, shop: str | None, kind: str) -> Decision:
        decision = state.snapshot.decide(
            call.client.address, endpoint=call.endpoint, shop=shop, now=self._filters.now()
        )
        self._counted(decision, call.endpoint, kind)
        call.allowed, call.version = decision.allowed, state.document_version
        return decision

    def _counted(self, decision: Decision, endpoint: Endpoint, kind: str) -> None:
        self._filters.count(decision)
        self._metrics.filter_decisions.labels(endpoint.value, kind, "enforce", decision.reason.value).inc()
        if decision.shadow is not None:
            self._metrics.filter_decisions.labels(endpoint.value, kind, "shadow", decision.shadow.reason.value).inc()

    def _denied(
        self, state: FilterState, call: Calling, shop: str | None, policy: AccessPolicy | None
    ) -> AddressDenied:
        return AddressDenied(
            "this address may not use the service; tell the operator the reference",
            denial=self._denial(state, call, shop, policy),
        )

    def _denial(
        self, state: FilterState, call: Calling, shop: str | None, policy: AccessPolicy | None
    ) -> Mapping[str, object]:
        self._metrics.filter_denials.labels(call.endpoint.value).inc()
        explained = explain(
            state.snapshot, call.client, endpoint=call.endpoint, shop=shop, now=self._filters.now()
        ).as_values()
        return {**explained, "named": call.named, "policy": None if policy is None else policy.value}


def form_of(header: str) -> Forwarding:
    """Give how a forwarding header of this name, in small letters, is read."""
    return Forwarding.FORWARDED if header == Forwarding.FORWARDED.value else Forwarding.X_FORWARDED_FOR


def read_authorization(header: str | None) -> Presented:
    """Read an Authorization header, Bearer or Basic (RFC 6750, RFC 7617). Raises NotIdentified."""
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return Presented(api_key=rest.strip(), name=None)
    if scheme.lower() == "basic":
        try:
            name, colon, api_key = b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise NotIdentified("the Authorization header is not valid HTTP Basic") from None
        if colon and api_key:
            return Presented(api_key=api_key, name=name)
    raise NotIdentified("send Authorization: Bearer with the API key, or HTTP Basic with shop name and API key")
