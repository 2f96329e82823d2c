"""The byte gate: is a document small and plain enough to build a tree of it? (design, section 3)

`within_bounds` counts bytes and gives upper bounds, at a few microseconds a KiB. It can only accept. What it does not
accept meets `count_exactly`, which walks the document without building anything, stops at the first excess, and
decides.
"""

import re
from functools import lru_cache
from xml.parsers.expat import ExpatError, ParserCreate

from xmlgate.limits import Limits, RefusalCode, XmlRefused

_CHUNK = 16 * 1024


def within_bounds(data: bytes, *, declaration: int, limits: Limits) -> bool:
    """Whether upper bounds, counted in UTF-8 bytes, already show that the document keeps the limits.

    `declaration` is the length of the XML declaration at the start. Depth is not judged here: the parser
    judges it.
    """
    # Each element opens with a `<` of its own that no `/` follows, and `=` and `xmlns` bound what any one element can
    # carry. `<!` and `<?` can be harmless (a comment, a CDATA section), but only the exact count can tell.
    # Each attribute, and so each namespace declaration, has a `=`. What the length alone rules out is not counted.
    special, long_attribute, long_value = _patterns(limits.name_bytes)
    equals = data.count(b"=", declaration)
    return (
        (len(data) <= limits.elements or _opened(data, declaration, most=limits.elements) <= limits.elements)
        and equals <= limits.elements
        and (equals <= limits.attributes or _crowded(limits.attributes).search(data, declaration) is None)
        and (equals <= limits.namespaces or data.count(b"xmlns") <= limits.namespaces)
        and special.search(data, declaration) is None
        and long_attribute.search(data, declaration) is None
        and long_value.search(data, declaration) is None
    )


def count_exactly(data: bytes, *, limits: Limits) -> None:
    """Walk a UTF-8 document and return if it keeps the limits and holds neither DTD nor processing instruction.

    Raises XmlRefused: DtdForbidden, ProcessingInstruction, TooComplex, or Malformed for what is no XML.
    """
    _ExactCount(limits).run(data)


def _opened(data: bytes, start: int, *, most: int) -> int:
    """Count each `<` that no `/` follows; end tags are told apart only where there are more than `most` of both."""
    tags = data.count(b"<", start)
    return tags if tags <= most else tags - data.count(b"</", start)


@lru_cache(maxsize=8)
def _patterns(name_bytes: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
    # Each begins with one plain byte, so nothing but `<` and `=` starts any work, and none looks beyond the next of
    # them: whatever a document repeats, the search stays linear in its length. The run before `=` is looked at
    # backwards; it may hold spaces, since they may stand before `=`, and no `+` and `/`, since a name has none and
    # base64 text has many. A value that is too long for the name of a namespace may be that of any attribute.
    over = name_bytes + 1
    return (
        re.compile(rb"<(?:[!?]|[^\x00-\x20/<>]{%d})" % over),
        re.compile(rb"=(?<=[^<>=\"'/+]{%d}=)" % over),
        re.compile(rb"=[ \t\r\n]*+[\"'][^\"']{%d}" % over),
    )


@lru_cache(maxsize=8)
def _crowded(attributes: int) -> re.Pattern[bytes]:
    # No `<` stands inside a tag, so that all `=` of one stand between its `<` and the next one. It begins at each `<`
    # alone and ends before the next one: linear in the length of the document.
    return re.compile(rb"<[^<=]*+(?:=[^<=]*+){%d}" % (attributes + 1))


class _ExactCount:
    """One walk with expat, whose callbacks raise as soon as a limit is passed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._elements = 0
        self._all_attributes = 0
        self._namespaces = [0]
        expat = ParserCreate("utf-8")
        expat.ordered_attributes = True
        expat.StartDoctypeDeclHandler = self._doctype
        expat.ProcessingInstructionHandler = self._instruction
        expat.StartElementHandler = self._start
        expat.EndElementHandler = self._end
        self._expat = expat

    def run(self, data: bytes) -> None:
        view = memoryview(data)
        expat = self._expat
        chunk, begin = _CHUNK, 0
        try:
            while begin < len(view):
                token = expat.CurrentByteIndex
                expat.Parse(view[begin : begin + chunk], False)  # noqa: FBT003  no keyword there
                begin += chunk
                # Expat before 2.6 rescans an unfinished token with each chunk; doubling keeps the sum of that linear.
                chunk = chunk * 2 if expat.CurrentByteIndex == token else _CHUNK
            expat.Parse(b"", True)  # noqa: FBT003  no keyword there
        except ExpatError as error:
            raise XmlRefused(
                "Malformed",
                "The document is not well-formed XML.",
                line=error.lineno,
                column=error.offset + 1,
            ) from None

    def _doctype(self, *_: object) -> None:
        raise self._refusal("DtdForbidden", "A document type declaration is not allowed; leave it out.")

    def _instruction(self, *_: object) -> None:
        raise self._refusal("ProcessingInstruction", "A processing instruction is not allowed; leave it out.")

    def _start(self, name: str, attributes: list[str]) -> None:
        limits = self._limits
        self._elements += 1
        if self._elements > limits.elements:
            raise self._excess(f"more than {limits.elements} elements")
        if len(self._namespaces) > limits.depth:
            raise self._excess(f"elements nested deeper than {limits.depth}")
        in_scope = self._namespaces[-1]
        if attributes:
            in_scope += self._attributes(attributes[::2], attributes[1::2])
        if len(name.encode()) > limits.name_bytes:
            raise self._long_name()
        self._namespaces.append(in_scope)

    def _attributes(self, names: list[str], values: list[str]) -> int:
        """Judge one element's attributes and return how many of them are namespace declarations."""
        limits = self._limits
        if len(names) > limits.attributes:
            raise self._excess(f"more than {limits.attributes} attributes on one element")
        self._all_attributes += len(names)
        if self._all_attributes > limits.elements:
            raise self._excess(f"more than {limits.elements} attributes in all")
        declared = [
            value for name, value in zip(names, values, strict=True) if name == "xmlns" or name.startswith("xmlns:")
        ]
        if self._namespaces[-1] + len(declared) > limits.namespaces:
            raise self._excess(f"more than {limits.namespaces} namespace declarations in scope")
        if any(len(name.encode()) > limits.name_bytes for name in names + declared):
            raise self._long_name()
        return len(declared)

    def _end(self, _name: str) -> None:
        self._namespaces.pop()

    def _long_name(self) -> XmlRefused:
        return self._excess(f"a name longer than {self._limits.name_bytes} bytes")

    def _excess(self, what: str) -> XmlRefused:
        return self._refusal("TooComplex", f"The document holds {what}; send a smaller or simpler one.")

    def _refusal(self, code: RefusalCode, message: str) -> XmlRefused:
        return XmlRefused(code, message, line=self._expat.CurrentLineNumber, column=self._expat.CurrentColumnNumber + 1)
