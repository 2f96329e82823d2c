"""What SetShopFilter and GetShopFilter have in common: a shop's filter as a message."""

from server.filters.shops import ShopFilter
from soap.messages import admin


def shop_filter_message(found: ShopFilter) -> admin.ShopFilter:
    """Give a filter as it is answered."""
    return admin.ShopFilter(
        shop_name=found.shop,
        version=found.version,
        policy=found.policy.value,
        rule=tuple(
            admin.RuleSummary(
                id=rule.id,
                effect=rule.effect.value,
                network=str(rule.network),
                endpoint=None if rule.scope.endpoint is None else rule.scope.endpoint.value,
                mode=rule.mode.value,
                expires_at=None if rule.expires_at is None else rule.expires_at.isoformat(),
                owner=rule.owner or None,
                comment=rule.comment or None,
            )
            for rule in found.rules
        ),
    )
