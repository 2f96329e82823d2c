"""What `RequestReader` alone makes of bytes that come in pieces, and what llhttp makes of the same bytes."""

from collections.abc import Iterable
from dataclasses import dataclass

import httptools
from http_cases import MOST, Read
from http_shell import read_of

from server.http.head import Head, HeadLimits, HeadReader
from server.http.refusals import BodyTooLarge, HttpRefused
from server.http.requests import RequestReader

TOO_LARGE = 413
LIMITS = HeadLimits()


@dataclass(frozen=True)
class Reading:
    """The requests that were read, the status of the refusal if there was one, and whether bytes were left over.

    `methods` are those of the heads, that of one without its body among them.
    """

    reads: tuple[Read, ...]
    heads: tuple[Head, ...]
    refused: int | None
    begun: bool
    methods: tuple[str, ...]

    @property
    def told(self) -> tuple[tuple[Read, ...], int | None, bool]:
        return self.reads, self.refused, self.begun


class PiecewiseReader:
    """Reads as a connection does: head, body, head; stops where a connection would."""

    def __init__(self, limits: HeadLimits = LIMITS) -> None:
        self._reader = RequestReader(HeadReader(limits))
        self._head: Head | None = None
        self._reads: list[Read] = []
        self._heads: list[Head] = []
        self._refused: int | None = None

    def feed(self, piece: bytes) -> bool:
        """Take a piece; False once no more is read. Nothing but the two refusals may be raised within."""
        self._reader.feed(piece)
        while not self.over:
            try:
                if not self._step():
                    return True
            except HttpRefused as refused:
                self._refused = refused.status
            except BodyTooLarge:
                self._refused = TOO_LARGE
        return False

    @property
    def over(self) -> bool:
        return self._refused is not None or (
            self._head is None and bool(self._heads) and not self._heads[-1].keep_alive
        )

    def _step(self) -> bool:
        if self._head is None:
            head = self._reader.next_head()
            if head is None:
                return False
            self._head = head
            if head.has_body:
                self._reader.expect_body(head, most=MOST)
                return True
        body = self._reader.next_body() if self._head.has_body else b""
        if body is None:
            return False
        self._reads.append(read_of(self._head, body))
        self._heads.append(self._head)
        self._head = None
        return True

    def reading(self) -> Reading:
        begun = self._head is not None or self._reader.waiting > 0
        heads = [*self._heads, *([] if self._head is None else [self._head])]
        methods = tuple(head.method for head in heads)
        return Reading(tuple(self._reads), tuple(self._heads), self._refused, begun and not self.over, methods)


def read_pieces(pieces: Iterable[bytes], limits: HeadLimits = LIMITS) -> Reading:
    reading = PiecewiseReader(limits)
    for piece in pieces:
        if not reading.feed(piece):
            break
    return reading.reading()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut at the given places; none, beyond the end, or twice the same is fine."""
    pieces, start = [], 0
    for place in sorted({place % (len(data) + 1) for place in places}):
        pieces.append(data[start:place])
        start = place
    return [piece for piece in (*pieces, data[start:]) if piece]


@dataclass(frozen=True)
class Opinion:
    """A request as llhttp reads it."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    version: str
    keep_alive: bool


class SecondOpinion:
    """llhttp, by httptools: what stands in many servers and proxies."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._start()
        self.opinions: list[Opinion] = []

    def _start(self) -> None:
        self._target = self._body = b""
        self._fields: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._start()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        parser = self._parser
        self.opinions.append(
            Opinion(
                parser.get_method().decode(),
                self._target.decode("latin-1"),
                tuple(self._fields),
                self._body,
                parser.get_http_version(),
                parser.should_keep_alive(),
            )
        )
