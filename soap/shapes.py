"""Messages that differ from one that was read before in nothing but plain values.

Cut out of a message the text of every element that holds a value: what is left, byte for byte, is its shape. A shop
sends its orders in a few shapes. When a message has passed gate, parser, envelope and schema, its shape is remembered,
with the place of each value in the message. Of the next one with that shape only the values need to be looked at: all
that gate, parser, envelope and the structure of the schema judge is in the shape, and it was judged. Where a value is
not plainly allowed (`soap.plain`), the message goes the whole way, which also words what is wrong with it.

Why that is the same, for a shape without `<!`, `<?` and `&` in which each `<` has its `>`: each `<` and `>` then is an
end of a tag. A value stands between a start tag and an end tag, has neither markup nor control characters and no
reference but to the five entities of XML, and so is the whole text of an element whatever it is. Elements, attributes,
names and their order are those of the message that was judged, and nothing in the contract binds values to each other.
"""

import re
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from lxml import etree

from soap.codec import compiled
from soap.contract import Operation
from soap.names import Version
from soap.plain import Plain, plain_of, resolved
from soap.schema import ComplexType, Field, SimpleType

MOST_BYTES = 64 * 1024
"""A longer message is not looked at."""

_MOST_SHAPE = 8 * 1024
_MOST_VALUES = 512
_MOST_MET = 4096
_AT_ONCE = 64
_EACH = 64
"""So many shapes may be made when they come, and one more for each so many messages that went the whole way.

To make one takes as long as ten messages, and anybody can send new ones all the time.
"""

_VALUE = re.compile(r">([^<>\s][^<>]*+)</")
"""It begins anew behind each `>`, so it must not go on beyond the next one: time would grow with the square."""

_DECLARED_UTF8 = re.compile(r"""<\?xml version=["']1\.0["'](?: encoding=["'](?:utf-8|UTF-8)["'])? ?\?>""")


class Cut(NamedTuple):
    """A message taken apart. `shape` is the version and what stands before, between and behind the values."""

    shape: tuple[str, ...]
    values: Sequence[str]


