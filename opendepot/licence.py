"""Whether a program may run: a licence in a container, judged with a reason that can be shown."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from containers import Container, Entry
from containers.blocks import HIDDEN, PROTECTED, Fields

HELD, NOT_HELD, NOT_YET, EXPIRED, NO_FEATURE = "Held", "NotHeld", "NotYetActive", "Expired", "FeatureMissing"
OUT_OF_MAINTENANCE = "MaintenanceOver"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What a check found. `reason`: Held, NotHeld, NotYetActive, Expired, FeatureMissing, MaintenanceOver.

    `message` says it to a person; `until` is when the licence that was found ends, None: never.
    """

    valid: bool
    reason: str
    message: str
    quantity: int = 0
    until: datetime | None = None


class Licence:
    """A product that an application needs, in a container of one vendor's firm code."""

    def __init__(
        self, container: Container, *, firm_code: int, product_code: int, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._container = container
        self._firm_code = firm_code
        self._product_code = product_code
        self._clock = clock or (lambda: datetime.now(UTC))

    def protected(self) -> Fields:
        """Give the protected data of the licence by number, as the vendor set it; nothing where there is none.

        Raises LookupError when the container holds no licence of the product, and `containers.ContainerError`.
        """
        return self._container.fields(self._firm_code, self._license_id(), kind=PROTECTED)

    def hidden(self) -> Fields:
        """Give the hidden data, which only this container can read. Raises what `protected` raises."""
        return self._container.fields(self._firm_code, self._license_id(), kind=HIDDEN)

    def answer(self, number: int, challenge: bytes) -> bytes:
        """Let a field of the secret data answer: HMAC-SHA256 of the challenge, 32 bytes.

        Whoever knows the field can judge the answer, such as a server of the vendor; the field itself is never read
        out. Raises what `protected` raises.
        """
        return self._container.answer(self._firm_code, self._license_id(), number=number, challenge=challenge)

    def _license_id(self) -> str:
        """Give the licence of the product that is valid, else any of the product."""
        entries = self._entries()
        if not entries:
            raise LookupError(f"the container holds no licence of product {self._product_code}; collect one first")
        now = self._now()
        valid = [x for x in entries if _judged(x, now=now, feature=None, released=None).valid]
        return (valid or entries)[0].license_id

    def _entries(self) -> list[Entry]:
        listing = self._container.listing(self._firm_code)
        return [entry for entry in listing if entry.product_code == self._product_code]

    def _now(self) -> datetime:
        return max(self._clock(), self._container.certified_time or datetime.min.replace(tzinfo=UTC))

    def check(self, *, feature: int | None = None, released: datetime | None = None) -> Check:
        """Judge the licence now: the best of those that the container holds of the product.

        `feature` is the number of a bit of the feature map, 0 to 31, that must be set. `released` is when this version
        of the program came out: it must lie in the maintenance period, where there is one. A clock that stands before
        the latest time that a vendor has signed is not believed. Raises `containers.ContainerError` when the
        container cannot be read.
        """
        now, entries = self._now(), self._entries()
        checks = [_judged(entry, now=now, feature=feature, released=released) for entry in entries]
        valid = [check for check in checks if check.valid]
        if valid:
            return Check(
                valid=True,
                reason=HELD,
                message="the licence is valid",
                quantity=sum(check.quantity for check in valid),
                until=_latest(valid),
            )
        if checks:
            return checks[-1]
        return Check(
            valid=False,
            reason=NOT_HELD,
            message=f"the container holds no licence of product {self._product_code}; collect one with your ticket",
        )


def _judged(entry: Entry, *, now: datetime, feature: int | None, released: datetime | None) -> Check:
    options = entry.options

    def refused(reason: str, message: str) -> Check:
        return Check(valid=False, reason=reason, message=message, until=options.expiration_time)

    if options.activation_time is not None and now < options.activation_time:
        return refused(NOT_YET, f"the licence is valid from {options.activation_time:%Y-%m-%d} on")
    if options.expiration_time is not None and now >= options.expiration_time:
        return refused(
            EXPIRED, f"the licence ended on {options.expiration_time:%Y-%m-%d}; extend it or collect another"
        )
    if feature is not None and not (options.feature_map or 0) >> feature & 1:
        return refused(NO_FEATURE, f"the licence does not include feature {feature}")
    start, end = options.maintenance_start, options.maintenance_end
    if released is not None and ((start is not None and released < start) or (end is not None and released > end)):
        return refused(OUT_OF_MAINTENANCE, "this version came out after the licence's maintenance had ended")
    return Check(
        valid=True, reason=HELD, message="the licence is valid", quantity=entry.quantity, until=options.expiration_time
    )


def _latest(checks: list[Check]) -> datetime | None:
    times = [check.until for check in checks]
    return None if None in times else max(time for time in times if time is not None)
