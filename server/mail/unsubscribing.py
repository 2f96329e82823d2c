"""The page behind the link to unsubscribe: GET shows a button, POST acts, by button or by one click (RFC 8058).

GET changes nothing, because scanners of mails follow every link. Nobody logs in: the token in the path is the proof.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from html import escape
from typing import Any

from licensing.errors import TokenInvalid
from licensing.marketing.addresses import AddressBook
from licensing.marketing.offers import best_language
from observe import EventLog, Metrics
from server.http.answers import Answer
from server.http.application import Exchange, Peer, Trouble
from server.http.head import Head
from server.pages.style import BASE, named
from storage.errors import StorageError
from storage.marketing import Suppression

UNSUBSCRIBE_PATH = "/v1/mail/unsubscribe/"
MOST_BODY = 4096
"""Bytes. What stands in the body does not matter, but one that is larger comes from nobody's button."""
_HTML = "text/html; charset=utf-8"
_FIELDS = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-robots-tag", "noindex"),
    (
        "content-security-policy",
        f"default-src 'none'; style-src {named(BASE)}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The words of the pages in one language."""

    title: str
    ask: str
    button: str
    done: str
    unknown: str
    later: str


WORDS = {
    "en": Words(
        title="Offers by mail",
        ask="Do you want to get no more offers by mail?",
        button="Unsubscribe",
        done="You will get no more offers by mail.",
        unknown="This address is not whole. Take it from the mail once more.",
        later="This does not work at the moment. Please try again later.",
    ),
    "de": Words(
        title="Angebote per Mail",
        ask="Möchten Sie keine Angebote per Mail mehr erhalten?",
        button="Abbestellen",
        done="Sie erhalten keine Angebote per Mail mehr.",
        unknown="Diese Adresse ist nicht vollständig. Bitte übernehmen Sie sie noch einmal aus der Mail.",
        later="Das geht im Augenblick nicht. Bitte versuchen Sie es später noch einmal.",
    ),
}


class UnsubscribePages:
    """The pages below `prefix`, the token last in the path."""

    def __init__(
        self, book: AddressBook, *, prefix: str, events: EventLog, metrics: Metrics, most: int = MOST_BODY
    ) -> None:
        self._book = book
        self._prefix = prefix
        self._events = events
        self._metrics = metrics
        self._most = most

    def open(self, head: Head, peer: Peer) -> Exchange | Answer:  # noqa: ARG002  the interface is the shell's
        """Show the page, or open what unsubscribes."""
        words = _words(head.fields.get("accept-language", ""))
        try:
            lookup = self._book.read_token(head.path.removeprefix(self._prefix))
        except TokenInvalid:
            return page(404, words, words.unknown)
        if head.method in {"GET", "HEAD"}:
            return page(200, words, words.ask, button=words.button)
        if head.method != "POST":
            return page(405, words, words.unknown, fields=(("allow", "GET, HEAD, POST"),))
        return _Unsubscribing(lambda: self._unsubscribed(lookup, words), words, most=self._most)

    async def _unsubscribed(self, lookup: bytes, words: Words) -> Answer:
        try:
            new = await self._book.suppress(lookup, Suppression.UNSUBSCRIBE, source="one click", actor="customer")
        except StorageError as error:
            self._events.warning("mail_unsubscribe_failed", code=error.code, reason=str(error))
            return page(503, words, words.later, fields=(("retry-after", "60"),))
        if new:
            self._metrics.mail_suppressed.labels(Suppression.UNSUBSCRIBE.value).inc()
        self._events.info("mail_unsubscribed", new=new)
        return page(200, words, words.done)


class _Unsubscribing:
    """One POST."""

    def __init__(self, act: Callable[[], Coroutine[Any, Any, Answer]], words: Words, *, most: int) -> None:
        self._act = act
        self._words = words
        self._most = most

    @property
    def most(self) -> int:
        """The greatest body that is admitted, in bytes."""
        return self._most

    def run(self, body: bytes) -> Coroutine[Any, Any, Answer]:  # noqa: ARG002  the path has said it all
        """Unsubscribe."""
        return self._act()

    def refuse(self, trouble: Trouble) -> Answer:
        """Give the page for a trouble of the shell's."""
        status = {Trouble.BODY_TOO_LARGE: 413, Trouble.BODY_TOO_SLOW: 408, Trouble.DEADLINE_PASSED: 503}[trouble]
        return page(status, self._words, self._words.later)

    def sent(self) -> None:
        """Nothing is left to be done."""

    def aborted(self) -> None:
        """What was asked for was done, or will be asked for again."""


def page(
    status: int, words: Words, text: str, *, button: str | None = None, fields: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Give a page with one sentence, and a button that posts to where the page is."""
    form = "" if button is None else f'<form method="post"><button type="submit">{escape(button)}</button></form>'
    language = next(tag for tag, known in WORDS.items() if known is words)
    body = (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(words.title)}</title><style>{BASE}</style></head>\n"
        f"<body><main><h1>{escape(words.title)}</h1><p>{escape(text)}</p>{form}</main></body></html>\n"
    )
    return Answer(status=status, content_type=_HTML, body=body.encode(), fields=(*_FIELDS, *fields))


def _words(accepted: str) -> Words:
    """Choose by Accept-Language, in the order given; browsers write the best one first."""
    tags = (part.partition(";")[0].strip() for part in accepted.split(",")[:20])
    found = (best_language(tag, WORDS) for tag in tags)
    return WORDS[next((tag for tag in found if tag is not None), "en")]
