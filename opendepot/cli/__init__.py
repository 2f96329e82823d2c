"""The verbs of the licensee's machine: `opendepot container ...` and `opendepot collect`."""

import typer

from opendepot.cli import collect, container


def add_to(app: typer.Typer) -> None:
    """Put the verbs into a command line."""
    app.add_typer(container.app, name="container")
    app.command("collect")(collect.collect)
