"""Answers that are written item by item. The engine encodes; whoever has a network awaits the items and writes."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

Load = Callable[[], Awaitable[bytes]]
"""Gives a binary value once more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamedItem:
    """An element of the list. `again` gives its binary value once more; None where it has none."""

    message: Any
    again: Load | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Streamed:
    """What a handler gives instead of an answer whose list would not fit into memory.

    `items` are the elements of the list that comes first in the answer; `rest` gives, once they have come, the message
    that holds the list, the list itself left empty. `enough` is called when no more items shall come than have come.
    """

    items: AsyncGenerator[StreamedItem, None]
    rest: Callable[[], Any]
    enough: Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """A body in parts: `prefix`, each of `items` by `encode`, and, after the last one, `suffix`.

    In MTOM the envelope ends there, and what its items have in binary follows: each of `attached`, which grows while
    items are encoded, awaited and written by `part`, counted from 1; then `end`.

    `encode` and `suffix` raise what `Engine.encode` raises, and so does `part`.
    """

    prefix: bytes
    items: AsyncGenerator[StreamedItem, None]
    encode: Callable[[StreamedItem], bytes]
    suffix: Callable[[], bytes]
    attached: Sequence[Load] = ()
    part: Callable[[int, bytes], bytes] = lambda _, content: content
    end: bytes = b""
