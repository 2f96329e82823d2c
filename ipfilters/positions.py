"""In which line of a TOML document a key, a table or an element of an array stands.

`tomllib` reads values and forgets their places. This walk is only for documents that `tomllib` has read: it looks for
places, not for mistakes.
"""

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_DEEPEST = 8
"""Places of keys with more dots are not kept: they would fill the memory, and no rule has such."""

_BLANK = re.compile(r"(?:[ \t\n,]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[Path, int]:
    """Give the line of every path in a valid TOML document, counted from 1.

    A path is a tuple of keys, and of numbers for the elements of arrays: `("shop", "acme", 0, "allow")`.
    """
    walk = _Walk(text.replace("\r\n", "\n"))
    walk.document()
    return walk.lines


class _Walk:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._tables: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> Path:
        line, many = self._line(), self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        keys = self._keys("]")
        self._at += 1 if many else 0
        path: Path = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if number > _DEEPEST:
                break
            self.lines.setdefault(path, line)
            if many and number == len(keys):
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = (*path, self._tables[path])
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        path, line = table, self._line()
        for key in self._keys("=")[:_DEEPEST]:
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._skip()
        self._value(path)

    def _keys(self, end: str) -> list[str]:
        """Read a dotted key and what ends it."""
        keys = []
        while True:
            self._skip()
            string = _STRING.match(self._text, self._at)
            bare = string or _BARE_KEY.match(self._text, self._at)
            if bare is None:
                raise AssertionError(f"no key at {self._at}: this document was never read by tomllib")
            keys.append(tomllib.loads(f"key = {bare[0]}")["key"] if string else bare[0])
            self._at = bare.end()
            self._skip()
            self._at += 1
            if self._text[self._at - 1] == end:
                return keys

    def _value(self, path: Path) -> None:
        string = _STRING.match(self._text, self._at)
        if string is not None:
            self._at = string.end()
        elif self._text.startswith("[", self._at):
            self._elements(path)
        elif self._text.startswith("{", self._at):
            self._open()
            while not self._closed("}"):
                self._pair(path)
                self._skip()
        else:
            plain = _PLAIN.match(self._text, self._at)
            self._at = self._at if plain is None else plain.end()

    def _elements(self, path: Path) -> None:
        self._open()
        number = 0
        while not self._closed("]"):
            element = (*path, number)
            self.lines[element] = self._line()
            self._value(element)
            self._skip()
            number += 1

    def _open(self) -> None:
        self._at += 1
        self._skip()

    def _closed(self, end: str) -> bool:
        if not self._text.startswith(end, self._at):
            return False
        self._at += 1
        return True

    def _skip(self) -> None:
        # Commas are skipped with the blanks: in a document that is valid they only part elements.
        blank = _BLANK.match(self._text, self._at)
        self._at = self._at if blank is None else blank.end()

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1
