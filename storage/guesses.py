"""How many guesses somebody has made at tickets, keys and secrets, counted for all workers and nodes at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage import rows
from storage.plans import Plan, many, one, written


@dataclass(frozen=True, kw_only=True, slots=True)
class GuessBucket:
    """A bucket that a guess fills by one: `subject` is a keyed hash, `capacity` guesses a `period` are let pass."""

    subject: bytes
    capacity: int
    period: timedelta

    @property
    def interval(self) -> timedelta:
        """How long it takes until one guess is forgotten."""
        return self.period / self.capacity


@dataclass(frozen=True, kw_only=True, slots=True)
class CountGuess:
    """Count a guess in each of some buckets. Answered with a `GuessCounted`, durable like any change."""

    buckets: tuple[GuessBucket, ...]
    at: datetime
    quiet: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class GuessCounted:
    """When each bucket, by its subject, will be empty; and those that ran over for the first time in `quiet`."""

    empty_at: Mapping[bytes, datetime]
    alarmed: frozenset[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetGuesses:
    """Take the buckets away that have been empty since a time. Answered with how many."""

    before: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadGuesses:
    """When buckets that were filled since a time, and are not empty, will be empty: datetimes by subject."""

    since: datetime
    now: datetime


GuessCommand = CountGuess | ForgetGuesses
_MICROSECOND = timedelta(microseconds=1)


def plan_guess_command(command: GuessCommand) -> Plan[object]:
    """The plan of a command."""
    match command:
        case CountGuess():
            return _count(command)
        case ForgetGuesses():
            return written("forget_guesses", {"before": rows.from_time(command.before)})


def _count(command: CountGuess) -> Plan[GuessCounted]:
    at, empty_at, alarmed = rows.from_time(command.at), {}, set()
    # In the order of their subjects, so that two never wait for each other.
    for bucket in sorted(command.buckets, key=lambda bucket: bucket.subject):
        here: rows.Parameters = {"subject": bucket.subject, "at": at}
        # Twice what it holds and no more: after an attack that lasted a day, nobody has to wait for a day.
        most = 2 * (bucket.period // _MICROSECOND)
        yield from written("count_guess", {**here, "interval": bucket.interval // _MICROSECOND, "most": most})
        full: rows.Parameters = {"full": bucket.period // _MICROSECOND, "quiet": command.quiet // _MICROSECOND}
        if (yield from written("alarm_of_guess", {**here, **full})):
            alarmed.add(bucket.subject)
        row = yield from one("guess", {"subject": bucket.subject})
        empty_at[bucket.subject] = rows.to_time(at if row is None else row["empty_at"])
    return GuessCounted(empty_at=empty_at, alarmed=frozenset(alarmed))


def load_guesses(query: LoadGuesses) -> Plan[Mapping[bytes, datetime]]:
    """The plan of the query."""
    times: rows.Parameters = {"since": rows.from_time(query.since), "now": rows.from_time(query.now)}
    found = yield from many("guesses_since", times)
    return {bytes(row["subject"]): rows.to_time(row["empty_at"]) for row in found}
