"""Lines that renew or replace a licence: it changes in place, pure.

The licence keeps its name, its ticket, its quantity and its pieces; only what it is changes, and its generation rises.
So an old licence and the one that takes its place share one quantity, and a container swaps them in one step: never
both, never neither, and nothing is free meanwhile.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from licensing.errors import (
    FirmCodeDiffers,
    LicenseRepeated,
    LicenseUnknown,
    LicenseWithdrawn,
    NotRenewable,
    QuantityDiffers,
)
from licensing.options import renew, replace_options
from licensing.rights import EXTEND_ANY, holds
from storage.commands import Family
from storage.records import Item, License, Shop, Ticket


def first_of(family: Family) -> License:
    """Give the row that holds what a licence is now."""
    return family.members[0].license


def in_force(family: Family) -> License:
    """Give the line that made a licence what it is now: the last one that was not withdrawn."""
    standing = [use.license for use in family.members[1:] if not use.license.withdrawn]
    return standing[-1] if standing else first_of(family)


def families_of_lines(
    shop: Shop, extended: Sequence[str | None], *, found: Sequence[Family], ticket: Ticket | None
) -> list[Family | None]:
    """Give the licence that each line renews, None for a line that renews none.

    It must be on the ticket, and the shop's own or, with the right, anybody's. Raises LicenseUnknown, LicenseRepeated.
    """
    known = {first_of(family).license_id: family for family in found}
    families: list[Family | None] = []
    for number, license_id in enumerate(extended, start=1):
        path = f"orderLine[{number}]/extendsLicenseId"
        if license_id is None:
            families.append(None)
            continue
        family = known.get(license_id)
        if (
            family is None
            or ticket is None
            or first_of(family).ticket_id != ticket.ticket_id
            or not (family.shop_id == shop.shop_id or holds(shop, EXTEND_ANY))
        ):
            raise LicenseUnknown("the ticket has no such licence that this shop may renew", path=path)
        if license_id in extended[: number - 1]:
            raise LicenseRepeated("a licence is renewed by two lines; renew it by one", path=path)
        families.append(family)
    return families


def renewed(family: Family, *, item: Item, quantity: int, at: datetime, path: str) -> License:
    """Give a licence after a line of an order has renewed it; `path` is the line's.

    Raises LicenseWithdrawn, FirmCodeDiffers, QuantityDiffers, NotRenewable.
    """
    first = first_of(family)
    check_changeable(first, item, path=path)
    if quantity != first.quantity:
        raise QuantityDiffers(
            f"a licence is renewed whole: order {first.quantity}, or leave extendsLicenseId out for more pieces",
            path=f"{path}/quantity",
        )
    if "usage_days" in json.loads(item.options):
        raise NotRenewable(
            "a usage period starts at the first use and cannot be renewed; order it as a new licence", path=path
        )
    return _changed(first, item, options=renew(first.options, item.options, at=at))


def replaced(family: Family, *, item: Item, at: datetime) -> License:
    """Give a licence after another item has taken its place. Raises LicenseWithdrawn, FirmCodeDiffers."""
    first = first_of(family)
    check_changeable(first, item, path="itemNumber")
    return _changed(first, item, options=replace_options(first.options, item.options, at=at))


def taken_back(family: Family) -> License:
    """Give a licence as it was before the line in force, which must be one that renewed or replaced it."""
    first, line = first_of(family), in_force(family)
    before = json.loads(line.previous or "{}")
    return replace(first, generation=first.generation + 1, **before)


def before_line(first: License) -> str:
    """Give what a licence is now as the JSON text that the next line keeps."""
    return json.dumps(
        {"item_number": first.item_number, "product_code": first.product_code, "options": first.options},
        sort_keys=True,
    )


def check_changeable(first: License, item: Item, *, path: str) -> None:
    """Refuse what no item can take the place of. Raises LicenseWithdrawn, FirmCodeDiffers."""
    if first.withdrawn:
        raise LicenseWithdrawn("the licence was withdrawn; order it anew", path=path)
    if item.firm_code != first.firm_code:
        raise FirmCodeDiffers(
            f"the licence is for firm code {first.firm_code}, the item for {item.firm_code}; choose another item",
            path=path,
        )


def _changed(first: License, item: Item, *, options: str) -> License:
    return replace(
        first,
        item_number=item.item_number,
        product_code=item.product_code,
        options=options,
        generation=first.generation + 1,
    )
