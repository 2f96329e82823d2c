"""`opendepot init`: a folder with settings, keys and an empty database. A second run changes nothing."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from containers import SoftwareBox
from server.cli.common import with_config
from server.core import utc_now
from server.errors import SettingsError
from server.keys.files import open_box, read_ring

CONFIG = "opendepot.toml"
VENDOR_CERTIFICATE = "vendor-certificate.pem"

TEMPLATE = """\
# Settings of an OpenDepot server; docs/reference/settings.md explains each. Paths start at this folder.
database = "opendepot.sqlite3"
pepper_file = "secrets/pepper"
sealing_key_file = "secrets/sealing-key"
firm_security_box_file = "secrets/firm-security-box"

host = "127.0.0.1"
port = 8080
admin_host = "127.0.0.1"
admin_port = 8081

# The Admin interface (SOAP), for those who have a key from `opendepot admin add NAME`. It is on the loopback.
# admin_soap_port = 8082

# Where clients reach the services from outside; it stands in the WSDL.
# public_url = "https://licences.example.com"
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made if it does not exist.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Write settings, keys (mode 0600) and an empty database into DIR. A second run changes nothing."""
    if not yes:
        typer.confirm(f"Make an OpenDepot server in {folder.absolute()}?", abort=True)
    made = initialise(folder)
    for path in made:
        typer.echo(f"wrote {path}")
    if not made:
        typer.echo(f"{folder} is complete; nothing was changed")
    typer.echo(
        f"next: opendepot item add ... --config {folder / CONFIG}, then opendepot serve --config {folder / CONFIG}"
    )


def initialise(folder: Path) -> list[Path]:
    """Make what is missing in a folder; the paths that were written.

    Raises SettingsError when a key is missing that an existing database was made with.
    """
    made: list[Path] = []
    secret_folder = folder / "secrets"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret_folder.mkdir(mode=0o700, exist_ok=True)
        database = folder / "opendepot.sqlite3"
        config, pepper, sealing_key = folder / CONFIG, secret_folder / "pepper", secret_folder / "sealing-key"
        box_file = secret_folder / "firm-security-box"
        missing = [path for path in (pepper, sealing_key, box_file) if not path.exists()]
        if database.exists() and missing:
            raise SettingsError(
                f"{', '.join(str(path) for path in missing)}: missing, but {database} was made with it; put it back"
            )
        _write_once(pepper, lambda: secrets.token_bytes(32), made)
        _write_once(sealing_key, lambda: secrets.token_bytes(32), made)
        _write_once(box_file, lambda: _new_box(sealing_key.read_bytes()), made)
        box, _ = open_box(box_file, read_ring(sealing_key, setting="sealing_key_file"))
        _write_once(folder / VENDOR_CERTIFICATE, lambda: box.root_certificate_pem, made)
        _write_once(config, TEMPLATE.encode, made)
    except OSError as error:
        raise SettingsError(f"cannot write {error.filename or folder}: {error.strerror}") from None
    if not database.exists():
        with_config(config, _nothing)
        made.append(database)
    return made


async def _nothing(_core: object) -> None:
    """Opening the core made the database."""


def _new_box(sealing_key: bytes) -> bytes:
    box = SoftwareBox.create(now=utc_now(), random=secrets.token_bytes)
    return box.seal(sealing_key, random=secrets.token_bytes)


def _write_once(path: Path, content: Callable[[], bytes], made: list[Path]) -> None:
    """Write a file of mode 0600 whole or not at all, unless it is there."""
    if path.exists():
        return
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    made.append(path)
