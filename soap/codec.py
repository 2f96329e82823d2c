"""Elements to frozen messages and back, by tables compiled once from the contract.

A decoder is given validated elements only, so it looks nothing up twice and checks almost nothing. An encoder writes
text between tags that were made when it was compiled; no tree is built.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, NamedTuple

from lxml import etree

from soap.errors import ContractError, SoapError
from soap.place import path_of
from soap.schema import ComplexType, Field, SimpleType

Decode = Callable[[etree._Element], Any]
Encode = Callable[[Any, list[str]], None]
_Step = tuple[Callable[[Any, Any], None], Decode, Any, bool, bool]
"""What sets a field, what reads its element, the element's tag, whether it is optional, whether it may be many."""

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Escape text content. Raises ValueError for characters that XML 1.0 (section 2.2) cannot carry."""
    # What is printable has neither control characters nor surrogates, and is found out in a third of the time.
    if text.isprintable() and "&" not in text and "<" not in text and ">" not in text:
        return text
    if _NOT_XML.search(text):
        raise ValueError("a text holds a character that XML cannot carry")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _text(element: etree._Element) -> str:
    return element.text or ""


def _whole(element: etree._Element) -> int:
    try:
        return int(_text(element))
    except ValueError:
        # A valid one may have any number of leading zeros, but `int` reads no more than 4,300 digits.
        raise _refused(element, "the number has too many digits; leave leading zeros out") from None


def _bytes(element: etree._Element) -> bytes:
    """Read an xs:base64Binary strictly; libxml2 validates around characters that are not of the alphabet."""
    try:
        return b64decode(_text(element).encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except ValueError:
        raise _refused(element, "the value is not base64 (RFC 4648 section 4)") from None


def _date_time(element: etree._Element) -> datetime:
    """Read an xs:dateTime, which must have a zone (rule R6)."""
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(_text(element).strip())
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    raise _refused(element, "the date and time must be a real one and have a zone, such as 2026-01-31T12:00:00Z")


def _refused(element: etree._Element, message: str) -> SoapError:
    return SoapError("SchemaViolation", message, path=path_of(element), line=element.sourceline)


def _zoned(value: datetime) -> str:
    """Write a time in UTC. Raises ValueError for one without a zone, which would be taken as local time."""
    if value.utcoffset() is None:
        raise ValueError("a date and time must have a zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_DECODERS: dict[str, Decode] = {
    "string": _text,
    "int": _whole,
    "long": _whole,
    "boolean": lambda element: _text(element).strip() in {"true", "1"},
    "dateTime": _date_time,
    "base64Binary": _bytes,
}

_ENCODERS: dict[str, Callable[[Any], str]] = {
    "string": escape,
    "boolean": lambda value: "true" if value else "false",
    "dateTime": _zoned,
    "base64Binary": lambda value: b64encode(value).decode("ascii"),
}


def compile_decoder(type_: ComplexType, messages: ModuleType) -> Decode:
    """Make the function that turns a validated element of `type_` into its dataclass in `messages`.

    The function raises SoapError SchemaViolation for what a schema does not refuse: a time without a zone (rule R6),
    bytes outside the base64 alphabet, a number of thousands of digits.
    """
    message_class = _message_class(type_, messages)
    steps = tuple(
        (
            # A frozen value is filled through its slots: its own __init__ takes three times as long.
            getattr(message_class, field.attribute).__set__,
            _field_decoder(field, messages),
            field.tag,
            field.optional,
            field.many,
        )
        for field in type_.fields
    )
    names: dict[str, Any] = {"empty": object.__new__, "message_class": message_class, "walk": _walk, "steps": steps}
    lines = ["def decode(element):", " children, message = element[:], empty(message_class)"]
    if steps and not any(field.many for field in type_.fields):
        # A valid element with as many children as fields has each once, in their order, so no tag is asked for.
        children = [f"child_{place}" for place in range(len(steps))]
        lines += [f" if len(children) == {len(steps)}:", f"  {', '.join(children)}, = children"]
        for child, (fill, convert, _, _, _) in zip(children, steps, strict=True):
            names |= {f"fill_{child}": fill, f"read_{child}": convert}
            value = f"{child}.text or ''" if convert is _text else f"read_{child}({child})"
            lines.append(f"  fill_{child}(message, {value})")
        lines.append("  return message")
    lines += [" walk(message, children, steps)", " return message"]
    decode: Decode = compiled("decode", lines, names)
    return decode


def compiled(name: str, lines: list[str], names: dict[str, Any]) -> Any:
    """Compile a function from a text, as dataclasses do: a loop over the fields would take twice as long.

    The text holds names of the contract, which are letters and digits.
    """
    exec("\n".join(lines), names)  # noqa: S102  see above
    return names[name]


def _walk(message: Any, children: list[etree._Element], steps: tuple[_Step, ...]) -> None:
    """Walk a valid sequence; a tag is asked for only where something else could stand."""
    at, count, last = 0, len(children), steps[-1]
    for step in steps:
        fill, convert, tag, optional, many = step
        if many:
            start, at = at, count if step is last else _end_of_run(children, at, tag)
            fill(message, tuple([convert(child) for child in children[start:at]]))
        elif not optional or (at < count and children[at].tag == tag):
            fill(message, convert(children[at]))
            at += 1
        else:
            fill(message, None)


def _end_of_run(children: list[etree._Element], at: int, tag: str) -> int:
    while at < len(children) and children[at].tag == tag:
        at += 1
    return at


def _field_decoder(field: Field, messages: ModuleType) -> Decode:
    if isinstance(field.type, SimpleType):
        return _DECODERS[field.type.built_in]
    return compile_decoder(field.type, messages)


def _message_class(type_: ComplexType, messages: ModuleType) -> type[Any]:
    found = getattr(messages, type_.name, None)
    if found is None or {f.attribute for f in type_.fields} != set(found.__dataclass_fields__):
        raise ContractError(
            f"{messages.__name__} does not match the contract at {type_.name}: run `python -m soap.generate`"
        )
    return found  # type: ignore[no-any-return]  # a class by its name


class ItemEncoders(NamedTuple):
    """What writes a streamed list: an item with its tags, and what its holder has beside the list."""

    item: Encode
    holder: Encode


def compile_item_encoders(held: Field, *, prefix: str, attach: bool = False) -> ItemEncoders:
    """Make the encoders of a list that comes first in the type of an answer's only child.

    `attach`: as in `compile_encoder`, for the items.
    Raises ContractError when there is none, or its items are not of a complex type.
    """
    holder = held.type
    if not isinstance(holder, ComplexType) or not holder.fields[0].many:
        raise ContractError(f"{held.name} does not begin with a list, so it cannot be streamed")
    listed = holder.fields[0]
    if not isinstance(listed.type, ComplexType):
        raise ContractError(f"the items of {listed.name} are not of a complex type, so they cannot be streamed")
    content = compile_encoder(listed.type, prefix=prefix, attach=attach)
    start, end = f"<{prefix}:{listed.name}>", f"</{prefix}:{listed.name}>"

    def item(message: Any, out: list[str]) -> None:
        out.append(start)
        content(message, out)
        out.append(end)

    return ItemEncoders(item=item, holder=compile_encoder(holder, prefix=prefix))


def compile_encoder(type_: ComplexType, *, prefix: str, attach: bool = False) -> Encode:
    """Make the function that appends the content of an element of `type_`, its tags under `prefix`.

    `attach`: the list that is appended to is a `soap.mtom.Attaching`, which takes binary values.
    The function raises ValueError for a text that XML cannot carry and for a time without a zone.
    """
    writer = _EncoderWriter(prefix=prefix, attach=attach)
    writer.content(type_, "message")
    writer.flush()
    names: dict[str, Any] = {f"write_{kind}": convert for kind, convert in _ENCODERS.items()}
    encode: Encode = compiled("encode", ["def encode(message, out):", *writer.lines, " return None"], names)
    return encode


class _EncoderWriter:
    """Writes the lines of an encoder: what is always there, one after the other, is appended as one text."""

    def __init__(self, *, prefix: str, attach: bool) -> None:
        self.lines: list[str] = []
        self._prefix = prefix
        self._attach = attach
        self._depth = 1
        self._values = 0
        self._pieces: list[str] = []
        self._strings: list[str] = []

    def content(self, type_: ComplexType, message: str) -> None:
        """Write what appends the fields of the object that is named `message`."""
        for field in type_.fields:
            value = f"v{self._values}"
            self._values += 1
            if field.many:
                self._block(f"for {value} in {message}.{field.attribute}:", field, value)
                continue
            self._line(f"{value} = {message}.{field.attribute}")
            if field.optional:
                self._block(f"if {value} is not None:", field, value)
            else:
                self._one(field, value)

    def flush(self) -> None:
        """Write what appends all that was put together."""
        if self._strings:
            # Added, not joined by a format, so that what is no string raises.
            self._line(f"text = {' + '.join(self._strings)}")
            self._line("if not text.isprintable() or '&' in text or '<' in text or '>' in text:")
            for value in self._strings:
                self._line(f" {value} = write_string({value})")
        if self._pieces:
            self._line(f"out.append(f'{''.join(self._pieces)}')")
        self._pieces, self._strings = [], []

    def _line(self, line: str) -> None:
        self.lines.append(f"{' ' * self._depth}{line}")

    def _block(self, head: str, field: Field, value: str) -> None:
        self.flush()
        self._line(head)
        self._depth += 1
        self._one(field, value)
        self.flush()
        self._depth -= 1

    def _one(self, field: Field, value: str) -> None:
        self._pieces.append(f"<{self._prefix}:{field.name}>")
        if isinstance(field.type, ComplexType):
            self.content(field.type, value)
        else:
            self._pieces.append(f"{{{self._written(field.type.built_in, value)}}}")
        self._pieces.append(f"</{self._prefix}:{field.name}>")

    def _written(self, kind: str, value: str) -> str:
        if kind == "string":
            self._strings.append(value)
            return value
        if kind in {"int", "long"}:
            return f"{value}:d"
        return f"out.attach({value})" if self._attach and kind == "base64Binary" else f"write_{kind}({value})"
