"""Rules of an item about collecting: where a licence may go, how long, and in which parts (design section 5).

They are kept on the item, and on each licence as they were when it was ordered, so that changing an item changes
nothing that was bought.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from containers import ContainerError, kind_of
from licensing.errors import (
    ContainerKindRefused,
    ContainerSerialInvalid,
    ContainerSerialRequired,
    DedicatedElsewhere,
    LicensingError,
    RuleInvalid,
    SplitRefused,
    TicketExpired,
    TicketInseparable,
)
from licensing.options import REMEMBERED_LENGTH, REMEMBERED_TEXTS
from storage.records import Item, License

KINDS = ("Dongle", "CmAct", "Universal")
MOST_DAYS = 36_500
NO_RULES = "{}"
"""What an item without rules keeps; reading it for each line of an order would take longer than asking for it."""


def _rules(text: str) -> Mapping[str, Any]:
    """Give what a text of rules says, not to be changed."""
    if text == NO_RULES:
        return _WITHOUT_RULES
    return _remembered_rules(text) if len(text) <= REMEMBERED_LENGTH else _read_rules(text)


def _read_rules(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))


_WITHOUT_RULES: Mapping[str, Any] = MappingProxyType({})
_remembered_rules = lru_cache(maxsize=REMEMBERED_TEXTS)(_read_rules)


def _kinds(value: str) -> list[str]:
    found = sorted(set(value.split(",")))
    if not found or not set(found) <= set(KINDS):
        raise RuleInvalid(f"must be some of {', '.join(KINDS)}, with commas between them")
    return found


def _yes(value: str) -> bool:
    if value not in {"yes", "no"}:
        raise RuleInvalid("must be yes or no")
    return value == "yes"


def _days(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or not 1 <= int(value[:9]) <= MOST_DAYS:
        raise RuleInvalid(f"must be 1 to {MOST_DAYS} days")
    return int(value)


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "containerKinds": ("container_kinds", _kinds),
    "dedicated": ("dedicated", _yes),
    "inseparable": ("inseparable", _yes),
    "split": ("split", _yes),
    "ticketDays": ("ticket_days", _days),
}
"""The rules that can be given, their field and how each is read."""


def parse_rules(pairs: Iterable[str]) -> dict[str, Any]:
    """Read `name=value` pairs into what an item keeps. Raises RuleInvalid, naming the rule."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        reader = _READERS.get(name)
        if reader is None or not equals:
            raise RuleInvalid(f"rules are written name=value; the names are {', '.join(_READERS)}", path="rule")
        field, read = reader
        if field in found:
            raise RuleInvalid(f"{name} is given twice", path=name)
        try:
            found[field] = read(value)
        except RuleInvalid as error:
            raise RuleInvalid(f"{name} {error.message}", path=name) from None
    return found


def rule_field(name: str) -> str:
    """Give the field that an item keeps a rule in. Raises RuleInvalid."""
    if name not in _READERS:
        raise RuleInvalid(f"there is no such rule; the names are {', '.join(_READERS)}", path="rule")
    return _READERS[name][0]


def written_rules(rules: str) -> tuple[str, ...]:
    """Give an item's rules about collecting as they are written, `name=value`."""
    found = json.loads(rules)
    return tuple(f"{name}={_written(found[field])}" for name, (field, _) in _READERS.items() if field in found)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def rules_of_licence(item: Item, *, ordered_at: datetime) -> str:
    """Give the rules that a licence of an item keeps, as JSON text; days have become a date."""
    if item.rules == NO_RULES:
        return NO_RULES
    rules = json.loads(item.rules)
    kept = {field: rules[field] for field in ("container_kinds", "inseparable", "split") if field in rules}
    if "ticket_days" in rules:
        end = ordered_at.astimezone(UTC).replace(microsecond=0) + timedelta(days=rules["ticket_days"])
        kept["collect_until"] = end.isoformat()
    return json.dumps(kept, sort_keys=True)


