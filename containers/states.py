"""Vendor states: the canonical listing, its digest, and what a step makes of one (transfer protocol, section 1)."""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import pairwise
from operator import attrgetter
from typing import Any

from lxml import etree

from containers.canonical import INT, LONG, UNSIGNED, XMLNS, moment, number, octets, small_text, text, wrong
from containers.model import ContainerError, Entry, Options, State, Step, StepKind
from containers.reading import UPDATE_LIMITS, local_name, read_tree, require_canonical
from containers.scanning import MOST_SCANNED, scan_entries

_LISTING = f"<listing{XMLNS}>".encode()
REMEMBERED_BYTES, REMEMBERED_STATES = 4096, 256
"""Listings up to this size are parsed once as long as they are asked for: a collection reads the same few again and
again, most of all the empty one, and a state never changes."""


def render_state(state: State) -> bytes:
    """Return the canonical `<listing>` of a state, with its namespace: the bytes that its digest is made of.

    Raises ContainerError `ValueWrong` for values that a file cannot hold, and for entries that are not sorted by
    licence id or hold one twice.
    """
    return f"<listing{XMLNS}>{listing_content(state)}</listing>".encode()


def parse_state(data: bytes) -> State:
    """Return the state of a canonical listing, as `render_state` makes it.

    Raises ContainerError `StateMalformed` or `StateInvalid`.
    """
    return _remembered(data) if len(data) <= REMEMBERED_BYTES else parsed(data)


def parsed(data: bytes) -> State:
    """Return what `parse_state` does, remembering nothing."""
    if len(data) <= MOST_SCANNED and (scanned := _scanned(data)) is not None:
        return scanned
    listing = read_tree(data, root="listing", what="State", limits=UPDATE_LIMITS)
    state = entries_of(listing)
    require_canonical(listing, lambda: render_state(state), what="State")
    return state


def _scanned(data: bytes) -> State | None:
    """Return the state of a listing that is, byte for byte, as `render_state` makes it, None for any other."""
    if not data.startswith(_LISTING):
        return None
    try:
        state, _ = scan_entries(data.decode(), len(_LISTING))
        return state if render_state(state) == data else None
    except (ValueError, ContainerError):
        return None


_remembered = lru_cache(maxsize=REMEMBERED_STATES)(parsed)


def state_digest(state: State) -> bytes:
    """Return the 32 bytes of SHA-256 of the canonical listing."""
    return listing_digest(render_state(state))


def listing_digest(listing: bytes) -> bytes:
    """Return the digest of a state whose canonical listing is there already."""
    return hashlib.sha256(listing).digest()


def apply_step(state: State, step: Step) -> State:
    """Return the state that a step makes of `state`, without judging whether it may be applied.

    A delta puts its entries in place of those with the same licence id, or beside the others, and removes the licence
    ids it names, whether they are there or not. A reset is the whole state.
    """
    if step.kind is StepKind.RESET:
        return step.put
    entries = {entry.license_id: entry for entry in state}
    for license_id in step.remove:
        entries.pop(license_id, None)
    entries.update((entry.license_id, entry) for entry in step.put)
    return tuple(sorted(entries.values(), key=_by_license_id))


