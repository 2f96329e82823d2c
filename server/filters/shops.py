"""The filter of one shop, as the Admin interface reads and sets it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ipfilters import (
    AddressRefused,
    Client,
    ClientRefused,
    Endpoint,
    Explanation,
    Forwarding,
    Rule,
    RuleSet,
    TrustedProxies,
    explain,
    find_client,
)
from licensing.catalogue import Catalogue
from licensing.errors import ShopUnknown
from server.errors import ClientUnknown, FilterMoved, FilterUnconfirmed, NetworkInvalid
from server.filters.editing import EditRefused, FilterEditor
from server.filters.keeper import FilterKeeper
from server.filters.sources import rules_of
from server.security.policies import Verdict, verdict
from storage import Storage
from storage.commands import FiltersView, LoadFilters
from storage.records import AccessPolicy, Shop


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopFilter:
    """The rules of a shop in the database, the version of all rules there, and the shop's policy."""

    shop: str
    version: int
    policy: AccessPolicy
    rules: tuple[Rule, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """What would become of a connection; `policy`, `verdict`: None where no shop was named."""

    explanation: Explanation
    policy: AccessPolicy | None
    verdict: Verdict | None


class ShopFilters:
    """Reads and sets the filters of shops, and explains addresses by the rules that are in force here."""

    def __init__(
        self,
        storage: Storage,
        catalogue: Catalogue,
        keeper: FilterKeeper,
        *,
        proxies: TrustedProxies,
        form: Forwarding,
        admin_policy: AccessPolicy,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._keeper = keeper
        self._proxies = proxies
        self._form = form
        self._admin_policy = admin_policy
        self._clock = clock

    async def get(self, shop: str) -> ShopFilter:
        """Give the filter of a shop. Raises ShopUnknown."""
        view = await self._storage.query(LoadFilters())
        found = _shop_of(view, shop)
        # Off the event loop: there may be very many rules.
        read = await asyncio.to_thread(rules_of, view.document)
        return ShopFilter(
            shop=shop,
            version=0 if view.document is None else view.document.version,
            policy=found.access_policy,
            rules=tuple(rule for rule in read.rules if rule.scope.shop == shop),
        )

    async def set(
        self,
        shop: str,
        rules: Sequence[Rule],
        *,
        version: int,
        policy: AccessPolicy | None,
        reason: str,
        confirmed: bool,
        editor: str,
        author: str,
    ) -> ShopFilter:
        """Put rules in the place of the shop's own; `editor` is the caller's address.

        Raises ShopUnknown, FilterMoved when the rules are not those of `version` any more, and FilterUnconfirmed for
        what is dangerous and not confirmed.
        """
        before = await self.get(shop)
        if before.version != version:
            raise FilterMoved("the rules have been changed since that version; get them and change those")
        other = policy if policy not in {None, before.policy} else None
        if _sayings(before.rules) != _sayings(rules):
            filters = FilterEditor(self._storage, clock=self._clock, of_files=self._keeper.of_files)
            edit = await filters.prepare(lambda found: _replaced(found, shop, rules))
            edit = replace(edit, version=version)
            dangers = await asyncio.to_thread(filters.warnings, edit, editor=editor, admin_policy=self._admin_policy)
            if dangers and not confirmed:
                raise FilterUnconfirmed("; ".join(danger.message for danger in dangers) + "; send confirmed to do it")
            try:
                await filters.store(
                    edit,
                    author=author,
                    comment=reason or f"SetShopFilter {shop}",
                    policy=None if other is None else (shop, other),
                )
            except EditRefused:
                raise FilterMoved("somebody else has changed the rules meanwhile; get them and change those") from None
        elif other is not None:
            await self._catalogue.set_policy(shop, other, actor=author)
        self._keeper.hurry()
        return await self.get(shop)

    async def explain(
        self, address: str, *, endpoint: Endpoint, shop: str | None, forwarded: Sequence[str]
    ) -> Explained:
        """Explain a connection by what is in force. Raises ShopUnknown, ClientUnknown, NetworkInvalid."""
        state = self._keeper.fresh()
        policy = None
        if shop is not None:
            policy = _shop_of(await self._storage.query(LoadFilters()), shop).access_policy
        client = self._client(address, forwarded)
        found = explain(state.snapshot, client, endpoint=endpoint, shop=shop, now=self._keeper.now())
        return Explained(
            explanation=found, policy=policy, verdict=None if policy is None else verdict(policy, found.decision)
        )

    def _client(self, address: str, forwarded: Sequence[str]) -> Client:
        try:
            return find_client(address, tuple(forwarded), trusted=self._proxies, form=self._form)
        except AddressRefused as refused:
            raise NetworkInvalid(refused.message) from None
        except ClientRefused as refused:
            if refused.code == "Peer":
                raise NetworkInvalid("address: write an IP address such as 192.0.2.7 or 2001:db8::7") from None
            raise ClientUnknown(refused.message) from None


def _shop_of(view: FiltersView, name: str) -> Shop:
    for found in view.shops:
        if found.name == name:
            return found
    raise ShopUnknown(f"there is no shop {name}", path="shopName")


def _sayings(rules: Sequence[Rule]) -> list[tuple[object, ...]]:
    return [
        (rule.scope, rule.effect, rule.network, rule.mode, rule.expires_at, rule.owner, rule.comment) for rule in rules
    ]


def _replaced(before: RuleSet, shop: str, rules: Sequence[Rule]) -> RuleSet:
    return replace(before, rules=(*(rule for rule in before.rules if rule.scope.shop != shop), *rules))
