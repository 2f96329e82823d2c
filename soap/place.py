"""Where in a message something stands: paths of local names, such as `CreateOrder/orderLine[2]/quantity`."""

from lxml import etree

from soap.names import Version

_ENVELOPES = frozenset(f"{{{version}}}Envelope" for version in Version)


def local_name(element: etree._Element) -> str:
    """Give the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def path_of(element: etree._Element) -> str:
    """Give the path of an element, from the child of the Body or Header that holds it, or else from the root.

    An element that has twins beside it, of the same name, is counted among them from 1.
    """
    way = [element, *element.iterancestors()][::-1]
    return "/".join(_step(node) for node in (way[2:] if way[0].tag in _ENVELOPES else way))


def _step(element: etree._Element) -> str:
    tag = str(element.tag)
    before = sum(1 for _ in element.itersiblings(tag, preceding=True))
    alone = not before and next(element.itersiblings(tag), None) is None
    return local_name(element) if alone else f"{local_name(element)}[{before + 1}]"