def diff_states(before: State, after: State) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return what a delta from `before` to `after` puts and removes, both sorted by licence id."""
    old = {entry.license_id: entry for entry in before}
    put = tuple(entry for entry in after if old.get(entry.license_id) != entry)
    kept = {entry.license_id for entry in after}
    return put, tuple(license_id for license_id in sorted(old) if license_id not in kept)


def listing_content(state: State) -> str:
    """Return what stands inside the canonical listing."""
    check_order([entry.license_id for entry in state], "listing")
    return "".join(license_element("license", entry) for entry in state)


def check_order(license_ids: Sequence[str], name: str) -> None:
    """Raise ContainerError `ValueWrong` unless the licence ids rise from one to the next."""
    if any(first >= second for first, second in pairwise(license_ids)):
        raise wrong(name, "sorted by licence id, each once")


def license_element(tag: str, entry: Entry) -> str:
    """Return the canonical element of one entry, under the name `license` or `put`."""
    return f"<{tag}>{_inside(entry)}</{tag}>"


def _inside(entry: Entry) -> str:
    # A step holds the entries of the listing that it leads to, and so each is written twice, one time after the other.
    known = _written.get(id(entry))
    if known is not None and known[0] is entry:
        return known[1]
    content = (
        f"<licenseId>{text(entry.license_id, 'licenseId')}</licenseId>"
        f"<generation>{number(entry.generation, 'generation', lowest=0, highest=INT)}</generation>"
        f"<itemNumber>{text(entry.item_number, 'itemNumber')}</itemNumber>"
        f"<productCode>{number(entry.product_code, 'productCode', lowest=0, highest=UNSIGNED)}</productCode>"
        f"<quantity>{number(entry.quantity, 'quantity', lowest=1, highest=INT)}</quantity>"
        f"<options>{''.join(_options(entry.options))}</options>"
    )
    if len(_written) >= _MOST_WRITTEN:
        _written.clear()
    _written[id(entry)] = entry, content
    return content


_MOST_WRITTEN = 64
_written: dict[int, tuple[Entry, str]] = {}
"""The content of entries by their id, which is theirs as long as they are here."""


def entries_of(parent: etree._Element) -> State:
    """Return the entries of a valid listing, in the order of the file."""
    return tuple(entry_of(child) for child in parent)


def entry_of(element: etree._Element) -> Entry:
    """Return the entry of a valid `license` or `put` element."""
    license_id, generation, item_number, product_code, quantity, options = element
    return Entry(
        license_id=content(license_id),
        generation=int(content(generation)),
        item_number=content(item_number),
        product_code=int(content(product_code)),
        quantity=int(content(quantity)),
        options=_options_of(options),
    )


def content(element: etree._Element) -> str:
    """Return an element's text, "" if it is empty."""
    return element.text or ""


def octets_of(element: etree._Element) -> bytes:
    """Return the bytes of a valid base64 element."""
    return b64decode(content(element))


def moment_of(element: etree._Element) -> datetime:
    """Return the time of a valid time element, aware and in UTC."""
    # The schema collapses white space before it judges a time. It is refused with the form, not here.
    return datetime.fromisoformat(content(element).strip())


_by_license_id = attrgetter("license_id")


_OPTIONS: tuple[tuple[str, str, Callable[[Any, str], str]], ...] = (
    ("activation_time", "activationTime", moment),
    ("expiration_time", "expirationTime", moment),
    ("usage_days", "usageDays", partial(number, lowest=0, highest=INT)),
    ("maintenance_start", "maintenanceStart", moment),
    ("maintenance_end", "maintenanceEnd", moment),
    ("feature_map", "featureMap", partial(number, lowest=0, highest=UNSIGNED)),
    ("unit_counter", "unitCounter", partial(number, lowest=0, highest=LONG)),
    ("text", "text", small_text),
    ("customer_information", "customerInformation", small_text),
    ("checkpoint_days", "checkpointDays", partial(number, lowest=0, highest=INT)),
    ("checkpoint_time", "checkpointTime", moment),
    ("protected_data", "protectedData", partial(octets, length=32)),
    ("hidden_data", "hiddenData", partial(octets, length=32)),
    ("secret_data", "secretData", partial(octets, length=32)),
)
"""The options in the order of the file: field, element, and what writes its content. One that is None is left out."""

_option_values = attrgetter(*(field for field, _, _ in _OPTIONS))
_option_elements = tuple((name, write) for _, name, write in _OPTIONS)


def _options(options: Options) -> list[str]:
    values = zip(_option_values(options), _option_elements, strict=True)
    return [f"<{name}>{write(value, name)}</{name}>" for value, (name, write) in values if value is not None]


def _options_of(element: etree._Element) -> Options:
    found = {local_name(child): child for child in element}

    def time(name: str) -> datetime | None:
        return moment_of(found[name]) if name in found else None

    def whole(name: str) -> int | None:
        return int(content(found[name])) if name in found else None

    def digest(name: str) -> bytes | None:
        return octets_of(found[name]) if name in found else None

    def words(name: str) -> str | None:
        return content(found[name]) if name in found else None

    return Options(
        activation_time=time("activationTime"),
        expiration_time=time("expirationTime"),
        usage_days=whole("usageDays"),
        maintenance_start=time("maintenanceStart"),
        maintenance_end=time("maintenanceEnd"),
        feature_map=whole("featureMap"),
        unit_counter=whole("unitCounter"),
        text=words("text"),
        customer_information=words("customerInformation"),
        checkpoint_days=whole("checkpointDays"),
        checkpoint_time=time("checkpointTime"),
        protected_data=digest("protectedData"),
        hidden_data=digest("hiddenData"),
        secret_data=digest("secretData"),
    )
