"""When a message was made, and whether that is near enough to now."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from server.security.wssecurity.refusals import SecurityExpired, SecurityInvalid

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII
)


def read_moment(text: str, *, name: str) -> datetime:
    """Read an xs:dateTime with a zone; what is finer than a microsecond is dropped. Raises SecurityInvalid."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise SecurityInvalid(f"{name} must be a time with its zone, such as 2026-01-31T12:00:00Z")
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    fraction, utc, sign, hours, minutes = found.group(7, 8, 9, 10, 11)
    try:
        zone = UTC if utc else timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes)))
        microsecond = int(((fraction or "") + "000000")[:6])
        return datetime(year, month, day, hour, minute, second, microsecond, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SecurityInvalid(f"{name} is no time that there is") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """How old a message may be, and how far two clocks may differ, in seconds."""

    lifetime_seconds: float = 300.0
    skew_seconds: float = 60.0

    def admit(self, created: datetime, expires: datetime | None, *, now: datetime) -> datetime:
        """Give the time after which the message would be refused anyway. Raises SecurityExpired, SecurityInvalid."""
        skew = timedelta(seconds=self.skew_seconds)
        if expires is not None and expires <= created:
            raise SecurityInvalid("Expires must be later than Created")
        last = _later(created, timedelta(seconds=self.lifetime_seconds))
        if expires is not None:
            last = min(last, expires)
        last = _later(last, skew)
        if now > last or created - now > skew:
            raise SecurityExpired(self._told(created, expires, now=now))
        return last

    def _told(self, created: datetime, expires: datetime | None, *, now: datetime) -> str:
        apart = (now - created).total_seconds()
        side = "behind" if apart >= 0 else "ahead of"
        expiry = "" if expires is None else f", and expires {expires.isoformat(timespec='seconds')}"
        return (
            f"the message was created {created.isoformat(timespec='seconds')}{expiry}; that is "
            f"{abs(apart):.0f} s {side} this server's clock, {now.isoformat(timespec='seconds')}. A message may be "
            f"{self.lifetime_seconds:g} s old, and clocks may differ by {self.skew_seconds:g} s: set the clock, and "
            "make the header block when the message is sent"
        )


def _later(moment: datetime, by: timedelta) -> datetime:
    """Add, up to the end of time."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