class Shape(NamedTuple):
    """What is remembered: `read` gives the message of values, or None where one of them is not plainly allowed."""

    operation: Operation
    read: Callable[[Sequence[str]], Any]


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
        self._known: dict[tuple[str, ...], Shape | None] = {}
        self._met: set[int] = set()
        self._may_make = _AT_ONCE * _EACH
        self._plain: dict[str, Plain | None] = {}
        self._open: dict[str, type[Any]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def find(self, found: Cut) -> Shape | None:
        """Give the shape of a message if it can be read by it."""
        return self._known.get(found.shape)

    def remember(self, found: Cut, operation: Operation, payload: etree._Element, message: Any) -> None:
        """Remember the shape of a message that was found valid as it came, when it comes for the second time."""
        with self._lock:
            self._may_make = min(self._may_make + 1, _AT_ONCE * _EACH)
            if found.shape in self._known or not self._was_met(found.shape) or self._may_make < _EACH:
                return
            if resolved(found.values) is None or any("\r" in value for value in found.values):
                # Not what stands in the tree: another message of this shape tells where its values are.
                return
            self._may_make -= _EACH
            shape = self._shape(found, operation, payload) if _is_plain(found) and _is_alone(payload) else None
            again = None if shape is None else shape.read(found.values)
            if again is not None and again != message:
                # The message itself is valid, so it is answered, and others of its shape go the whole way too.
                shape = None
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[found.shape] = shape

    def _was_met(self, shape: tuple[str, ...]) -> bool:
        mark = hash(shape)
        if mark in self._met:
            return sum(map(len, shape)) <= _MOST_SHAPE and len(shape) <= _MOST_VALUES
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        self._met.add(mark)
        return False

    def _shape(self, found: Cut, operation: Operation, payload: etree._Element) -> Shape | None:
        writer = _Writer(self._messages, self._open)
        made = writer.made(payload, operation.request)
        if [text for _, text in writer.values] != resolved(found.values):
            return None
        plain = [self._plain_of(type_) for type_, _ in writer.values]
        known = [one for one in plain if one is not None]
        if len(known) < len(plain):
            return None
        texts = [f"t{place}" for place, (type_, _) in enumerate(writer.values) if type_.built_in == "string"]
        unpack = f"{', '.join(f't{place}' for place in range(len(known)))}, = values"
        lines = ["def read(values):"]
        lines += [f" {unpack}"] if known else []
        if texts:
            writer.names["resolved"] = resolved
            lines += [
                f" texts = f'{{{'}{'.join(texts)}}}'",
                " if not texts.isprintable(): return None",
                " if '&' in texts:",
                "  values = resolved(values)",
                "  if values is None: return None",
                f"  {unpack}",
            ]
        for place, one in enumerate(known):
            value = f"t{place}"
            lines += [f" if not ({one.holds.format(value)}): return None"] if one.holds else []
            lines += [f" {value} = {one.value.format(value)}"] if one.value != "{0}" else []
            lines += [f" if not ({one.taken.format(value)}): return None"] if one.taken else []
            writer.names |= one.names
        lines += [*writer.lines, f" return {made}"]
        return Shape(operation, compiled("read", lines, writer.names))

    def _plain_of(self, type_: SimpleType) -> Plain | None:
        if type_.name not in self._plain:
            self._plain[type_.name] = plain_of(type_)
        return self._plain[type_.name]


class _Writer:
    """Writes what makes a message of values that are named `t0`, `t1` and so on."""

    def __init__(self, messages: ModuleType, open_classes: dict[str, type[Any]]) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self._open = open_classes
        self.values: list[tuple[SimpleType, str]] = []
        self._messages = messages
        self._objects = 0

    def made(self, element: etree._Element, type_: ComplexType) -> str:
        """Write what makes the object of a valid element, and give its name."""
        class_ = getattr(self._messages, type_.name)
        name, self._objects = f"m{self._objects}", self._objects + 1
        self.names[type_.name] = class_
        fields = [(field.attribute, self._content(element, field)) for field in type_.fields]
        # A frozen object is filled while it is of a class with the same slots that does not refuse; nobody has it yet.
        self.names[f"open_{type_.name}"] = self._opened(type_.name, class_)
        self.lines.append(f" {name} = open_{type_.name}()")
        self.lines += [f" {name}.{attribute} = {content}" for attribute, content in fields]
        self.lines.append(f" {name}.__class__ = {type_.name}")
        return name

    def _opened(self, name: str, class_: type[Any]) -> type[Any]:
        if name not in self._open:
            self._open[name] = type(f"Open{name}", (), {"__slots__": class_.__dict__["__slots__"]})
        return self._open[name]

    def _content(self, element: etree._Element, field: Field) -> str:
        found = [self._one(child, field.type) for child in element.iterchildren(field.tag)]
        if field.many:
            return f"({', '.join(found)}{',' if found else ''})"
        return found[0] if found else "None"

    def _one(self, child: etree._Element, type_: ComplexType | SimpleType) -> str:
        if isinstance(type_, ComplexType):
            return self.made(child, type_)
        self.values.append((type_, child.text or ""))
        return f"t{len(self.values) - 1}"


def _is_plain(found: Cut) -> bool:
    """Whether a shape is ASCII without comment, CDATA section, instruction and reference, and each `<` has its `>`."""
    text = "\0".join(found.shape[1:])
    declared = _DECLARED_UTF8.match(text)
    text = text if declared is None else text[declared.end() :]
    # Names that are no ASCII are not the same to expat, which counts what the gate is not sure of, and to libxml2.
    plain = text.isascii() and not any(mark in text for mark in ("<!", "<?", "&"))
    return plain and text.count("<") == text.count(">")


def _is_alone(payload: etree._Element) -> bool:
    """Whether there is no header, and no attribute in the payload."""
    body = payload.getparent()
    envelope = None if body is None else body.getparent()
    alone = envelope is not None and len(envelope) == 1 and envelope.getparent() is None
    return alone and not any(element.attrib for element in payload.iter())
