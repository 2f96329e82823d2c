"""Validation of a large message whose errors are bounded.

libxml2 goes on after an error, and words each one: a message that is wrong in each of its elements costs many times
what one costs that is valid. So a large message is read once more as a stream of bytes, in pieces, which ends with the
first piece that has an error. What stands behind it is kept from the validator, which then finds what is wrong in what
is left. It alone says that something is valid, and it says so of the tree.
"""

from typing import NamedTuple

from lxml import etree

_PIECE = 16 * 1024


class Kept(NamedTuple):
    """Elements that were taken out of the end of their parent."""

    parent: etree._Element
    children: list[etree._Element]


class _Nothing:
    """What a parser gives its events to: nothing is built."""

    def close(self) -> None:
        """Give nothing."""


def begun_at_first_error(schema: etree.XMLSchema, element: etree._Element) -> int | None:
    """Count the elements that have begun where the first piece with an error ends; None where there is no error.

    More than that may be told: the first error is among so many elements. None as well for what cannot be told.
    """
    data = etree.tostring(element, encoding="utf-8", with_tail=False)
    parser = etree.XMLParser(target=_Nothing(), schema=schema, resolve_entities=False, no_network=True)  # type: ignore[call-overload]  # stubs ask for methods that a target may leave out
    for begin in range(0, len(data), _PIECE):
        end = begin + _PIECE
        try:
            parser.feed(data[begin:end])
        except etree.XMLSyntaxError:
            return None
        if len(parser.feed_error_log):
            # What is written of a tree has each `<` of a text or value as a reference, and no comments here.
            return data.count(b"<", 0, end) - data.count(b"</", 0, end)
    return None


def cut_behind(element: etree._Element, begun: int, *, most_children: int | None) -> list[Kept]:
    """Take out of a tree all behind its first so many elements, in the order of the document.

    `most_children`: no element may have more, so that one that has is wrong whatever else there is, and wrong before
    the next. Of those as many are kept as can mean absent, and as are wrong without them; the rest is lost.
    """
    last = next(iter(element.xpath(f"descendant-or-self::*[{begun}]")), None)
    if not isinstance(last, etree._Element):
        return []
    kept = [Kept(last, _rest(last, 0, most_children))]
    while last is not element and (parent := last.getparent()) is not None:
        kept.append(Kept(parent, _rest(parent, parent.index(last) + 1, most_children)))
        last = parent
    for parent, children in kept:
        if children:
            del parent[-len(children) :]
    return kept


def _rest(parent: etree._Element, begin: int, most_children: int | None) -> list[etree._Element]:
    if most_children is not None and len(parent) > (most := 2 * most_children + 1):
        del parent[most:]
    return parent[begin:]


def put_back_behind(kept: list[Kept]) -> None:
    """Put all back where it was."""
    for parent, children in kept:
        parent.extend(children)
