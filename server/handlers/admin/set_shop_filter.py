"""SetShopFilter: other rules for a shop, and what proves it."""

from collections import Counter
from datetime import UTC, datetime

from ipfilters import AddressRefused, DatabaseSource, Effect, Endpoint, Mode, Rule, Scope, parse_network
from ipfilters.rules import default_id
from server.errors import NetworkInvalid
from server.handlers.admin.shop_filter import shop_filter_message
from server.handlers.base import Call, Services
from soap.messages import admin
from storage.records import AccessPolicy


async def set_shop_filter(call: Call[admin.SetShopFilterRequest], services: Services) -> admin.SetShopFilterAnswer:
    """Put the rules of a message in place of the shop's own."""
    message = call.message
    found = await services.shop_filters.set(
        message.shop_name,
        _rules(message, call.caller.administrator),
        version=message.version,
        policy=None if message.policy is None else AccessPolicy(message.policy),
        reason=message.reason or "",
        confirmed=message.confirmed,
        editor=call.caller.address,
        author=call.caller.administrator,
    )
    return admin.SetShopFilterAnswer(filter=shop_filter_message(found))


def _rules(message: admin.SetShopFilterRequest, author: str) -> list[Rule]:
    taken: Counter[str] = Counter()
    rules = []
    for number, rule in enumerate(message.rule, 1):
        scope = Scope(shop=message.shop_name, endpoint=None if rule.endpoint is None else Endpoint(rule.endpoint))
        effect = Effect(rule.effect)
        try:
            network = parse_network(rule.network)
        except AddressRefused as refused:
            raise NetworkInvalid(f"rule[{number}]/network: {refused.message}") from None
        name = default_id(scope, effect, network)
        taken[name] += 1
        rules.append(
            Rule(
                id=name if taken[name] == 1 else f"{name} #{taken[name]}",
                scope=scope,
                effect=effect,
                network=network,
                source=DatabaseSource(row="new", who=author, at=datetime.min.replace(tzinfo=UTC)),
                mode=Mode.ENFORCE if rule.mode is None else Mode(rule.mode),
                expires_at=None if rule.expiration is None else rule.expiration.time,
                owner=rule.owner or "",
                comment=rule.comment or "",
            )
        )
    return rules
