"""The byte gate and the one hardened XML parser (design, sections 3 and 10). A leaf, without I/O.

Everything that arrives as XML from outside goes through `parse`, and only through it:

- `Limits`: how much of what a document may hold.
- `parse(data, limits=..., charset=...)`: the root element, or `XmlRefused`; there is no third way out.
- `first_below`: what a large document is about, so that an operation can have limits of its own.
- `XmlRefused`: `code`, generic `message`, and `line` and `column` where they are known.

Inside, in the order a document meets them: `encoding` (which bytes are read at all, UTF-16 made UTF-8), `gate`
(upper bounds by counting bytes, and the exact count that decides above them), `parser` (libxml2 with everything
dangerous off, one parser a thread).
"""

from xmlgate.limits import Limits, RefusalCode, XmlRefused
from xmlgate.parser import parse
from xmlgate.peek import first_below

__all__ = ["Limits", "RefusalCode", "XmlRefused", "first_below", "parse"]
