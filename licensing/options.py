"""Options of items: written as `name=value`, kept as JSON, resolved to absolute values when ordered.

*add* becomes a date in the order's transaction, never later (transfer protocol, section 1), so that nothing that
happens to a licence afterwards can extend it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from containers import Options
from licensing.data import DATA_MARK, without_data
from licensing.errors import OptionInvalid

_TIMES = ("activation_time", "expiration_time", "maintenance_start", "maintenance_end")
_DAYS = re.compile(r"(?:P(?P<iso>[0-9]{1,5})D|(?P<plain>[0-9]{1,5})d)")
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What the text of an XML file cannot carry unchanged."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
MOST_DAYS = 36_500
MOST_UNITS = 2**63 - 1
MOST_TEXT_BYTES = 256
REMEMBERED_TEXTS, REMEMBERED_LENGTH = 512, 1024
"""Rules and options are read once from each of the texts met last: a vendor has few items, and their texts repeat."""
_OF_ONE_LICENCE = (DATA_MARK, '"customer_information"')
"""What stands in texts that will hardly come again, and that nothing shall remember."""


def _time(value: str) -> str:
    """Read `set:TIME`, `TIME` or `add:DAYSd`; a date without a time means its first second in UTC."""
    kind, colon, rest = value.partition(":")
    if kind == "add" and colon:
        return f"add:{_days(rest)}"
    moment = rest if kind == "set" and colon else value
    try:
        found = datetime.fromisoformat(moment)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise OptionInvalid("must be a date or time such as 2027-01-31 or 2027-01-31T12:00:00Z, or add:365d") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise OptionInvalid(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return _text_of(found)


def _days(value: str) -> int:
    """Read a number of days, `365d` or `P365D`."""
    found = _DAYS.fullmatch(value)
    days = int(found["iso"] or found["plain"]) if found else 0
    if not 1 <= days <= MOST_DAYS:
        raise OptionInvalid(f"must be 1 to {MOST_DAYS} days, such as 365d or P365D")
    return days


def _number(most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        try:
            found = int(value, 0)
        except ValueError:
            found = -1
        if not 0 <= found <= most:
            raise OptionInvalid(f"must be a whole number from 0 to {most}; 0x... is read as hexadecimal")
        return found

    return read


def _words(value: str) -> str:
    if _NO_TEXT.search(value) or len(value.encode()) > MOST_TEXT_BYTES:
        raise OptionInvalid(f"must be at most {MOST_TEXT_BYTES} bytes of UTF-8 without control characters")
    return value


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "activationTime": ("activation_time", _time),
    "expirationTime": ("expiration_time", _time),
    "usagePeriod": ("usage_days", _days),
    "maintenanceStart": ("maintenance_start", _time),
    "maintenanceEnd": ("maintenance_end", _time),
    "checkpoint": ("checkpoint_days", _days),
    "featureMap": ("feature_map", _number(2**32 - 1)),
    "unitCounter": ("unit_counter", _number(2**31 - 1)),
    "text": ("text", _words),
    "customerInformation": ("customer_information", _words),
}
"""The options that can be given (design section 5, white paper table 1), their field and how each is read."""


def parse_options(pairs: Iterable[str]) -> str:
    """Read `name=value` pairs into the JSON text that an item keeps. Raises OptionInvalid, naming the option."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        reader = _READERS.get(name)
        if reader is None or not equals:
            raise OptionInvalid(f"options are written name=value; the names are {', '.join(_READERS)}", path="option")
        field, read = reader
        if field in found:
            raise OptionInvalid(f"{name} is given twice", path=name)
        try:
            found[field] = read(value)
        except OptionInvalid as error:
            raise OptionInvalid(f"{name} {error.message}", path=name) from None
    return json.dumps(found, sort_keys=True)


def option_field(name: str) -> str:
    """Give the field that an item keeps an option in. Raises OptionInvalid."""
    if name not in _READERS:
        raise OptionInvalid(f"there is no such option; the names are {', '.join(_READERS)}", path="option")
    return _READERS[name][0]


def written_options(options: str) -> tuple[str, ...]:
    """Give an item's options as they are written, `name=value`, by name."""
    found = json.loads(options)
    return tuple(
        f"{name}={found[field]}{'d' if read is _days or str(found[field]).startswith('add:') else ''}"
        for name, (field, read) in _READERS.items()
        if field in found
    )


def resolve(options: str, *, ordered_at: datetime) -> str:
    """Turn an item's options into a licence's: every *add* becomes a date. Gives JSON text."""
    if '"add:' not in options:
        # Such a text stands for itself: nothing in it depends on the time, and reading it would only write it again.
        return options
    found = json.loads(options)
    start = ordered_at.astimezone(UTC).replace(microsecond=0)
    for field in _TIMES:
        kind, _, rest = str(found.get(field, "")).partition(":")
        if kind == "add":
            found[field] = _text_of(start + timedelta(days=int(rest)))
    return json.dumps(found, sort_keys=True)


def renew(held: str, options: str, *, at: datetime) -> str:
    """Give a licence's options after an item has renewed it: what the item does not set stays. Gives JSON text.

    *add* counts from the end that the licence has, or from now when that is past; nothing is added to a licence without
    end. *set* is the new date. Units are added up: what a licence grants is their total.
    """
    old, found = json.loads(held), json.loads(options)
    start = at.astimezone(UTC).replace(microsecond=0)
    for field in _TIMES:
        kind, _, rest = str(found.get(field, "")).partition(":")
        if kind != "add":
            continue
        if field == "expiration_time" and field not in old:
            del found[field]
            continue
        ends = field in {"expiration_time", "maintenance_end"} and field in old
        begin = max(start, datetime.fromisoformat(old[field])) if ends else start
        found[field] = _text_of(_later(begin, int(rest)))
    if "unit_counter" in found:
        found["unit_counter"] = min(found["unit_counter"] + old.get("unit_counter", 0), MOST_UNITS)
    return json.dumps({**old, **found}, sort_keys=True)


def replace_options(held: str, options: str, *, at: datetime) -> str:
    """Give a licence's options after another item has taken its place: the item's own. Gives JSON text.

    *add* keeps the date that the licence has, so that a replacement never gives time; where it has none it counts from
    now.
    """
    old, found = json.loads(held), json.loads(options)
    for field in _TIMES:
        if str(found.get(field, "")).startswith("add:") and field in old:
            found[field] = old[field]
    return resolve(json.dumps(found), ordered_at=at)


def _later(begin: datetime, days: int) -> datetime:
    latest = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
    return begin + timedelta(days=days) if latest - begin > timedelta(days=days) else latest


def expiration_of(options: str) -> datetime | None:
    """Give when a licence with these options ends, None for never."""
    if '"expiration_time"' not in options:
        return None
    return datetime.fromisoformat(json.loads(options)["expiration_time"])


def licence_options(options: str) -> Options:
    """Give a licence's options as the container format has them, without data, which is made for each container."""
    remembered = len(options) <= REMEMBERED_LENGTH and not any(mark in options for mark in _OF_ONE_LICENCE)
    return _remembered_options(options) if remembered else _read_options(options)


def _read_options(options: str) -> Options:
    found = without_data(json.loads(options))
    times = {field: datetime.fromisoformat(found[field]) for field in _TIMES if field in found}
    return Options(**{**found, **times})


_remembered_options = lru_cache(maxsize=REMEMBERED_TEXTS)(_read_options)


def _text_of(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()
