"""Messages that differ from one that was read before in nothing but plain values.

Cut out of a message the text of every element that holds a value: what is left, byte for byte, is its shape. A shop
sends its orders in a few shapes. When a message has passed gate, parser, envelope and schema, its shape is remembered,
with the place of each value in the message. Of the next one with that shape only the values need to be looked at: all
that gate, parser, envelope and the structure of the schema judge is in the shape, and it was judged. Where a value is
not plainly allowed (`soap.plain`), the message goes the whole way, which also words what is wrong with it.

Why that is the same, for a shape without `<!`, `<?` and `&` in which each `<` has its `>`: each `<` and `>` then is an
end of a tag. A value stands between a start tag and an end tag, has neither markup nor control characters, and so is
the whole text of an element whatever it is. Elements, attributes, names and their order are those of the message that
was judged, and nothing in the contract binds values to each other.
"""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from types import ModuleType
from typing import Any, NamedTuple

from lxml import etree

from soap.contract import Operation
from soap.names import Version
from soap.plain import Read, reader_of
from soap.schema import ComplexType, SimpleType

MOST_BYTES = 64 * 1024
"""A longer message is not looked at."""

_MOST_SHAPE = 8 * 1024
_MOST_MET = 4096
_VALUE = re.compile(r">([^<>\s][^<]*+)</")
_DECLARED_UTF8 = re.compile(r"""<\?xml version=["']1\.0["'](?: encoding=["'](?:utf-8|UTF-8)["'])? ?\?>""")
_empty = object.__new__
_Set = Callable[[Any, Any], None]


class Cut(NamedTuple):
    """A message taken apart. `shape` is the version and what stands before, between and behind the values."""

    shape: tuple[str, ...]
    values: Sequence[str]


class Known(NamedTuple):
    """A message that was read by its shape."""

    operation: Operation
    message: Any


class _Filled(NamedTuple):
    """How an object is made: for each field what sets it, and the place of its value, a constant, or more of these."""

    made: type[Any]
    values: list[tuple[_Set, int]]
    absent: list[tuple[_Set, None]]
    objects: list[tuple[_Set, "_Filled"]]
    lists: list[tuple[_Set, list["int | _Filled"]]]


class _Shape(NamedTuple):
    operation: Operation
    readers: tuple[Read, ...]
    texts: Callable[[Sequence[str]], Iterable[str]] | None
    filled: _Filled


def cut(body: bytes, version: Version) -> Cut | None:
    """Take a message apart that its Content-Type says is UTF-8; None for what is no UTF-8 or too long."""
    if len(body) > MOST_BYTES:
        return None
    try:
        parts = _VALUE.split(body.decode())
    except UnicodeDecodeError:
        return None
    return Cut((version, *parts[::2]), parts[1::2])


class Shapes:
    """The shapes that an engine remembers, `most` of them at the most; what was met first goes first."""

    def __init__(self, messages: ModuleType, *, most: int) -> None:
        """`messages`: the dataclasses of the contract."""
        self._most = most
        self._messages = messages
        # None for a shape that was looked at and cannot be read this way.
        self._known: dict[tuple[str, ...], _Shape | None] = {}
        self._met: set[int] = set()
        self._readers: dict[str, Read | None] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def read(self, found: Cut) -> Known | None:
        """Give the message, or None where the whole way must be gone."""
        shape = self._known.get(found.shape)
        if shape is None:
            return None
        if shape.texts is not None:
            texts = "".join(shape.texts(found.values))
            if not texts.isprintable() or "&" in texts or ">" in texts:
                return None
        values = [read(text) for read, text in zip(shape.readers, found.values, strict=True)]
        return None if None in values else Known(shape.operation, _made(shape.filled, values))

    def remember(self, found: Cut, operation: Operation, payload: etree._Element, message: Any) -> None:
        """Remember the shape of a message that was found valid as it came, when it comes for the second time."""
        if found.shape in self._known or not self._was_met(found.shape):
            return
        shape = self._shape(found, operation, payload) if _is_plain(found) and _is_alone(payload) else None
        if (
            shape is not None
            and _made(shape.filled, [r(v) for r, v in zip(shape.readers, found.values, strict=True)]) != message
        ):
            raise AssertionError(f"the shape of a message of {operation.name} gives another message")
        with self._lock:
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[found.shape] = shape

    def _was_met(self, shape: tuple[str, ...]) -> bool:
        mark = hash(shape)
        if mark in self._met:
            return sum(map(len, shape)) <= _MOST_SHAPE
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        self._met.add(mark)
        return False

    def _shape(self, found: Cut, operation: Operation, payload: etree._Element) -> _Shape | None:
        leaves: list[tuple[SimpleType, str]] = []
        filled = self._filled(payload, operation.request, leaves)
        readers = [reader for type_, _ in leaves if (reader := self._reader(type_)) is not None]
        if [text for _, text in leaves] != list(found.values) or len(readers) < len(leaves):
            return None
        texts = [place for place, (type_, _) in enumerate(leaves) if type_.built_in == "string"]
        return _Shape(operation, tuple(readers), itemgetter(*texts) if texts else None, filled)

    def _reader(self, type_: SimpleType) -> Read | None:
        if type_.name not in self._readers:
            self._readers[type_.name] = reader_of(type_)
        return self._readers[type_.name]

    def _filled(self, element: etree._Element, type_: ComplexType, leaves: list[tuple[SimpleType, str]]) -> _Filled:
        """Walk a valid element; the type and text of each of its values are appended to `leaves`."""
        filled = _Filled(getattr(self._messages, type_.name), [], [], [], [])
        for field in type_.fields:
            fill, content = getattr(filled.made, field.attribute).__set__, list[int | _Filled]()
            for child in element.iterchildren(field.tag):
                if isinstance(field.type, ComplexType):
                    content.append(self._filled(child, field.type, leaves))
                else:
                    content.append(len(leaves))
                    leaves.append((field.type, child.text or ""))
            if field.many:
                filled.lists.append((fill, content))
                continue
            match content:
                case [int() as place]:
                    filled.values.append((fill, place))
                case [_Filled() as inner]:
                    filled.objects.append((fill, inner))
                case _:
                    filled.absent.append((fill, None))
        return filled


def _is_plain(found: Cut) -> bool:
    """Whether a shape has neither a comment, a CDATA section, an instruction nor a reference, and each `<` its `>`."""
    text = "\0".join(found.shape[1:])
    declared = _DECLARED_UTF8.match(text)
    text = text if declared is None else text[declared.end() :]
    return not any(mark in text for mark in ("<!", "<?", "&")) and text.count("<") == text.count(">")


def _is_alone(payload: etree._Element) -> bool:
    """Whether there is no header, and no attribute in the payload."""
    body = payload.getparent()
    envelope = None if body is None else body.getparent()
    alone = envelope is not None and len(envelope) == 1 and envelope.getparent() is None
    return alone and not any(element.attrib for element in payload.iter())


def _made(filled: _Filled, values: Sequence[Any]) -> Any:
    message = _empty(filled.made)
    # A frozen object is filled through its slots, as decoders do.
    for fill, place in filled.values:
        fill(message, values[place])
    for fill, constant in filled.absent:
        fill(message, constant)
    for fill, inner in filled.objects:
        fill(message, _made(inner, values))
    for fill, several in filled.lists:
        fill(message, tuple([values[one] if isinstance(one, int) else _made(one, values) for one in several]))
    return message
