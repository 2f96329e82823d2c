"""Checkpoints: a licence that must be renewed every n days by asking the server (design section 5).

The date moves with a step, so it is absolute and signed as everything else. It moves only when half of the time is
over: otherwise every contact would make a step.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from containers import Entry, State


def with_checkpoints(state: State, *, held: State, now: datetime) -> State:
    """Give a state with the checkpoint of each licence that has one; `held`: what the chain ends with."""
    before = {entry.license_id: entry for entry in held}
    return tuple(_with_checkpoint(entry, before.get(entry.license_id), now) for entry in state)


def _with_checkpoint(entry: Entry, held: Entry | None, now: datetime) -> Entry:
    days = entry.options.checkpoint_days
    if days is None:
        return entry
    end = now + timedelta(days=days)
    standing = None if held is None else held.options.checkpoint_time
    # One that lies further away than it can is that of more days, before the item was replaced.
    if standing is not None and end - timedelta(days=days) / 2 < standing <= end:
        end = standing
    return replace(entry, options=replace(entry.options, checkpoint_time=end))
