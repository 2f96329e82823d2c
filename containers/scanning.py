"""Values read out of files in the form that our own writers give them, without parser and schema.

A scan guesses and proves nothing. Whoever scans renders again what was found, and takes it only where that gives the
very bytes that came: then nothing stands in the file but these values, and the parser would have found the same. What a
scan does not know is not wrong, it is the parser's to judge: a scan raises ValueError then.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime

from containers.model import Context, Counter, Entry, Options, Seen, SignedStep, State, Step, StepKind

MOST_SCANNED = 64 * 1024
"""Bytes of the largest file that is scanned. No element of one is shorter than 16 bytes, so no limit is passed."""

_NUMBER = "([0-9]{1,19})"
_TEXT = "([^<]*)"
_TIME = "([0-9T:Z-]{20})"
_BASE64 = "([A-Za-z0-9+/]+={0,2})"
_COUNTER = f"<epoch>{_NUMBER}</epoch><number>{_NUMBER}</number>"
_SEEN = f"<export>{_NUMBER}</export><nonce>{_BASE64}</nonce>"
_WITHOUT_OPTIONS = Options()


def _perhaps(name: str, content: str) -> str:
    return f"(?:<{name}>{content}</{name}>)?"


def _entry(tag: str) -> re.Pattern[str]:
    options = (
        ("activationTime", _TIME),
        ("expirationTime", _TIME),
        ("usageDays", _NUMBER),
        ("maintenanceStart", _TIME),
        ("maintenanceEnd", _TIME),
        ("featureMap", _NUMBER),
        ("unitCounter", _NUMBER),
        ("text", _TEXT),
        ("customerInformation", _TEXT),
        ("checkpointDays", _NUMBER),
        ("checkpointTime", _TIME),
        ("protectedData", _BASE64),
        ("hiddenData", _BASE64),
        ("secretData", _BASE64),
    )
    return re.compile(
        f"<{tag}><licenseId>{_TEXT}</licenseId><generation>{_NUMBER}</generation><itemNumber>{_TEXT}</itemNumber>"
        f"<productCode>{_NUMBER}</productCode><quantity>{_NUMBER}</quantity>"
        f"<options>({''.join(_perhaps(name, content) for name, content in options)})</options></{tag}>"
    )


_ENTRIES = {tag: _entry(tag) for tag in ("license", "put")}
_REMOVE = re.compile(f"<remove>{_TEXT}</remove>")
_BLOCK = re.compile(f"<block>{_BASE64}</block>")
_STEP = re.compile(
    f'<step Id="[^"]*"><serial>{_TEXT}</serial><firmCode>{_NUMBER}</firmCode><kind>(Delta|Reset)</kind>'
    f"<from>{_COUNTER}</from><to>{_COUNTER}</to><digestBefore>{_BASE64}</digestBefore>"
    f"<digestAfter>{_BASE64}</digestAfter><seen>{_SEEN}</seen><issued>{_TIME}</issued><changes>"
)
_STEP_END = "</changes></step>"
_BODY = re.compile(
    f' Id="[^"]*"><serial>{_TEXT}</serial><firmCode>{_NUMBER}</firmCode><publicKey>{_BASE64}</publicKey>{_SEEN}'
    f"<counter>{_COUNTER}</counter><listing>"
)
_DIGEST = re.compile(f"</listing><digest>{_BASE64}</digest>")
_LAST, _LAST_END = "<lastStep>", "</lastStep>"
_BODY_END = re.compile(f"<time>{_TIME}</time></body>")


def scan_entries(text: str, place: int, *, tag: str = "license") -> tuple[State, int]:
    """Return the entries that stand at a place, perhaps none, and where they end. Raises ValueError."""
    found: list[Entry] = []
    pattern = _ENTRIES[tag]
    while (match := pattern.match(text, place)) is not None:
        license_id, generation, item_number, product_code, quantity, written, *options = match.groups()
        found.append(
            Entry(
                license_id=_plain(license_id),
                generation=int(generation),
                item_number=_plain(item_number),
                product_code=int(product_code),
                quantity=int(quantity),
                options=_options(options) if written else _WITHOUT_OPTIONS,
            )
        )
        place = match.end()
    return tuple(found), place


def scan_step(text: str, place: int) -> tuple[Step, int]:
    """Return the step that stands at a place, inside another element, and where it ends. Raises ValueError."""
    head = matched(_STEP, text, place)
    serial, firm, kind, from_epoch, from_number, to_epoch, to_number, before, after, export, nonce, issued = (
        head.groups()
    )
    put, place = scan_entries(text, head.end(), tag="put")
    remove, place = _all(_REMOVE, text, place)
    blocks, place = _all(_BLOCK, text, place)
    place = past(_STEP_END, text, place)
    step = Step(
        serial=serial,
        firm_code=int(firm),
        kind=StepKind(kind),
        from_counter=Counter(int(from_epoch), int(from_number)),
        to_counter=Counter(int(to_epoch), int(to_number)),
        digest_before=b64decode(before),
        digest_after=b64decode(after),
        seen=Seen(export=int(export), nonce=b64decode(nonce)),
        issued=datetime.fromisoformat(issued),
        put=put,
        remove=tuple([_plain(license_id) for license_id in remove]),
        blocks=tuple([b64decode(block) for block in blocks]),
    )
    return step, place


def scan_body(text: str, place: int, last_step: Callable[[str, int], tuple[SignedStep, int]]) -> tuple[Context, int]:
    """Return what the body of a context says whose attributes stand at a place, and where it ends. Raises ValueError.

    `last_step` scans the signed step in it.
    """
    head = matched(_BODY, text, place)
    serial, firm, public_key, export, nonce, epoch, number = head.groups()
    listing, place = scan_entries(text, head.end())
    digest = matched(_DIGEST, text, place)
    place, last = digest.end(), None
    if text.startswith(_LAST, place):
        last, place = last_step(text, place + len(_LAST))
        place = past(_LAST_END, text, place)
    time = matched(_BODY_END, text, place)
    context = Context(
        serial=serial,
        firm_code=int(firm),
        public_key=b64decode(public_key),
        export=int(export),
        nonce=b64decode(nonce),
        counter=Counter(int(epoch), int(number)),
        listing=listing,
        digest=b64decode(digest[1]),
        last_step=last,
        time=datetime.fromisoformat(time[1]),
    )
    return context, time.end()


def matched(pattern: re.Pattern[str], text: str, place: int) -> re.Match[str]:
    """Return how a text fits at a place. Raises ValueError."""
    match = pattern.match(text, place)
    if match is None:
        raise ValueError("the file is of another form than ours")
    return match


def past(expected: str, text: str, place: int) -> int:
    """Return the place behind what is expected at a place. Raises ValueError."""
    if not text.startswith(expected, place):
        raise ValueError("the file is of another form than ours")
    return place + len(expected)


def _all(pattern: re.Pattern[str], text: str, place: int) -> tuple[list[str], int]:
    found: list[str] = []
    while (match := pattern.match(text, place)) is not None:
        found.append(match[1])
        place = match.end()
    return found, place


def _plain(text: str) -> str:
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&#xD;", "\r").replace("&amp;", "&")


def _options(found: list[str | None]) -> Options:
    activation, expiration, usage, start, end, features, units, text, customer, days, checkpoint, *data = found
    protected, hidden, secret = data
    return Options(
        activation_time=_time(activation),
        expiration_time=_time(expiration),
        usage_days=_whole(usage),
        maintenance_start=_time(start),
        maintenance_end=_time(end),
        feature_map=_whole(features),
        unit_counter=_whole(units),
        text=None if text is None else _plain(text),
        customer_information=None if customer is None else _plain(customer),
        checkpoint_days=_whole(days),
        checkpoint_time=_time(checkpoint),
        protected_data=_octets(protected),
        hidden_data=_octets(hidden),
        secret_data=_octets(secret),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _octets(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
