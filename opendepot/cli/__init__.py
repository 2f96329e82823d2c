"""The verbs of the licensee's machine: `opendepot container`, `collect`, `give-back`, `offline`; and `bench`."""

import typer

from opendepot.cli import bench, collect, container, offline
from opendepot.cli.verbs import Verbs


def add_to(app: typer.Typer) -> None:
    """Put the verbs into a command line."""
    app.add_typer(container.app, name="container", cls=Verbs)
    app.command("collect")(collect.collect)
    app.command("give-back")(collect.give_back)
    app.command("update")(collect.update)
    app.command("report-lost")(collect.report_lost)
    app.add_typer(offline.app, name="offline", cls=Verbs)
    app.command("bench")(bench.bench)