def check_serial(item: Item, serial: str | None, *, path: str) -> None:
    """Judge the container that a line is for.

    Raises ContainerSerialRequired, ContainerSerialInvalid, ContainerKindRefused.
    """
    if serial is None:
        if _rules(item.rules).get("dedicated"):
            raise ContainerSerialRequired(
                "this item is sold for one container each; name it by containerSerial", path=path
            )
        return
    try:
        kind = kind_of(serial)
    except ContainerError:
        raise ContainerSerialInvalid(
            "this is no serial of a container; it is written on it, such as 3-4019155", path=path
        ) from None
    _check_kind(_rules(item.rules), kind, path=path)


def check_same_container(license_: License, serial: str | None, *, path: str) -> None:
    """Refuse a renewal for another container than the licence is for. Raises DedicatedElsewhere."""
    if serial not in {None, license_.dedicated_serial}:
        raise DedicatedElsewhere("the licence that the line renews is not for this container; leave it out", path=path)


def refusal(license_: License, *, serial: str, now: datetime, path: str) -> LicensingError | None:
    """Give why no more pieces of a licence may go into a container, or None.

    ContainerKindRefused, DedicatedElsewhere, TicketExpired.
    """
    rules = _rules(license_.rules)
    try:
        if license_.dedicated_serial is not None and license_.dedicated_serial != serial:
            raise DedicatedElsewhere("the licence is for another container, which was named in the order", path=path)
        _check_kind(rules, kind_of(serial), path=path)
        if "collect_until" in rules and datetime.fromisoformat(rules["collect_until"]) <= now:
            raise TicketExpired(f"it could be collected until {rules['collect_until']}; ask the vendor", path=path)
    except LicensingError as refused:
        return refused
    return None


def check_parts(license_: License, quantity: int, *, there: int, path: str) -> None:
    """Refuse a part of a licence that is collected whole or not at all. Raises SplitRefused."""
    if _rules(license_.rules).get("split", True) or quantity in {there, license_.quantity}:
        return
    raise SplitRefused(
        f"the licence is collected whole: {license_.quantity} pieces into one container", path=f"{path}/target/quantity"
    )


def check_whole_ticket(
    licenses: Iterable[License], after: Mapping[str, int], *, before: Mapping[str, int], path: str
) -> None:
    """Refuse a part of a ticket whose licences are collected together. Raises TicketInseparable.

    `licenses`: those of the ticket and the firm code. It matters only where a licence with the rule would rise.
    """
    bound = [x for x in licenses if not x.withdrawn and _rules(x.rules).get("inseparable")]
    rising = any(after.get(x.license_id, 0) > before.get(x.license_id, 0) for x in bound)
    if rising and any(after.get(x.license_id, before.get(x.license_id, 0)) < x.quantity for x in bound):
        raise TicketInseparable(
            "the licences of this ticket are collected together into one container; leave the licences out", path=path
        )


def check_whole_return(
    licenses: Iterable[License], after: Mapping[str, int], *, before: Mapping[str, int], path: str
) -> None:
    """Refuse a return that tears apart licences that are collected together. Raises TicketInseparable.

    They leave a container together, and wholly. `licenses`: those of the ticket and the firm code.
    """
    bound = [x.license_id for x in licenses if not x.withdrawn and _rules(x.rules).get("inseparable")]
    left = {name: after.get(name, before.get(name, 0)) for name in bound}
    if any(left[name] < before.get(name, 0) for name in bound) and any(left.values()):
        raise TicketInseparable(
            "the licences of this ticket are given back together and wholly; leave the licences out", path=path
        )


def _check_kind(rules: Mapping[str, Any], kind: str, *, path: str) -> None:
    kinds = rules.get("container_kinds", KINDS)
    if kind not in kinds:
        raise ContainerKindRefused(
            f"the licence goes into containers of the kind {' or '.join(kinds)}, not {kind}", path=path
        )
