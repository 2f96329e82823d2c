"""An extension as a chain of durable steps: the table of its transitions, and what is kept of it.

Every step may be carried out again after a crash: a question is asked under the same id, an order placed under a
transactionId that is made of the extension's, a collection asked for by the same context, a mail written under a name
of its own in the transaction that ends the chain. So nothing happens twice, and nothing is left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from licensing.extensions.questions import Customer
from licensing.extensions.values import Reason, SeenLicense
from licensing.marketing.offers import Offer


class Step(StrEnum):
    """What is done next."""

    CHECK = "check"
    PROVIDE = "provide"
    WITHDRAW = "withdraw"
    EXTEND = "extend"
    COLLECT = "collect"
    NOTIFY = "notify"
    DONE = "done"
    STUCK = "stuck"


class Outcome(StrEnum):
    """What became of a step."""

    APPROVED = "approved"
    DENIED = "denied"
    APPROVED_LATE = "approved after a provisional extension"
    DENIED_LATE = "denied after a provisional extension"
    SILENT = "silent"
    BRIDGED = "silent, to be extended provisionally"
    ORDERED = "ordered"
    IMPOSSIBLE = "impossible"
    TAKEN_BACK = "taken back, denied"
    MADE_WAY = "taken back, approved"
    COLLECTED = "collected"
    LEFT = "left to the caller"
    TOLD = "told"
    BROKEN = "broken"


TRANSITIONS: Mapping[tuple[Step, Outcome], Step] = {
    (Step.CHECK, Outcome.APPROVED): Step.EXTEND,
    (Step.CHECK, Outcome.DENIED): Step.NOTIFY,
    (Step.CHECK, Outcome.APPROVED_LATE): Step.WITHDRAW,
    (Step.CHECK, Outcome.DENIED_LATE): Step.WITHDRAW,
    (Step.CHECK, Outcome.SILENT): Step.CHECK,
    (Step.CHECK, Outcome.BRIDGED): Step.PROVIDE,
    (Step.PROVIDE, Outcome.ORDERED): Step.CHECK,
    (Step.PROVIDE, Outcome.IMPOSSIBLE): Step.CHECK,
    (Step.PROVIDE, Outcome.BROKEN): Step.STUCK,
    (Step.WITHDRAW, Outcome.MADE_WAY): Step.EXTEND,
    (Step.WITHDRAW, Outcome.TAKEN_BACK): Step.NOTIFY,
    (Step.WITHDRAW, Outcome.BROKEN): Step.STUCK,
    (Step.EXTEND, Outcome.ORDERED): Step.COLLECT,
    (Step.EXTEND, Outcome.IMPOSSIBLE): Step.NOTIFY,
    (Step.EXTEND, Outcome.BROKEN): Step.STUCK,
    (Step.COLLECT, Outcome.COLLECTED): Step.NOTIFY,
    (Step.COLLECT, Outcome.LEFT): Step.NOTIFY,
    (Step.NOTIFY, Outcome.TOLD): Step.DONE,
}
"""Which step follows. A stuck extension waits for `opendepot extension retry`, which goes on at its check."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What is kept of an extension, sealed. `licenses`: those that shall run longer, as they were.

    `approved`: the item that extends each, None before the CRM has decided; empty: none. `bridge_order_id`: the order
    of a provisional extension; `bridged`: one was tried. `after`: the licences as they are since. `told`: the customer
    knows that it is being checked. `others`: the ids of all licences that the ticket had.
    """

    transaction_id: str
    ticket: str
    ticket_id: str
    licenses: tuple[SeenLicense, ...]
    customer: Customer
    order_id: str | None = None
    language: str | None = None
    days: int | None = None
    quantity: int | None = None
    approved: Mapping[str, str] | None = None
    reason: Reason = Reason.WAITING
    text: str | None = None
    offers: tuple[Offer, ...] = ()
    bridged: bool = False
    bridge_order_id: str | None = None
    extension_order_id: str | None = None
    after: tuple[SeenLicense, ...] = ()
    told: bool = False
    others: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether the CRM, or the end of all patience, has decided."""
        return self.approved is not None


def to_bytes(content: Content) -> bytes:
    """Give what is kept as JSON."""
    found = {name: getattr(content, name) for name in content.__dataclass_fields__}
    found["licenses"] = [_license_values(each) for each in content.licenses]
    found["after"] = [_license_values(each) for each in content.after]
    found["customer"] = _plain(content.customer)
    found["offers"] = [_plain(each) for each in content.offers]
    return json.dumps(found).encode()


def from_bytes(data: bytes) -> Content:
    """Read what `to_bytes` wrote."""
    found = json.loads(data)
    return Content(
        **{
            **found,
            "licenses": tuple(map(_license, found["licenses"])),
            "after": tuple(map(_license, found["after"])),
            "others": tuple(found["others"]),
            "customer": Customer(**found["customer"]),
            "offers": tuple(Offer(**each) for each in found["offers"]),
            "reason": Reason(found["reason"]),
        }
    )


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _license_values(license_: SeenLicense) -> dict[str, Any]:
    expires = license_.expires_at
    return {**_plain(license_), "expires_at": None if expires is None else expires.isoformat()}


def _license(found: Mapping[str, Any]) -> SeenLicense:
    expires = found["expires_at"]
    return SeenLicense(**{**found, "expires_at": None if expires is None else datetime.fromisoformat(expires)})


def denied(content: Content, reason: Reason, *, text: str | None = None) -> Content:
    """Give an extension that is decided: no."""
    return replace(content, approved={}, reason=reason, text=text)
