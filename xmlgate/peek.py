"""What a document is about, before a tree is built: which limits to hold it to (design, section 3)."""

from collections.abc import Collection
from contextlib import suppress
from xml.parsers.expat import ExpatError, ParserCreate

from xmlgate.encoding import decode
from xmlgate.limits import XmlRefused

_CHUNK = 16 * 1024
_MOST_ELEMENTS = 1000
"""Elements that are looked at; what has more before the place that is sought is not found."""


class _Found(Exception):
    """The search is over."""


class _Search:
    def __init__(self, parents: Collection[str]) -> None:
        self.name: str | None = None
        self._parents = parents
        self._path: list[str] = []
        self._seen = 0
        self._expat = ParserCreate("utf-8", "}")
        self._expat.StartDoctypeDeclHandler = self._stop
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def run(self, data: bytes) -> None:
        view = memoryview(data)
        for begin in range(0, len(view), _CHUNK):
            self._expat.Parse(view[begin : begin + _CHUNK], False)  # noqa: FBT003  no keyword there

    def _start(self, name: str, _attributes: object) -> None:
        self._seen += 1
        if len(self._path) == 2 and self._path[1] in self._parents:
            self.name = name if "}" not in name else f"{{{name}"
            raise _Found
        if self._seen > _MOST_ELEMENTS:
            raise _Found
        self._path.append(name if "}" not in name else f"{{{name}")

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _stop(self, *_: object) -> None:
        raise _Found


def first_below(data: bytes, *, parents: Collection[str], charset: str | None = None) -> str | None:
    """Give the name, as `{namespace}local`, of the first child of a child of the root that bears one of these names.

    None where there is none, and for whatever `parse` would refuse before it. Builds nothing and stops as soon as it
    knows.
    """
    search = _Search(parents)
    with suppress(_Found, ExpatError, XmlRefused):
        search.run(decode(data, charset=charset).data)
    return search.name
