"""Every way of a piece through the states of a placement, found by trying: the diagram in the docs is made of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from licensing.placements import PlacementFacts, PlacementState, state_of_placement
from storage.records import Mark

START = PlacementFacts(wanted=0, occupied=0, confirmed=0)
PIECES = 1
"""One piece shows every state; more of them show the same ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happens to a piece and one container: when it may, and what the facts are then."""

    name: str
    may: Callable[[PlacementFacts], bool]
    then: Callable[[PlacementFacts], PlacementFacts]


def _standing(facts: PlacementFacts) -> bool:
    return not facts.withdrawn and facts.mark is Mark.OK


EVENTS: tuple[Event, ...] = (
    Event(
        name="ordered for this container",
        may=lambda f: f == START,
        then=lambda f: replace(f, wanted=PIECES),
    ),
    Event(
        name="collected",
        may=lambda f: _standing(f) and (f.wanted < PIECES or f.occupied < f.wanted),
        then=lambda f: replace(f, wanted=PIECES, occupied=PIECES),
    ),
    Event(
        name="returned",
        may=lambda f: _standing(f) and f.wanted > 0 and f.occupied >= f.wanted,
        then=lambda f: replace(f, wanted=0),
    ),
    Event(
        name="withdrawn",
        may=lambda f: _standing(f) and f != START,
        then=lambda f: replace(f, wanted=0, withdrawn=True),
    ),
    Event(
        name="receipt",
        may=lambda f: f.mark is Mark.OK and f.occupied > 0,
        then=lambda f: replace(f, occupied=f.wanted, confirmed=f.wanted),
    ),
    Event(
        name="declared lost",
        may=lambda f: f.mark is Mark.OK and f.occupied > 0,
        then=lambda f: replace(f, wanted=0, occupied=0, confirmed=0, mark=Mark.LOST),
    ),
    Event(
        name="found, receipt of its removal",
        may=lambda f: f.mark is Mark.LOST,
        then=lambda f: replace(f, mark=Mark.OK),
    ),
)


def ways() -> Iterator[tuple[PlacementState | None, str, PlacementState]]:
    """Give every change of state as (before, event, after), each once; before is None at the start."""
    seen, waiting = {START}, [START]
    given: set[tuple[PlacementState | None, str, PlacementState]] = set()
    while waiting:
        facts = waiting.pop(0)
        before = None if facts == START else state_of_placement(facts)
        for event in EVENTS:
            if not event.may(facts):
                continue
            after = event.then(facts)
            way = (before, event.name, state_of_placement(after))
            if before is not way[2] and way not in given:
                given.add(way)
                yield way
            if after not in seen:
                seen.add(after)
                waiting.append(after)
