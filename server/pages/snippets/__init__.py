"""A sample request as something to paste: curl, zeep, PHP, C#, Java. The API key is taken from the environment."""

from collections.abc import Callable
from dataclasses import dataclass

from server.pages.samples import Samples
from server.pages.snippets.call import Call
from server.pages.snippets.csharp import csharp
from server.pages.snippets.curl import curl
from server.pages.snippets.java import java
from server.pages.snippets.php import php
from server.pages.snippets.python import python
from soap.contract import Operation

LANGUAGES: tuple[tuple[str, Callable[[Call], str]], ...] = (
    ("curl", curl),
    ("Python (zeep)", python),
    ("PHP", php),
    ("C#", csharp),
    ("Java", java),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """A piece of code in one language."""

    language: str
    text: str


def snippets(samples: Samples, operation: Operation, *, address: str, identified: bool) -> tuple[Snippet, ...]:
    """Give the request of an operation in every language; `identified`: the service wants an API key."""
    call = Call(
        name=operation.name,
        action=operation.action,
        address=address,
        xml=samples.envelope(operation),
        values=samples.values(operation),
        identified=identified,
    )
    return tuple(Snippet(language=language, text=written(call)) for language, written in LANGUAGES)
