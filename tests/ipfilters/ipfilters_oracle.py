"""The rules of decision once more, slowly: a scan over all rules, written from the documentation."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from ipfilters import Defaults, Effect, Endpoint, FileSource, Mode, Rule, RuleSet, Scope

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SHOPS = (None, "acme", "globex")


def rule(network: str, effect: Effect = Effect.ALLOW, *, line: int = 1, **values: object) -> Rule:
    """Give a rule with everything else at its simplest."""
    scope = Scope(endpoint=values.pop("endpoint", None), shop=values.pop("shop", None))  # type: ignore[arg-type]
    name = values.pop("id", f"{effect} {network} {scope}")
    source = FileSource(file="filters.toml", line=line)
    network = ip_network(network)  # type: ignore[assignment]
    return Rule(id=name, scope=scope, effect=effect, network=network, source=source, **values)  # type: ignore[arg-type]


def allow(network: str, **values: object) -> Rule:
    return rule(network, Effect.ALLOW, **values)  # type: ignore[arg-type]


def deny(network: str, **values: object) -> Rule:
    return rule(network, Effect.DENY, **values)  # type: ignore[arg-type]


def exceptable(network: str, **values: object) -> Rule:
    return rule(network, Effect.EXCEPTABLE_DENY, **values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Said:
    allowed: bool
    winner: str | None
    shadow_allowed: bool | None
    shadow_winner: str | None


def oracle(
    rules: RuleSet, address: IPv4Address | IPv6Address, endpoint: Endpoint, shop: str | None, now: datetime
) -> Said:
    """Decide by looking at every rule."""
    default = {
        Endpoint.SALES: rules.defaults.sales,
        Endpoint.DEPOT: rules.defaults.depot,
        Endpoint.OZOMM: rules.defaults.ozomm,
        Endpoint.ADMIN: rules.defaults.admin,
    }[endpoint]
    matching = [
        (number, one)
        for number, one in enumerate(rules.rules)
        if address in one.network
        and (one.scope.endpoint is None or one.scope.endpoint is endpoint)
        and (one.scope.shop is None or one.scope.shop == shop)
        and (one.expires_at is None or now < one.expires_at)
    ]
    enforced = [pair for pair in matching if pair[1].mode is Mode.ENFORCE]
    allowed, winner = _scan(enforced, default)
    if len(enforced) == len(matching):
        return Said(allowed, winner, None, None)
    return Said(allowed, winner, *_scan(matching, default))


def _scan(matching: list[tuple[int, Rule]], default: bool) -> tuple[bool, str | None]:
    allows = sorted(
        (-one.network.prefixlen, -_level(one), number, one.id)
        for number, one in matching
        if one.effect.value == "allow"
    )
    longest = -allows[0][0] if allows else -1
    denies = sorted(
        (_level(one), -one.network.prefixlen, number, one.id)
        for number, one in matching
        if one.effect.value == "deny" or (one.effect.value == "exceptable deny" and not longest > one.network.prefixlen)
    )
    if denies:
        return False, denies[0][3]
    if allows:
        return True, allows[0][3]
    return default, None


def _level(one: Rule) -> int:
    return (2 if one.scope.shop is not None else 0) + (1 if one.scope.endpoint is not None else 0)


def random_rules(dice: random.Random) -> RuleSet:
    """Give rules that meet each other often: few bits of two families, few shops, times around NOW."""
    rules = tuple(
        Rule(
            id=str(number),
            scope=Scope(endpoint=dice.choice((None, None, *Endpoint)), shop=dice.choice((None, None, *SHOPS))),
            effect=dice.choice(tuple(Effect)),
            network=random_network(dice),
            source=FileSource(file="random", line=number + 1),
            mode=dice.choice((Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, Mode.SHADOW)),
            expires_at=dice.choice((None, None, None, NOW + timedelta(hours=dice.randint(-2, 2)))),
        )
        for number in range(dice.choice((0, 1, 3, 8, 20, 40)))
    )
    return RuleSet(
        rules=rules, defaults=Defaults(**{name: dice.random() < 0.5 for name in ("sales", "depot", "ozomm", "admin")})
    )


def random_network(dice: random.Random) -> IPv4Network | IPv6Network:
    if dice.random() < 0.6:
        length = dice.choice((0, 8, 9, 12, 16, 24, 30, 31, 32))
        return IPv4Network((_number(dice, 32, 0x0A << 24), length), strict=False)
    length = dice.choice((0, 3, 32, 33, 48, 64, 96, 127, 128))
    return IPv6Network((_number(dice, 128, 0x20010DB8 << 96), length), strict=False)


def _number(dice: random.Random, bits: int, base: int) -> int:
    for shift in (0, 1, 8, 16, bits - 9, bits - 1):
        if dice.random() < 0.25:
            base ^= 1 << shift
    return base


def random_address(dice: random.Random, rules: RuleSet) -> IPv4Address | IPv6Address:
    """Give an address near a bound of a rule most of the time."""
    if rules.rules and dice.random() < 0.9:
        network = dice.choice(rules.rules).network
        number = int(dice.choice((network.network_address, network.broadcast_address))) + dice.choice((-1, 0, 0, 1))
        if 0 <= number < 1 << network.max_prefixlen:
            return type(network.network_address)(number)
    return IPv4Address(dice.getrandbits(32)) if dice.random() < 0.5 else IPv6Address(dice.getrandbits(128))
