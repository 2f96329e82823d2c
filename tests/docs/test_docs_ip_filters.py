"""The how-to about IP filters runs in an empty folder, with a server of its own, and prints what the page shows."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tune-ip-filters.md"
MARK = "@@@"


def steps() -> Iterator[tuple[str, str | None]]:
    """Give each command of the page and what it prints there, None for what is not shown."""
    for kind, block in re.findall(r"```(sh|console)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if kind == "sh":
            yield block, None
            continue
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_runs_as_it_stands_and_prints_what_it_shows(tmp_path: Path) -> None:
    ports = {"8080": str(free_port()), "8081": str(free_port())}
    script = "".join(f"echo {MARK}\n{command}\n" for command, _ in steps())
    for shown, used in ports.items():
        script = script.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{used}")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENDEPOT_", "SSH_"))}
    environment = {
        **clean,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OPENDEPOT_PORT": ports["8080"],
        "OPENDEPOT_ADMIN_PORT": ports["8081"],
    }
    with (
        (tmp_path / "printed").open("w") as output,
        subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as run,
    ):
        try:
            run.wait(timeout=500)
        finally:
            # The server, which the page leaves running, is of the same group.
            os.killpg(run.pid, signal.SIGTERM)
    printed = (tmp_path / "printed").read_text().split(f"{MARK}\n")[1:]
    assert len(printed) == len(list(steps())) > 20
    for (command, shown), found in zip(steps(), printed, strict=True):
        assert shown is None or found == shown, (command, found, printed[-1])
