"""An answer that is read item by item while it arrives, in constant memory. No I/O: bytes in, items out.

Each item is validated as it ends, and what is left of the answer at its end, so nothing unvalidated comes out. What no
server of this contract writes (a DTD, comments, processing instructions, another encoding than UTF-8) is refused, since
it is the food of attacks on parsers.
"""

import copy
from types import ModuleType
from typing import Any

from lxml import etree

from soap.codec import Decode, compile_decoder
from soap.contract import Contract, Operation
from soap.envelope import read_content_type, read_envelope
from soap.errors import AnswerInvalid, SoapError
from soap.names import XSD, Version
from soap.schema import ComplexType, Field
from soap.validate import Validator

MOST_ITEM_BYTES = 64 * 1024 * 1024
"""Bytes without the end of an item: an update file is far smaller."""

MOST_DEPTH = 32
_BOM = b"\xef\xbb\xbf"
_DECLARATION = b"<?xml"


class StreamedAnswers:
    """What is compiled once for an operation whose answer begins with a list (see `soap.streaming`)."""

    def __init__(self, contract: Contract, messages: ModuleType, operation: Operation) -> None:
        """Raises ValueError for an operation whose answer does not begin with a list of complex items."""
        held = operation.answer.fields[0].type
        listed = held.fields[0] if isinstance(held, ComplexType) else None
        if listed is None or not listed.many or not isinstance(listed.type, ComplexType):
            raise ValueError(f"the answer of {operation.name} does not begin with a list")
        self.listed: Field = listed
        self.item_type: ComplexType = listed.type
        self.operation = operation
        self.decode_item: Decode = compile_decoder(listed.type, messages)
        self.item_validator = Validator(_with_element(contract.schemas[contract.namespace], listed))


def _with_element(schema: etree._Element, field: Field) -> etree._Element:
    """Give a schema that knows an element on its own, so that an item can be validated before its answer has ended."""
    changed = copy.deepcopy(schema)
    prefix = next(name for name, uri in schema.nsmap.items() if uri == schema.get("targetNamespace"))
    name = field.type.name if prefix is None else f"{prefix}:{field.type.name}"
    if changed.find(f"{{{XSD}}}element[@name='{field.name}']") is None:
        etree.SubElement(changed, f"{{{XSD}}}element", {"name": field.name, "type": name})
    return changed


class ArrivingAnswer:
    """One answer while it arrives: `feed` until the end, then `close`."""

    def __init__(self, compiled: StreamedAnswers, *, content_type: str | None) -> None:
        """Raises AnswerInvalid for what is not SOAP."""
        try:
            self._kind = read_content_type(content_type)
        except SoapError as error:
            raise AnswerInvalid(str(error)) from error
        if (self._kind.charset or "utf-8").lower() != "utf-8":
            raise AnswerInvalid("a streamed answer is UTF-8")
        self._compiled = compiled
        self._parser = etree.XMLPullParser(
            ("start", "end"), encoding="utf-8", resolve_entities=False, no_network=True, huge_tree=True
        )
        self._path: list[str] = []
        self._listed_at = [compiled.operation.answer_tag, compiled.operation.answer.fields[0].tag, compiled.listed.tag]
        self._begun = False
        self._last = b""
        self._since_item = 0

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes, give the items that have ended. Raises AnswerInvalid."""
        self._look_at(data)
        self._since_item += len(data)
        try:
            self._parser.feed(data)
            items = [item for event, element in self._parser.read_events() if (item := self._met(event, element))]
        except etree.XMLSyntaxError as error:
            raise AnswerInvalid(f"the answer is not well-formed: {error.msg}") from error
        except SoapError as error:
            raise AnswerInvalid(f"the answer does not keep to the contract at {error.path}: {error}") from error
        if items:
            self._since_item = 0
        elif self._since_item > MOST_ITEM_BYTES:
            raise AnswerInvalid(f"no item has ended within {MOST_ITEM_BYTES} bytes")
        return items

    def close(self) -> tuple[etree._Element, Version]:
        """Give what is left of the answer, the child of its Body, which may be a Fault. Raises AnswerInvalid."""
        try:
            envelope = read_envelope(self._parser.close(), self._kind)
        except (etree.XMLSyntaxError, SoapError) as error:
            raise AnswerInvalid(f"the answer broke off or is no SOAP message: {error}") from error
        for holder in envelope.payload.iterchildren(self._listed_at[1]):
            for taken in list(holder.iterchildren(self._listed_at[2])):
                holder.remove(taken)
        return envelope.payload, envelope.version

    def _look_at(self, data: bytes) -> None:
        if not self._begun and data:
            self._begun = True
            data = data.removeprefix(_BOM)
            if not data.startswith(b"<"):
                raise AnswerInvalid("the answer is not XML")
            if data.startswith(_DECLARATION):
                data = data[len(_DECLARATION) :]
        seen = self._last + data
        if b"<!" in seen or b"<?" in seen:
            raise AnswerInvalid("the answer has a DTD, a comment or a processing instruction")
        self._last = data[-1:]

    def _met(self, event: str, element: etree._Element) -> Any:
        if event == "start":
            self._path.append(str(element.tag))
            if len(self._path) > MOST_DEPTH:
                raise AnswerInvalid(f"the answer is deeper than {MOST_DEPTH} elements")
            return None
        listed = len(self._path) == 5 and self._path[2:] == self._listed_at  # behind Envelope and Body
        self._path.pop()
        return self._taken(element) if listed else None

    def _taken(self, element: etree._Element) -> Any:
        """Decode an item and let go of its elements."""
        holder = element.getparent()
        compiled = self._compiled
        alone = copy.copy(element)  # a copy has no siblings, and libxml2 validates from a root
        if not compiled.item_validator.valid(alone):
            raise compiled.item_validator.explain(alone, compiled.item_type)
        item = compiled.decode_item(alone)
        element.clear()
        # The parser may still look at the element that has just ended, so it goes when the next one has.
        while holder is not None and (before := element.getprevious()) is not None:
            holder.remove(before)
        return item
