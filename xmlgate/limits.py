"""What a document may hold, and how it is refused (design, section 10)."""

from dataclasses import dataclass, fields
from typing import Literal

RefusalCode = Literal[
    "Malformed", "DtdForbidden", "ProcessingInstruction", "EncodingUnsupported", "TooLarge", "TooComplex"
]

_PARSER_DEPTH = 255
"""libxml2 gives up at 256 nested elements, so a higher limit could not be kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The greatest document that is read (design, section 10).

    `max_bytes` is judged on the bytes as received. `depth` counts the root as 1. `elements` is as well the most
    attributes in all. `attributes` are those on one element, namespace declarations included. `namespaces` are
    declarations in scope, the element's own and its ancestors'. `name_bytes` is the length in UTF-8 of an element's or
    attribute's name with its prefix, and of a namespace's name: it is declared once and stands in every tag below, so a
    long one makes megabytes of each of thousands of elements. Raises ValueError for a limit below 1 and for a depth
    that the parser underneath cannot reach.
    """

    max_bytes: int = 256 * 1024
    depth: int = 32
    elements: int = 20_000
    attributes: int = 64
    namespaces: int = 64
    name_bytes: int = 256

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"the limit {field.name} must be at least 1")
        if self.depth > _PARSER_DEPTH:
            raise ValueError(f"the limit depth must be at most {_PARSER_DEPTH}")


class XmlRefused(Exception):
    """A document was not read.

    `code` names the case. `message` is generic: it names the limit or rule and the mend, and never echoes the
    document. `line` and `column` count from 1 and are None where no place is known.
    """

    def __init__(self, code: RefusalCode, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.code: RefusalCode = code
        self.message = message
        self.line = line
        self.column = column
