"""A progress bar on standard error, where somebody looks at it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(*, shown: bool) -> Iterator["ProgressBar | None"]:
    """Give what is to be called with (what, done, total), or None where no bar is shown."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield ProgressBar(progress)


class ProgressBar:
    """One bar whose text says what is done now."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that so much of so much is done."""
        self._progress.update(self._task, description=what, completed=done, total=total)
