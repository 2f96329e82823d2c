"""A file of customers, such as an export of a CRM: one row for each, found by some of its columns."""

import asyncio
import csv
import io
from pathlib import Path

from licensing.extensions.questions import Question, Unanswered, Verdict
from server.ozomm.configuration import CsvSource
from server.ozomm.reading import verdict_of

Key = tuple[str, ...]
Row = dict[str, str]
State = tuple[int, int, int]


class CsvCrm:
    """Answers from a file, which is read again when it has changed; replace it by renaming a new one onto it."""

    def __init__(self, source: CsvSource, *, folder: Path) -> None:
        self._source = source
        self._path = folder / source.file
        self._columns = tuple(source.match)
        self._fields = tuple(source.match.values())
        self._state: State | None = None
        self._rows: dict[Key, list[Row]] = {}
        self._reading = asyncio.Lock()

    async def ask(self, question: Question) -> Verdict:
        """Look for the customer. Raises Unanswered for a file that cannot be read."""
        async with self._reading:
            try:
                await asyncio.to_thread(self._refresh)
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise Unanswered(type(error).__name__) from error
        values = question.values()
        wanted = tuple(_folded(str(values[field] or "")) for field in self._fields)
        return verdict_of(list(self._rows.get(wanted, ())), self._source)

    def _refresh(self) -> None:
        found = self._path.stat()
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if state == self._state:
            return
        text = self._path.read_text(encoding="utf-8-sig")
        rows: dict[Key, list[Row]] = {}
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=self._source.delimiter, strict=True)
        if missing := set(self._columns) - set(reader.fieldnames or ()):
            raise csv.Error(f"no column {', '.join(sorted(missing))}")
        for row in reader:
            rows.setdefault(tuple(_folded(row[column] or "") for column in self._columns), []).append(row)
        self._rows, self._state = rows, state


def _folded(text: str) -> str:
    return text.strip().casefold()
