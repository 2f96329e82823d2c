"""What a snippet does: one call of one operation."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.pages.samples import Value

KEY_VARIABLE = "OPENDEPOT_API_KEY"
"""The environment variable that snippets take the API key from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call. `xml` is the whole message and `values` the same as values, for libraries that write the message."""

    name: str
    action: str
    address: str
    xml: str
    values: Mapping[str, Value]
    identified: bool

    @property
    def wsdl(self) -> str:
        """The address of the WSDL."""
        return f"{self.address}?wsdl"
