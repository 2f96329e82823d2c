"""Rule R10: what some clients send for "absent" is made absent before validation.

`xsi:nil` on a declared optional element, an empty optional string, an empty optional element that must hold nothing
but single strings, and nil on an empty wrapper mean absent. An empty date, number or boolean stays a fault, since a
lost date would sell a perpetual licence. So does an empty element that must hold one, and an entry of a list that is
empty or nil: `<target/>` without its quantity or `<license/>` without its id would mean "all" (decision 13). So does
an undeclared nil element, and what says twice in one place that it is absent. `xsi:nil="false"` says nothing and goes
too. Nothing else is touched: a string of spaces is not empty, and text behind an element that goes stays for the
validator to refuse.

Every optional string of the contract must have a character and every optional complex type a required child, so a
message that needs this never validates before, and what means absent is an error where it stands: the engine asks only
after a failed validation, and only when the first error is about something that `could_mean_absent`. Whatever else is
wrong first stays wrong, and is what is told.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lxml import etree

from soap.names import XSI, Version
from soap.schema import ComplexType, Field

_NIL = f"{{{XSI}}}nil"
_EMPTY = "descendant::*[not(*) and not(normalize-space())]"
_SAYS_NOT = "normalize-space() = '0' or normalize-space() = 'false'"
_ANY_NOT_NIL = f"boolean(descendant::*/@{_NIL}[{_SAYS_NOT}])"
_FIRST_OTHER_NIL = f"descendant-or-self::*[@{_NIL}[not({_SAYS_NOT})]][1]"
_XSI_PREFIX = f"{{{XSI}}}"
_STYLES = tuple(f"{{{version}}}encodingStyle" for version in Version)


class Taken(NamedTuple):
    """An element that meant absent, and where it stood."""

    parent: etree._Element
    place: int
    element: etree._Element


class Wrong(NamedTuple):
    """What an error is about, and how it is declared; None where it is not."""

    element: etree._Element
    field: Field | None


def put_back(taken: Sequence[Taken], *, around: etree._Element) -> None:
    """Put elements back where they stood beside an element or what it is in.

    Its path then is one of the message as it was sent.
    """
    holders = {around, *around.iterancestors()}
    for one in reversed(taken):
        if one.parent in holders:
            one.parent.insert(one.place, one.element)


def could_mean_absent(wrong: Wrong | None, payload: etree._Element) -> bool:
    """Whether what the first error is about, None where that is not known, could be made absent or be cleaned.

    Most of what is refused could not, and looking at each element of a large message would take longer than all else.
    """
    if wrong is None or _NIL in wrong.element.attrib:
        return True
    if wrong.element is payload:
        return any(name in payload.attrib for name in _STYLES)
    return wrong.field is not None and wrong.field.optional and _means_absent(wrong.element, wrong.field)


def normalise(payload: etree._Element, type_: ComplexType, *, taken: list[Taken]) -> bool:
    """Remove what means absent from a Body element, in place; whether anything changed.

    What is removed is appended to `taken`.
    """
    changed = _says_not_nil(payload) or (_is_nil(payload) and _is_empty(payload))
    if changed:
        del payload.attrib[_NIL]
    for name in _STYLES:
        # What the envelope's reader lets pass says "literal".
        changed = payload.attrib.pop(name, None) is not None or changed
    changed = _Walk(_around_empty(payload), taken).children(payload, type_) or changed
    return clear_not_nil(payload, wrong=True) or changed


def clear_not_nil(payload: etree._Element, *, wrong: bool) -> bool:
    """Remove each `xsi:nil="false"` below a Body element; whether there was one.

    All that say nil go at once, since one by one would take longer than all else. `wrong`: what says another thing is
    so, and the first of those comes back to be told; else nothing goes where there is one.
    """
    if not etree.ETXPath(_ANY_NOT_NIL)(payload):
        return False
    others = [(element, element.attrib[_NIL]) for element in etree.ETXPath(_FIRST_OTHER_NIL)(payload)]
    if others and not wrong:
        return False
    etree.strip_attributes(payload, _NIL)
    for element, value in others:
        element.set(_NIL, value)
    return True


def _around_empty(payload: etree._Element) -> set[etree._Element]:
    """Give the elements that have nothing inside and all that they are in: nothing else can mean absent."""
    around = {payload}
    for element in payload.xpath(_EMPTY):
        holder: etree._Element | None = element
        while holder is not None and holder not in around:
            around.add(holder)
            holder = holder.getparent()
    return around


class _Walk:
    """One walk through what is around something empty."""

    def __init__(self, around: set[etree._Element], taken: list[Taken]) -> None:
        self._around = around
        self._taken = taken
        self._fields: dict[str, dict[str, Field]] = {}

    def children(self, element: etree._Element, type_: ComplexType) -> bool:
        """Remove what means absent below an element; whether anything changed."""
        fields = self._fields.get(type_.name)
        if fields is None:
            fields = self._fields[type_.name] = {field.tag: field for field in type_.fields}
        changed = False
        gone: set[str] = set()
        stayed = 0
        for child in element.iterchildren():
            field = fields.get(str(child.tag))
            if field is None:
                # It stays, and the message is not valid: what is told is the first that is wrong, here or before.
                return changed
            stayed += 1
            if child not in self._around:
                continue
            if len(child) and isinstance(field.type, ComplexType):
                changed = self.children(child, field.type) or changed
            if field.optional and _means_absent(child, field) and _is_blank(child.tail):
                if field.tag in gone:
                    # No client has a reason to say twice that something is absent. It stays, as above.
                    return changed
                gone.add(field.tag)
                stayed -= 1
                self._taken.append(Taken(element, stayed, child))
                element.remove(child)
                changed = True
        return changed


def _means_absent(child: etree._Element, field: Field) -> bool:
    if field.many or len(child):
        return False
    text = child.text
    if not _is_blank(text):
        return False
    names = child.keys()
    if names:
        if names != [_NIL] and not all(name.startswith(_XSI_PREFIX) for name in names):
            return False
        if _NIL in names and _is_nil(child):
            return True
    if isinstance(field.type, ComplexType):
        return all(_is_one_text(inner) for inner in field.type.fields if not inner.optional)
    return field.type.built_in == "string" and not text


def _is_one_text(field: Field) -> bool:
    return not field.many and not isinstance(field.type, ComplexType) and field.type.built_in == "string"


def _is_nil(element: etree._Element) -> bool:
    return element.get(_NIL, "").strip() in {"true", "1"}


def _says_not_nil(element: etree._Element) -> bool:
    return element.get(_NIL, "").strip() in {"false", "0"}


def _is_empty(element: etree._Element) -> bool:
    """Whether there is no content but white space, and no attribute but those of xsi (type, nil)."""
    if len(element) or not _is_blank(element.text):
        return False
    names = element.keys()
    return not names or all(str(name).startswith(_XSI_PREFIX) for name in names)


def _is_blank(text: str | None) -> bool:
    return text is None or not text.strip(" \t\r\n")


def needless(type_: ComplexType) -> list[str]:
    """Name the optional fields that could be sent empty and still be valid; must be none (see above)."""
    found = []
    for field in type_.fields:
        if isinstance(field.type, ComplexType):
            found += [f"{type_.name}.{name}" for name in needless(field.type)]
            if field.optional and all(inner.optional for inner in field.type.fields):
                found.append(f"{type_.name}.{field.name}")
        elif field.optional and field.type.name == "string":
            found.append(f"{type_.name}.{field.name}")
    return found
