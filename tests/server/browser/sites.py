"""A server's pages, as tests in a browser know them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """Where the pages are: those of the services by their names, `unsubscribe`, and a wrong link to it, `cut`."""

    pages: Mapping[str, str]
    api_key: str
