"""The one way from bytes to a tree: the gate, then libxml2 with everything dangerous off (design, section 3)."""

import threading

from lxml import etree

from xmlgate.encoding import decode
from xmlgate.gate import count_exactly, within_bounds
from xmlgate.limits import Limits, XmlRefused

# What libxml2 found, by its error number, in words that help and echo nothing. Everything else is "not well-formed".
_RESOURCE_LIMIT = etree.ErrorTypes.ERR_RESOURCE_LIMIT
"""What libxml2 says of a document that is beyond its own limits, such as a depth of 256."""

_FINDINGS: dict[int, str] = {
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: "The document has no root element.",
    etree.ErrorTypes.ERR_DOCUMENT_END: "Something follows the root element; send one document.",
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: "An entity is not one of the five of XML; write the character itself.",
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: "An end tag does not fit its start tag.",
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: "The document ends inside an element.",
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: "An attribute stands twice on one element.",
    etree.ErrorTypes.ERR_INVALID_CHAR: "A character is not allowed in XML 1.0.",
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: "A namespace prefix is not declared.",
}


def parse(data: bytes, *, limits: Limits, charset: str | None = None) -> etree._Element:
    """Return the root element of a document, comments left out and the text around them joined.

    `charset` is the charset parameter of the HTTP Content-Type, None if there was none. Raises XmlRefused for
    everything that is not one well-formed XML 1.0 document within the limits, in UTF-8 or UTF-16, without DTD and
    processing instructions (design, sections 3 and 10).
    """
    if len(data) > limits.max_bytes:
        raise XmlRefused(
            "TooLarge",
            f"The document is larger than {limits.max_bytes} bytes; send a smaller one or several.",
        )
    text, declaration = decode(data, charset=charset)
    plain = within_bounds(text, declaration=declaration, limits=limits)
    if not plain:
        count_exactly(text, limits=limits)
    try:
        root = etree.fromstring(text, _tools.parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        if error.code == _RESOURCE_LIMIT:
            message = f"Elements are nested deeper than {limits.depth}, or something in it is too long; simplify it."
            raise XmlRefused("TooComplex", message, line=line, column=column) from None
        message = _FINDINGS.get(error.code, "The document is not well-formed XML.")
        raise XmlRefused("Malformed", message, line=line, column=column) from None
    # No document is deeper than it has start tags. In a plain one each `<` is that of a tag, and `</` that of an end.
    # All elements around the innermost have both, so that twice the depth must be there.
    if not plain or ((tags := text.count(b"<")) > 2 * limits.depth and tags - text.count(b"</") > limits.depth):
        inspect(root, limits=limits)
    return root


def inspect(root: etree._Element, *, limits: Limits) -> None:
    """Defence in depth: refuse a finished tree that has a DTD or is too deep.

    Depth is judged here for every document that the byte counts accepted.
    """
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefused("DtdForbidden", "A document type declaration is not allowed; leave it out.")
    if _tools.is_deeper(root, limits.depth):
        raise XmlRefused(
            "TooComplex",
            f"Elements are nested deeper than {limits.depth}; send a smaller or simpler one.",
        )


class _Tools(threading.local):
    """What may not be shared between threads: libxml2's parser context and compiled XPath expressions."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
            recover=False,
        )
        self._depth_tests: dict[int, etree.XPath] = {}

    def is_deeper(self, root: etree._Element, depth: int) -> bool:
        test = self._depth_tests.get(depth)
        if test is None:
            test = self._depth_tests[depth] = etree.XPath("boolean(" + "/*" * (depth + 1) + ")")
        return bool(test(root))


_tools = _Tools()
