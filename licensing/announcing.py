"""Messages that tell others of changes, written in the transaction of the change (see `storage.outbox`).

A message is JSON: `type`, `timestamp`, `data`. It is sealed where it waits. It never holds a ticket; of the customer it
holds the customer number alone, and goes with the order's personal data.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from licensing.ids import Ids
from licensing.vault import Vault
from storage.marketing import ExpiringLicense
from storage.outbox import OutboxMessage
from storage.records import ContainerRow, License, LicenseUse, Order, Placement, Shop

WEBHOOK = "webhook"
PURPOSE = "outbox"


class Kind(StrEnum):
    """What there are messages about."""

    ORDER_PLACED = "order.placed"
    LICENSE_COLLECTED = "license.collected"
    LICENSE_EXPIRING = "license.expiring"
    ORDER_CANCELLED = "order.cancelled"
    LICENSE_WITHDRAWN = "license.withdrawn"
    LICENSE_REPLACED = "license.replaced"


class Announcer:
    """Makes the messages of a channel, for the kinds that somebody wants to hear of."""

    def __init__(
        self,
        *,
        vault: Vault,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        kinds: Collection[Kind] = tuple(Kind),
        channel: str = WEBHOOK,
    ) -> None:
        self._vault = vault
        self._ids = Ids(clock=clock, random=random)
        self._kinds = frozenset(kinds)
        self._channel = channel

    def order_placed(
        self, *, shop: Shop, order: Order, licenses: Sequence[License], customer_number: str | None
    ) -> tuple[OutboxMessage, ...]:
        """Tell of an order, in the order of all that happens to its ticket."""
        data = {
            "orderId": order.order_id,
            "orderNumber": order.order_number,
            "shop": shop.name,
            "customerNumber": customer_number,
            "licenses": [
                {"licenseId": each.license_id, "itemNumber": each.item_number, "quantity": each.quantity}
                for each in licenses
            ],
        }
        return self._message(Kind.ORDER_PLACED, order.created_at, order.ticket_id, data, order_id=order.order_id)

    def license_collected(
        self,
        *,
        at: datetime,
        ticket_id: str,
        container: ContainerRow,
        licenses: Sequence[LicenseUse],
        placements: Sequence[Placement],
    ) -> tuple[OutboxMessage, ...]:
        """Tell what a container shall hold after a collection, in the order of all that happens to the ticket."""
        items = {use.license.license_id: use.license.item_number for use in licenses}
        data = {
            "serial": container.serial,
            "firmCode": container.firm_code,
            "licenses": [
                {"licenseId": each.license_id, "itemNumber": items.get(each.license_id), "quantity": each.wanted}
                for each in placements
            ],
        }
        return self._message(Kind.LICENSE_COLLECTED, at, ticket_id, data, order_id=None)

    def licenses_changed(
        self, kind: Kind, *, at: datetime, shop: Shop, order_id: str, licenses: Sequence[License]
    ) -> tuple[OutboxMessage, ...]:
        """Tell what a cancellation, a withdrawal or a replacement has left of licences, one message for each ticket."""
        tickets = dict.fromkeys(each.ticket_id for each in licenses)
        return tuple(
            message
            for ticket_id in tickets
            for message in self._message(
                kind,
                at,
                ticket_id,
                {
                    "orderId": order_id,
                    "shop": shop.name,
                    "licenses": [
                        {
                            "licenseId": each.license_id,
                            "itemNumber": each.item_number,
                            "quantity": each.quantity,
                            "withdrawn": each.withdrawn,
                        }
                        for each in licenses
                        if each.ticket_id == ticket_id
                    ],
                },
                order_id=None,
            )
        )

    def license_expiring(
        self, found: ExpiringLicense, *, at: datetime, days: int, customer: str | None
    ) -> tuple[OutboxMessage, ...]:
        """Tell of a licence that expires, in the order of all that happens to its ticket. `customer`: the number."""
        data = {
            "licenseId": found.license_id,
            "itemNumber": found.item_number,
            "expiresAt": found.expires_at.astimezone(UTC).isoformat(),
            "daysBefore": days,
            "shop": found.shop,
            "orderNumber": found.order_number,
            "customerNumber": customer,
        }
        return self._message(Kind.LICENSE_EXPIRING, at, found.ticket_id, data, order_id=found.order_id)

    def _message(
        self, kind: Kind, at: datetime, key: str, data: Mapping[str, object], *, order_id: str | None
    ) -> tuple[OutboxMessage, ...]:
        if kind not in self._kinds:
            return ()
        content = {"type": kind.value, "timestamp": at.astimezone(UTC).isoformat(), "data": data}
        message = OutboxMessage(
            message_id=self._ids.new(),
            channel=self._channel,
            key=key,
            kind=kind.value,
            order_id=order_id,
            content_sealed=self._vault.seal(PURPOSE, json.dumps(content).encode()),
            created_at=at,
        )
        return (message,)
