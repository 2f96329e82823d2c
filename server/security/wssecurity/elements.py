"""Strict reading of elements: the children that may be there, as often as they may, and nothing beside them."""

from base64 import b64decode
from collections.abc import Mapping, Sequence

from lxml import etree

from server.security.wssecurity.refusals import SecurityInvalid, SecurityUnsupported

_BLANK = "\t\n\r "


def local(name: str) -> str:
    """Give the part of a name that people know."""
    return name.rpartition("}")[2]


def children(element: etree._Element, allowed: Mapping[str, int]) -> dict[str, list[etree._Element]]:
    """Give the children by tag; `allowed` says which, and how many of each.

    Raises SecurityUnsupported for any other, SecurityInvalid for too many and for text between them.
    """
    found: dict[str, list[etree._Element]] = {tag: [] for tag in allowed}
    _bare(element, element.text)
    for child in element:
        each = found.get(str(child.tag))
        if each is None:
            names = ", ".join(map(local, allowed))
            raise SecurityUnsupported(f"{_name(element)} may hold only {names}, in their own namespaces")
        each.append(child)
        if len(each) > allowed[str(child.tag)]:
            raise SecurityInvalid(f"{_name(element)} may hold {_name(child)} {len(each) - 1} times at most")
        _bare(element, child.tail)
    return found


def sequence(element: etree._Element, tags: Sequence[str]) -> list[etree._Element]:
    """Give the children where there must be exactly these, in this order. Raises as `children` does."""
    found = list(element)
    if [child.tag for child in found] != list(tags):
        children(element, {tag: tags.count(tag) for tag in tags})
        names = ", ".join(map(local, tags))
        raise SecurityInvalid(f"{_name(element)} must hold {names}, in this order and each once")
    _bare(element, element.text)
    for child in found:
        _bare(element, child.tail)
    return found


def _bare(element: etree._Element, text: str | None) -> None:
    """Refuse text where none belongs. Raises SecurityInvalid."""
    if text is not None and text.strip(_BLANK):
        raise SecurityInvalid(f"line {element.sourceline}: text does not belong into {_name(element)}")


def _name(element: etree._Element) -> str:
    return local(str(element.tag))


def leaf(element: etree._Element, *, most: int) -> str:
    """Give the text of an element without children, blanks at its ends left out. Raises SecurityInvalid."""
    here = local(str(element.tag))
    if len(element):
        raise SecurityInvalid(f"{here} must hold text and no elements")
    text = (element.text or "").strip(_BLANK)
    if not text or len(text) > most:
        raise SecurityInvalid(f"{here} must hold 1 to {most} characters")
    return text


def octets(element: etree._Element, *, least: int = 1, most: int) -> bytes:
    """Give the bytes that an element holds as Base64; line breaks may stand in it. Raises SecurityInvalid."""
    text = leaf(element, most=2 * most + 64)
    try:
        value = b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise SecurityInvalid(f"{local(str(element.tag))} is no Base64") from None
    if not least <= len(value) <= most:
        raise SecurityInvalid(f"{local(str(element.tag))} must hold {least} to {most} bytes")
    return value


def algorithm(element: etree._Element, allowed: Sequence[str]) -> str:
    """Give the algorithm that an element names, which must be on the list and have no parameters.

    Raises SecurityUnsupported.
    """
    here = local(str(element.tag))
    if len(element) or (element.text or "").strip(_BLANK):
        raise SecurityUnsupported(f"{here} must have no parameters; leave InclusiveNamespaces and the like out")
    named = element.get("Algorithm", "")
    if named not in allowed or len(element.attrib) != 1:
        raise SecurityUnsupported(f"{here} must name one of: {', '.join(allowed)}")
    return named


def only_attributes(element: etree._Element, allowed: Sequence[str]) -> None:
    """Refuse any other attribute. Raises SecurityInvalid."""
    if any(name not in allowed for name in element.attrib):
        raise SecurityInvalid(f"{local(str(element.tag))} may have only these attributes: {', '.join(allowed)}")
