"""Nested values as a literal of a language: the same in all of them but for brackets, names and single values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.pages.samples import Simple, Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Literals:
    """How a language writes them: the brackets of a mapping, what stands before a value, and a single value."""

    brackets: tuple[str, str]
    name: Callable[[str], str]
    single: Callable[[Simple], str]

    def write(self, value: Value | Mapping[str, Value], indent: str) -> str:
        """Give a literal that ends at `indent`, an entry on each line."""
        deeper = indent + "    "
        if isinstance(value, Mapping):
            opening, closing = self.brackets
            entries = [f"{self.name(name)}{self.write(one, deeper)}" for name, one in value.items()]
        elif isinstance(value, list):
            opening, closing = "[", "]"
            entries = [self.write(one, deeper) for one in value]
        else:
            return self.single(value)
        lines = "".join(f"{deeper}{entry},\n" for entry in entries)
        return f"{opening}\n{lines}{indent}{closing}"
