"""Answers that are written item by item. The engine encodes; whoever has a network awaits the items and writes."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Streamed:
    """What a handler gives instead of an answer whose list would not fit into memory.

    `items` are the elements of the list that comes first in the answer; `rest` gives, once they have come, the message
    that holds the list, the list itself left empty.
    """

    items: AsyncGenerator[Any, None]
    rest: Callable[[], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """A body in parts: `prefix`, each of `items` by `encode`, and, after the last one, `suffix`.

    `encode` and `suffix` raise what `Engine.encode` raises.
    """

    prefix: bytes
    items: AsyncGenerator[Any, None]
    encode: Callable[[Any], bytes]
    suffix: Callable[[], bytes]
