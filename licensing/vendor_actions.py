"""Sales: what takes back or changes what was ordered, exactly once for each transactionId (design section 4)."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from licensing.announcing import Announcer, Kind
from licensing.answers import Answers
from licensing.errors import Contended, ItemUnknown, LicenseUnknown, OrderNameRequired, OrderUnknown
from licensing.ids import Ids
from licensing.order_views import LicenseStatus, line_states, status_of
from licensing.renewing import before_line, first_of, replaced
from licensing.vault import Vault
from licensing.withdrawing import cancelled, with_first, withdrawn
from storage import Storage
from storage.commands import AlreadyAnswered, ChangeLicenses, ChangePreparation, Family, Moved, PrepareChange
from storage.errors import ConstraintRefused
from storage.outbox import OutboxMessage
from storage.records import AuditRow, License, LicenseUse, Shop

CANCEL_ORDER = "CancelOrder"
WITHDRAW_LICENSE = "WithdrawLicense"
REPLACE_LICENSE = "ReplaceLicense"
MOST_TRIES = 20
_KINDS = {
    CANCEL_ORDER: Kind.ORDER_CANCELLED,
    WITHDRAW_LICENSE: Kind.LICENSE_WITHDRAWN,
    REPLACE_LICENSE: Kind.LICENSE_REPLACED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeOutcome:
    """Licences as they stood when a change was recorded; for the same transactionId the same for ever."""

    order_id: str
    licenses: tuple[LicenseStatus, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Act:
    """What a shop asks for: the question to storage, the values that the request is known by, and why."""

    shop: Shop
    question: PrepareChange
    values: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decided:
    """What an act makes of licences. `lines`: new rows; `details`: for the audit."""

    subject: str
    before: Sequence[Family]
    after: Sequence[Family]
    outcome: ChangeOutcome
    details: Mapping[str, Any]
    lines: tuple[License, ...] = ()


class VendorActions:
    """CancelOrder, WithdrawLicense, ReplaceLicense. A shop reaches what it has ordered itself, and nothing else."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        announcer: Announcer | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        """Take what acts need. `announcer` tells others of them; `changed` is called after each."""
        self._storage = storage
        self._announcer = announcer
        self._changed = changed
        self._vault = vault
        self._answers = Answers(vault)
        self._clock = clock
        self._ids = Ids(clock=clock, random=random)

    async def cancel_order(
        self,
        *,
        shop: Shop,
        transaction_id: str,
        reason: str,
        order_id: str | None = None,
        order_number: str | None = None,
    ) -> ChangeOutcome:
        """Take an order back by exactly one of its names.

        Raises OrderNameRequired, OrderUnknown, LicenseWithdrawn, RenewedSince, TransactionConflict, Erased, Contended.
        """
        act = self._act(
            shop, CANCEL_ORDER, transaction_id, {"order_id": order_id, "order_number": order_number}, reason
        )

        def decide(found: ChangePreparation, now: datetime) -> _Decided:
            if (order_id is None) == (order_number is None):
                raise OrderNameRequired("give exactly one of orderId and orderNumber", path="CancelOrder")
            if found.order is None:
                raise OrderUnknown("this shop has no such order", path="CancelOrder")
            order = found.order
            after = cancelled(order.order_id, found.families)
            members = {use.license.license_id: use for family in after for use in family.members}
            lines = tuple(members[use.license.license_id] for use in found.lines)
            outcome = ChangeOutcome(order_id=order.order_id, licenses=line_states(lines, after, now=now))
            return _Decided(subject=order.order_id, before=found.families, after=after, outcome=outcome, details={})

        return await self._done(act, decide)

    async def withdraw_license(
        self, *, shop: Shop, transaction_id: str, license_id: str, reason: str, pieces: int | None = None
    ) -> ChangeOutcome:
        """Take a licence back, or some of its pieces.

        Raises LicenseUnknown, LicenseWithdrawn, TooManyPieces, TransactionConflict, Erased, Contended.
        """
        act = self._act(
            shop, WITHDRAW_LICENSE, transaction_id, {"license_id": license_id}, reason, values={"pieces": pieces}
        )

        def decide(found: ChangePreparation, now: datetime) -> _Decided:
            family = _own(found, shop)
            after = withdrawn(family, pieces)
            details = {"pieces": first_of(family).quantity - first_of(after).quantity}
            return _decided(family, after, details=details, now=now)

        return await self._done(act, decide)

    async def replace_license(
        self, *, shop: Shop, transaction_id: str, license_id: str, item_number: str, reason: str
    ) -> ChangeOutcome:
        """Put another item in the place of a licence, which keeps its name, its quantity, its pieces and its dates.

        Raises LicenseUnknown, LicenseWithdrawn, ItemUnknown, FirmCodeDiffers, TransactionConflict, Erased, Contended.
        """
        act = self._act(
            shop,
            REPLACE_LICENSE,
            transaction_id,
            {"license_id": license_id, "item_numbers": (item_number,)},
            reason,
        )

        def decide(found: ChangePreparation, now: datetime) -> _Decided:
            family = _own(found, shop)
            item = next((item for item in found.items if item.active), None)
            if item is None:
                raise ItemUnknown(
                    "there is no such item, or it is no longer sold; ListItems gives those that may be sold",
                    path="itemNumber",
                )
            first, changed = first_of(family), replaced(family, item=item, at=now)
            line = replace(
                changed,
                license_id=self._ids.new(),
                line_number=1 + max(use.license.line_number for use in found.lines),
                extends_license_id=first.license_id,
                previous=before_line(first),
                version=1,
                created_at=now,
            )
            after = with_first(family, changed, placements=family.placements)
            details = {"item": item.item_number, "generation": changed.generation}
            return _decided(family, after, details=details, now=now, lines=(line,))

        return await self._done(act, decide)

    def _act(
        self,
        shop: Shop,
        operation: str,
        transaction_id: str,
        names: Mapping[str, Any],
        reason: str,
        *,
        values: Mapping[str, Any] | None = None,
    ) -> _Act:
        return _Act(
            shop=shop,
            question=PrepareChange(shop_id=shop.shop_id, operation=operation, transaction_id=transaction_id, **names),
            values={**names, **(values or {}), "reason": reason},
            reason=reason,
        )

    async def _done(self, act: _Act, decide: Callable[[ChangePreparation, datetime], _Decided]) -> ChangeOutcome:
        """Carry out an act once: look up, decide, write; again until nothing has moved in between."""
        request_hash = self._answers.request_hash(act.values)
        for _ in range(MOST_TRIES):
            found = await self._storage.query(act.question)
            if found.answer is not None:
                return _outcome(self._answers.opened(found.answer, request_hash))
            now = self._clock()
            decided = decide(found, now)
            try:
                written = await self._storage.execute(self._command(act, decided, request_hash, now))
            except ConstraintRefused:
                continue  # another act has taken the line's number in between
            match written:
                case AlreadyAnswered(answer=answer):
                    return _outcome(self._answers.opened(answer, request_hash))
                case Moved():
                    continue
                case _:
                    if self._changed is not None:
                        self._changed()
                    return decided.outcome
        raise Contended("the licences keep changing; send the same request again")

    def _command(self, act: _Act, decided: _Decided, request_hash: bytes, now: datetime) -> ChangeLicenses:
        question = act.question
        sealed = b64encode(self._vault.seal("reason", act.reason.encode())).decode()
        changes, placements, versions = _differences(decided.before, decided.after)
        return ChangeLicenses(
            answer=self._answers.stored(
                shop=act.shop,
                operation=question.operation,
                transaction_id=question.transaction_id,
                request_hash=request_hash,
                answer=json.dumps(asdict(decided.outcome)),
                at=now,
            ),
            order=None,
            ticket=None,
            lines=decided.lines,
            license_versions=versions,
            changes=changes,
            placements=placements,
            audit=AuditRow(
                at=now,
                actor=f"shop:{act.shop.name}",
                action=question.operation,
                subject=decided.subject,
                details=json.dumps({**decided.details, "reason_sealed": sealed}),
            ),
            messages=self._messages(act, decided, now),
        )

    def _messages(self, act: _Act, decided: _Decided, now: datetime) -> tuple[OutboxMessage, ...]:
        if self._announcer is None:
            return ()
        changed = [
            first_of(new)
            for old, new in zip(decided.before, decided.after, strict=True)
            if first_of(old) != first_of(new)
        ]
        return self._announcer.licenses_changed(
            _KINDS[act.question.operation],
            at=now,
            shop=act.shop,
            order_id=decided.outcome.order_id,
            licenses=changed,
        )


def _own(found: ChangePreparation, shop: Shop) -> Family:
    """Give the licence that was asked for. One of another shop is as unknown as one that does not exist."""
    family = next(iter(found.families), None)
    if family is None or family.shop_id != shop.shop_id:
        raise LicenseUnknown(
            "this shop has ordered no such licence; GetOrder names those of an order", path="licenseId"
        )
    return family


def _decided(
    before: Family, after: Family, *, details: Mapping[str, Any], now: datetime, lines: tuple[License, ...] = ()
) -> _Decided:
    first: LicenseUse = after.members[0]
    return _Decided(
        subject=first.license.license_id,
        before=(before,),
        after=(after,),
        outcome=ChangeOutcome(order_id=first.license.order_id, licenses=(status_of(first, now=now),)),
        details=details,
        lines=lines,
    )


def _differences(
    before: Sequence[Family], after: Sequence[Family]
) -> tuple[tuple[License, ...], tuple[Any, ...], dict[str, int]]:
    """Give the rows and placements that have changed, and the versions that the decision depends on."""
    changes, placements, versions = [], [], {}
    for old, new in zip(before, after, strict=True):
        if old == new:
            continue
        versions[first_of(old).license_id] = first_of(old).version
        changes += [y.license for x, y in zip(old.members, new.members, strict=True) if x.license != y.license]
        placements += [y for y in new.placements if y not in old.placements]
    return tuple(changes), tuple(placements), versions


def _outcome(found: Mapping[str, Any]) -> ChangeOutcome:
    return ChangeOutcome(order_id=found["order_id"], licenses=tuple(LicenseStatus(**x) for x in found["licenses"]))
