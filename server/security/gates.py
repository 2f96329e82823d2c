"""Who speaks: gate A before a body is read, gate B after the header blocks are read and before the body is believed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from types import MappingProxyType

from ipfilters import (
    AddressRefused,
    Client,
    ClientRefused,
    Decision,
    Endpoint,
    Forwarding,
    Reason,
    TrustedProxies,
    explain,
    find_client,
    parse_address,
)
from licensing.catalogue import Catalogue
from licensing.credentials import Credentials
from licensing.rights import FRONT, holds
from observe import Metrics
from server.errors import AddressDenied, ClientUnknown, FrontRefused, NotIdentified
from server.filters.keeper import FilterKeeper, FilterState
from server.security.authorization import read_authorization
from server.security.callers import Caller, Calling
from server.security.certificates import CertificateUnreadable, read_forwarded
from server.security.messages import MessageProofs, MessageSecurity
from server.security.policies import Verdict, identifies_by_address, needs_message, proves, verdict, way
from server.security.proofs import STRONG, Proof, ProofKind
from server.security.rights import Requirements
from server.security.wssecurity.refusals import SecurityUnsupported
from soap import Received, SoapError
from soap.envelope import ContentType, read_content_type
from soap.messages.header import FrontClient
from storage.marks import Mark
from storage.records import AccessPolicy, Administrator, Shop

NO_SHOP = "address, credential and URL together name no active shop; tell the operator the reference"
"""Said of every shop that was named and not proven, so that nobody learns which shops there are."""

_NO_REQUIREMENTS = Requirements()
_REMEMBERED = 4096
# Python 3.11 takes long to find a member of an enumeration by its name.
_PROVEN = Verdict.PROVEN
_CLOSED_WHEN_STALE = frozenset({Endpoint.SALES, Endpoint.ADMIN})
_BY_TICKET = frozenset({Endpoint.DEPOT, Endpoint.OZOMM})
"""Whose callers prove themselves by what is in the message."""


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
        credentials: Credentials,
        filters: FilterKeeper,
        metrics: Metrics,
        *,
        proxies: TrustedProxies,
        header: str,
        message_security: MessageSecurity,
        requirements: Mapping[Endpoint, Requirements] = MappingProxyType({}),
        admin_policy: AccessPolicy = AccessPolicy.CREDENTIAL,
        certificate_header: str | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._credentials = credentials
        self._requirements = requirements
        self._certificate_header = certificate_header
        self._message_security = message_security
        self._filters = filters
        self._metrics = metrics
        self._proxies = proxies
        self._header = header
        self._form = form_of(header)
        # Whom no proxy speaks for depends on the peer alone.
        self._direct = lru_cache(maxsize=_REMEMBERED)(partial(find_client, trusted=proxies, form=self._form))
        self._admin_policy = admin_policy

    def client(self, peer: str, fields: Mapping[str, str]) -> Client:
        """Tell who the client is. Raises ClientUnknown."""
        line = fields.get(self._header)
        try:
            if line is None:
                return self._direct(peer)
            return find_client(peer, (line,), trusted=self._proxies, form=self._form)
        except ClientRefused as refused:
            raise ClientUnknown(refused.message) from None

    def calling(
        self,
        endpoint: Endpoint,
        *,
        peer: str,
        secure: bool,
        certificate: bytes | None,
        fields: Mapping[str, str],
        named: str | None,
    ) -> Calling:
        """Give what is known of a request by its head. Raises ClientUnknown."""
        client = self.client(peer, fields)
        if self._proxies.judge(client.peer).trusted:
            secure = secure or fields.get("x-forwarded-proto", "").strip().lower() == "https"
            certificate = self._forwarded(fields) or certificate
        return Calling(
            endpoint=endpoint,
            client=client,
            named=named,
            authorization=fields.get("authorization"),
            certificate=certificate,
            secure=secure,
        )

    def _forwarded(self, fields: Mapping[str, str]) -> bytes | None:
        """Give the client certificate that a trusted proxy tells of."""
        told = None if self._certificate_header is None else fields.get(self._certificate_header)
        if not told or not told.strip():
            return None
        try:
            return read_forwarded(told)
        except CertificateUnreadable as unreadable:
            raise ClientUnknown(f"{self._certificate_header}: {unreadable}") from None

    def admit_reader(self, call: Calling) -> None:
        """Refuse a reader of what is published whom a rule denies. Raises AddressDenied."""
        self._refuse_early(self._filters.last(), call, self._filters.now())

    def admit_address(self, call: Calling) -> None:
        """Pass gate A's look at the address. Raises AddressDenied, NotIdentified, FiltersStale."""
        state = self._filters.fresh() if call.endpoint in _CLOSED_WHEN_STALE else self._filters.last()
        if call.endpoint is not Endpoint.SALES:
            decision = self._decided(state, call, None, "none", self._filters.now())
            policy = self._admin_policy if call.endpoint is Endpoint.ADMIN else AccessPolicy.IP
            if verdict(policy, decision) is Verdict.DENIED:
                raise self._denied(state, call, None, policy)
            return
        now = self._filters.now()
        self._refuse_early(state, call, now)
        if call.named is not None:
            self._admit_named(state, call, call.named, now)

    def _refuse_early(self, state: FilterState, call: Calling, now: datetime) -> None:
        early = state.snapshot.refused_early(call.client.address, endpoint=call.endpoint, now=now)
        if early is not None and early.reason is Reason.DENY_RULE:
            self._counted(early, call.endpoint, "none")
            raise self._denied(state, call, None, None)

    def _admit_named(self, state: FilterState, call: Calling, named: str, now: datetime) -> None:
        """Refuse what the shop in the URL would not be let in with.

        Whether there is such a shop stays untold: the answer is that of a wrong credential.
        """
        shop = state.shops.get(named)
        policy = AccessPolicy.CREDENTIAL if shop is None else shop.access_policy
        decision = self._decided(state, call, None if shop is None else named, "named", now)
        found = verdict(policy, decision)
        if found is _PROVEN:
            return
        nothing = not call.authorization and call.certificate is None
        # What stands in the message is not known before its body.
        if found is Verdict.DENIED or (found is Verdict.CREDENTIAL and nothing and not needs_message(policy)):
            denial = self._denial(state, call, None if shop is None else named, policy)
            raise NotIdentified(NO_SHOP, denial=denial)

    async def admit(self, received: Received, call: Calling) -> tuple[Received, Caller]:
        """Give the message, as far as it is proven, and its caller.

        Raises NotIdentified, AddressDenied, FiltersStale, FrontRefused, ClientUnknown, and what `MessageSecurity` does.
        """
        if call.endpoint is Endpoint.ADMIN:
            if received.on_behalf_of is not None:
                raise FrontRefused("OnBehalfOf is for Sales and Depot; an administrator speaks for nobody else")
            if received.security is not None:
                raise SecurityUnsupported("Security is for Sales and Depot; administrators send their API key alone")
            administrator = await self._administrator(call)
            self._requirements[call.endpoint].require_role(administrator, received.operation.name)
            address = call.client.address
            return received, Caller(identified_shop=None, identified_administrator=administrator.name, address=address)
        requirements = self._requirements.get(call.endpoint, _NO_REQUIREMENTS)
        # A Security header block is never left unread, whatever the service makes of what it proves.
        shown = received.security is not None or (
            bool(call.authorization) and received.operation.name in requirements.identified
        )
        if call.endpoint is not Endpoint.SALES and received.on_behalf_of is None and not shown:
            return received, Caller(identified_shop=None, address=call.client.address)
        proofs: tuple[Proof, ...] = ()
        marks: tuple[Mark, ...] = ()
        if received.security is not None or call.authorization or call.certificate is not None:
            proven = await self._proven(received, call)
            received, proofs, marks = proven.received, proven.proofs, proven.marks
        shop = self._shop(call, proofs)
        requirements.require_right(shop, received.operation.name)
        caller = Caller(
            identified_shop=shop,
            address=call.client.address,
            kinds=tuple([proof.kind.value for proof in proofs]),
            credential_ids=tuple([proof.credential_id for proof in proofs]),
            marks=marks,
        )
        if received.on_behalf_of is None:
            return received, caller
        return received, self._spoken_for(received.on_behalf_of, call, caller, proofs)

    async def _proven(self, received: Received, call: Calling) -> MessageProofs:
        """Verify all that a request brought. Raises NotIdentified for an API key that nobody has."""
        state = self._filters.fresh()
        proofs = await self._proven_by_head(call, state)
        if received.security is None:
            return MessageProofs(received=received, proofs=tuple(proofs))
        message = await self._message_security.prove(
            received, call, certificates=state.certificates, now=self._filters.now()
        )
        return replace(message, proofs=(*proofs, *message.proofs))

    async def admit_large(self, call: Calling, *, usual: int) -> None:
        """Let a body larger than `usual` bytes go on to the parser only from whom the head proves, whatever he may do.

        Such a message costs many times what others do, and nobody shall cost that who cannot be told apart. Raises
        NotIdentified, FiltersStale.
        """
        if await self._proven_by_head(call, self._filters.fresh()):
            return
        if call.named is None:
            raise NotIdentified(
                f"a body of more than {usual} bytes is read only from whom its HTTP head identifies; send the API key "
                "in Authorization, beside what else proves the message"
            )
        self._by_address(self._filters.fresh(), call, call.named)

    async def _proven_by_head(self, call: Calling, state: FilterState) -> list[Proof]:
        """Verify what the head of a request brought. Raises NotIdentified for an API key that nobody has."""
        proofs: list[Proof] = []
        if call.authorization:
            presented = read_authorization(call.authorization)
            found = await self._credentials.find_api_key(presented.api_key, presented.name)
            if found is None:
                raise NotIdentified("this API key belongs to no active shop" if call.named is None else NO_SHOP)
            proofs.append(Proof(kind=ProofKind.API_KEY, shop=found.shop, credential_id=found.credential.credential_id))
        if call.certificate is not None:
            proof = state.certificates.prove(call.certificate, now=self._filters.now())
            # A certificate that is nobody's proves nothing; some clients send one wherever they are asked.
            proofs.extend(() if proof is None else (proof,))
        return proofs

    def _shop(self, call: Calling, proofs: tuple[Proof, ...]) -> Shop:
        """Give the shop that address and proofs come to, under its own policy."""
        state = self._filters.fresh()
        if not proofs:
            if call.named is not None:
                return self._by_address(state, call, call.named)
            raise NotIdentified(
                "send Authorization: Bearer with the API key, or HTTP Basic with shop name and API key"
                if call.certificate is None
                else "this client certificate belongs to no active shop, or does not hold now"
            )
        shop = proofs[0].shop
        of_others = len(proofs) > 1 and any(proof.shop.shop_id != shop.shop_id for proof in proofs)
        if of_others or (call.named is not None and call.named != shop.name):
            raise NotIdentified(NO_SHOP)
        shop = state.shops.get(shop.name, shop)
        policy = shop.access_policy if call.endpoint is Endpoint.SALES else shop.depot_policy
        found = verdict(policy, self._decided(state, call, shop.name, "identified", self._filters.now()))
        if found is Verdict.DENIED:
            raise self._denied(state, call, shop.name, policy)
        if identifies_by_address(policy) and call.named is None:
            raise NotIdentified("this shop is identified by its address alone: add its name to the URL, /v1/sales/NAME")
        if found is Verdict.CREDENTIAL and not proves(policy, [proof.kind for proof in proofs]):
            raise NotIdentified(f"this shop has to prove itself {way(policy)}")
        return shop

    def _spoken_for(self, told: FrontClient, call: Calling, caller: Caller, proofs: tuple[Proof, ...]) -> Caller:
        """Believe a front what it tells of its client, or refuse it."""
        if not holds(caller.shop, FRONT):
            raise FrontRefused("OnBehalfOf needs the right front, which this caller does not hold")
        if STRONG.isdisjoint(proof.kind for proof in proofs):
            raise FrontRefused("OnBehalfOf needs a TLS client certificate or a signature over the message")
        try:
            address = str(parse_address(told.client_address))
        except AddressRefused:
            raise ClientUnknown("OnBehalfOf/clientAddress is no IP address") from None
        call.front = call.client.address
        call.client = replace(call.client, address=address)
        state = self._filters.fresh()
        decision = self._decided(state, call, caller.shop.name, "told", self._filters.now())
        # Which addresses a shop's own servers have says nothing of its clients, so at Sales only denials are asked.
        if decision.reason is Reason.DENY_RULE or (call.endpoint in _BY_TICKET and not decision.allowed):
            raise self._denied(state, call, caller.shop.name, None)
        return replace(caller, address=address, account=told.account, fronted=True)

    def _by_address(self, state: FilterState, call: Calling, named: str) -> Shop:
        shop = state.shops.get(named)
        if shop is not None:
            decision = self._decided(state, call, named, "named", self._filters.now())
            if verdict(shop.access_policy, decision) is _PROVEN:
                return shop
        policy = AccessPolicy.CREDENTIAL if shop is None else shop.access_policy
        denial = self._denial(state, call, None if shop is None else named, policy)
        raise NotIdentified(NO_SHOP, denial=denial)

    async def _administrator(self, call: Calling) -> Administrator:
        presented = read_authorization(call.authorization)
        found = await self._catalogue.find_administrator(presented.api_key, presented.name)
        if found is None:
            raise NotIdentified("this API key belongs to no administrator")
        state = self._filters.fresh()
        if verdict(self._admin_policy, self._decided(state, call, None, "none", self._filters.now())) is Verdict.DENIED:
            raise self._denied(state, call, None, self._admin_policy)
        return found

    def _decided(self, state: FilterState, call: Calling, shop: str | None, kind: str, now: datetime) -> Decision:
        decision = state.snapshot.decide(call.client.address, endpoint=call.endpoint, shop=shop, now=now)
        self._counted(decision, call.endpoint, kind)
        call.allowed, call.version = decision.allowed, state.document_version
        return decision

    def _counted(self, decision: Decision, endpoint: Endpoint, kind: str) -> None:
        self._filters.count(decision)
        self._metrics.decided(endpoint, kind, "enforce", decision.reason)
        if decision.shadow is not None:
            self._metrics.decided(endpoint, kind, "shadow", decision.shadow.reason)

    def tell_denied(self, reference: str, denial: Mapping[str, object]) -> None:
        """Tell why an address was denied, to the log alone."""
        self._filters.denials.tell(reference, denial)

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
