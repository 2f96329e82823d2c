"""Writes streamed answers, with their binary values inline or beside the envelope."""

from collections.abc import Callable

from soap.codec import compile_item_encoders
from soap.mtom import Attaching, StreamedPackage
from soap.schema import ComplexType
from soap.streaming import Load, Segments, Streamed, StreamedItem

MOST_ATTACHED = 10_000
"""Binary values beside one answer: where each comes from must be known to the end. Then the answer says that there is
more."""


class SegmentWriter:
    """What is compiled once for an operation. `check` is given whole answers, one for each item."""

    def __init__(self, answer: ComplexType, *, check: Callable[[bytes], None] | None) -> None:
        """Raises ContractError for an answer that does not begin with a list of elements of a complex type."""
        (held,) = answer.fields
        self._name = held.name
        self._inline = compile_item_encoders(held, prefix="m")
        self._attaching = compile_item_encoders(held, prefix="m", attach=True)
        self._check = check

    def segments(self, answer: Streamed, *, start: str, end: str, package: StreamedPackage | None) -> Segments:
        """Give an answer in parts; `start` and `end` stand around the answer's only child."""
        prefix = f"{start}<m:{self._name}>".encode()

        def inline(item: StreamedItem) -> bytes:
            out: list[str] = []
            self._inline.item(item.message, out)
            data = "".join(out).encode("utf-8")
            if self._check is not None:
                self._check(prefix + data + suffix())
            return data

        def suffix() -> bytes:
            out: list[str] = []
            self._inline.holder(answer.rest(), out)
            return f"{''.join(out)}</m:{self._name}>{end}".encode()

        if package is None:
            return Segments(prefix=prefix, items=answer.items, encode=inline, suffix=suffix)
        attached: list[Load] = []

        def attaching(item: StreamedItem) -> bytes:
            if item.again is None:
                return package.checked(inline(item))
            if self._check is not None:
                inline(item)
            out = Attaching(before=len(attached))
            self._attaching.item(item.message, out)
            if len(out.parts) != 1:
                raise AssertionError("an item that gives its binary value again has exactly one")
            attached.append(item.again)
            if len(attached) >= MOST_ATTACHED:
                answer.enough()
            return package.checked("".join(out).encode("utf-8"))

        return Segments(
            prefix=package.start + prefix,
            items=answer.items,
            encode=attaching,
            suffix=lambda: suffix() + b"\r\n",
            attached=attached,
            part=package.part,
            end=package.end,
        )
