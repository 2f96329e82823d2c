"""How verbs are listed."""

from typing import Any

from typer.core import TyperGroup


class Verbs(TyperGroup):
    """A group of verbs whose help has the first sentence of each verb's own, whole."""

    # The types are those of a part of typer that is private to it.
    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  the signature is typer's
        """Write the list of verbs."""
        shown = ((name, verb) for name, verb in self.commands.items() if not verb.hidden)
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(limit=1000)) for name, verb in shown])
