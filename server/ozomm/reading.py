"""What an answer means: the vendor's own fields mapped to a verdict, and a question to the vendor's own fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from licensing.extensions.questions import Customer, Question, Unanswered, Verdict
from licensing.marketing.offers import Offer
from server.ozomm.configuration import CsvSource, HttpSource, OfferReading, SoapSource, SqlSource

Mapped = HttpSource | SoapSource | SqlSource | CsvSource
MOST_TEXT = 2000
MOST_OFFERS = 20


def verdict_of(found: Any, source: Mapped) -> Verdict:
    """Give what an answer says: an object, or rows of which the first counts. No row at all is a no.

    Raises Unanswered where nothing stands at the place of `eligible`.
    """
    rows = found if isinstance(found, list) else [found]
    if not rows:
        return Verdict(eligible=False)
    first = rows[0]
    said = at(first, source.read["eligible"])
    if said is None:
        raise Unanswered("not understood")
    return Verdict(
        eligible=_decided(said, source),
        item_number=_text(first, source.read.get("item_number")),
        text=_text(first, source.read.get("text")),
        customer=Customer(
            address=_text(first, source.read.get("email")),
            name=_text(first, source.read.get("name")),
            language=_text(first, source.read.get("language")),
            number=_text(first, source.read.get("customer_number")),
            group=_text(first, source.read.get("customer_group")),
        ),
        offers=() if source.offers is None else _offers(found if source.offers.list == "" else first, source.offers),
    )


def _decided(said: Any, source: Mapped) -> bool | None:
    word = str(said).strip().lower()
    if word in {each.lower() for each in source.later}:
        return None
    return word in {each.lower() for each in source.yes}


def _offers(found: Any, reading: OfferReading) -> tuple[Offer, ...]:
    rows = at(found, reading.list) if reading.list else found
    offers = []
    for row in rows if isinstance(rows, Sequence) and not isinstance(rows, str) else ():
        item, title = _text(row, reading.item_number), _text(row, reading.title)
        if item is None or title is None:
            continue
        offers.append(
            Offer(
                campaign=_text(row, reading.campaign) or "crm",
                item_number=item,
                title=title,
                text=_text(row, reading.text) or title,
                url=_text(row, reading.url),
            )
        )
    return tuple(offers[:MOST_OFFERS])


def at(found: Any, path: str) -> Any:
    """Give what stands at a path such as `result.customers.0.email`, None where nothing does."""
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, Sequence) and not isinstance(found, str) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _text(found: Any, path: str | None) -> str | None:
    """Give a text that XML can carry, None where there is none."""
    value = None if path is None else at(found, path)
    if value is None or isinstance(value, Mapping | list):
        return None
    text = "".join(symbol for symbol in str(value) if symbol.isprintable() or symbol == "\n").strip()
    return text[:MOST_TEXT] or None


def sent(question: Question, send: Mapping[str, str]) -> dict[str, Any]:
    """Give a question by the vendor's own names; `=text` is sent as it stands, dots make objects within objects."""
    values = question.values()
    if not send:
        return dict(values)
    found: dict[str, Any] = {}
    for name, ours in send.items():
        *outer, last = name.split(".")
        place = found
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = ours[1:] if ours.startswith("=") else values[ours]
    return found
