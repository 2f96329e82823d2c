"""Checks of what stands around the data: files and their rights, keys, certificates, room on the disk, limits."""

import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from containers import SoftwareBox
from licensing.vault import Vault
from server.errors import SettingsError
from server.keys.files import open_box, read_rings
from server.operating.report import Finding, Level, ok, problem, warning
from server.private_files import open_to_others
from server.settings import Settings
from server.tls import tls_context
from storage import sqlite_path
from storage.keys import KeyKind
from storage.maintenance.links import is_postgres

CERTIFICATE_DAYS = 30
"""A certificate that expires so soon is warned about."""

LEAST_ROOM = 1 << 30
"""Bytes that should be free where the database stands; and as much as the file has, which a backup beside it needs."""

OTHER_FILES = 256
"""Descriptors that a process needs besides its connections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """What a settings file describes; `config` is None where the settings came from the environment alone."""

    settings: Settings
    config: Path | None
    now: datetime

    def command(self, verb: str) -> str:
        """The command line of a verb for this installation."""
        return f"opendepot {verb}" + ("" if self.config is None else f" --config {self.config}")

    @property
    def database_file(self) -> Path | None:
        """The file of a SQLite database."""
        return None if is_postgres(self.settings.database) else sqlite_path(self.settings.database)

    @property
    def secrets(self) -> tuple[tuple[str, Path], ...]:
        """The secret files by their settings."""
        settings = self.settings
        return (
            ("pepper_file", settings.pepper_file),
            ("sealing_key_file", settings.sealing_key_file),
            ("firm_security_box_file", settings.firm_security_box_file),
        )

    def vault(self) -> Vault | None:
        """The keys; None where they cannot be read, which the check of the keys tells."""
        try:
            rings = read_rings(self.settings)
        except SettingsError:
            return None
        return Vault(pepper=rings[KeyKind.PEPPER], sealing_key=rings[KeyKind.SEALING_KEY], random=_no_random)

    def box(self) -> SoftwareBox | None:
        """The Firm Security Box; None where it cannot be opened, which the check of the keys tells."""
        try:
            ring = read_rings(self.settings)[KeyKind.SEALING_KEY]
            return open_box(self.settings.firm_security_box_file, ring)[0]
        except SettingsError:
            return None


def installation_findings(here: Installation) -> Iterator[Finding]:
    """Look at everything that needs no database."""
    yield from _config(here)
    yield from secret_findings(here)
    yield from _database_files(here)
    yield from _certificates(here)
    yield from _room(here)
    yield _descriptors(here)


def _config(here: Installation) -> Iterator[Finding]:
    if here.config is None:
        yield ok("settings", "the settings are valid; no file was named")
    elif here.config.stat().st_mode & 0o022:
        yield problem("settings", f"{here.config} can be changed by others", mend=f"chmod go-w {here.config}")
    else:
        yield ok("settings", f"{here.config} is valid")


def secret_findings(here: Installation) -> Iterator[Finding]:
    """Look at the files of keys: there, for their owner only, and fitting together."""
    for setting, path in here.secrets:
        if not path.exists():
            mend = (
                f"put {path} back from where you keep your keys; `opendepot init DIR` makes one for a new database only"
            )
            yield problem(setting, f"{path} is missing", mend=mend)
        elif open_to_others(path):
            yield problem(setting, f"{path} can be read or changed by others", mend=f"chmod 600 {path}")
        elif stat.S_IMODE(path.parent.stat().st_mode) & 0o022:
            yield problem(setting, f"others can put another file in place of {path}", mend=f"chmod 700 {path.parent}")
        else:
            yield ok(setting, f"{path} is there, for its owner only")
    yield _keys(here)


def _keys(here: Installation) -> Finding:
    mend = "put back the three files under secrets/ that belong together, from where you keep your keys"
    try:
        ring = read_rings(here.settings)[KeyKind.SEALING_KEY]
        open_box(here.settings.firm_security_box_file, ring)
    except SettingsError as error:
        return problem("keys", f"the keys cannot be used: {error}", mend=mend)
    return ok("keys", "pepper, sealing key and Firm Security Box can be used and fit together")


def _database_files(here: Installation) -> Iterator[Finding]:
    path = here.database_file
    if path is None:
        return
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield problem("database_file", f"{file} can be read by others", mend=f"chmod 600 {file}")
            return
    if path.exists():
        yield ok("database_file", f"{path} is for its owner only")


def _certificates(here: Installation) -> Iterator[Finding]:
    settings = here.settings
    try:
        tls_context(settings)
    except SettingsError as error:
        mend = "put in a certificate with its own key, in PEM; then kill -HUP the supervisor"
        yield problem("tls", str(error), mend=mend)
        return
    for setting in ("tls_certificate_file", "tls_client_authorities_file"):
        path: Path | None = getattr(settings, setting)
        if path is not None:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
            mend = f"renew {path}; then kill -HUP the supervisor, which loses no request"
            yield _expiry(setting, str(path), certificates, here.now, mend)
    box = here.box()
    if box is not None:
        roots = x509.load_pem_x509_certificates(box.root_certificate_pem)
        mend = "make a new Firm Security Box and ship its certificate with your applications before the old one ends"
        yield _expiry("firm_security_box", "the root certificate of the Firm Security Box", roots, here.now, mend)


def _expiry(check: str, what: str, certificates: list[x509.Certificate], now: datetime, mend: str) -> Finding:
    first = min(certificates, key=lambda certificate: certificate.not_valid_after_utc)
    ends = first.not_valid_after_utc
    if ends <= now:
        return problem(check, f"{what} has expired on {ends:%Y-%m-%d}", mend=mend)
    if max(certificate.not_valid_before_utc for certificate in certificates) > now:
        return problem(check, f"{what} is not valid yet: look at the clock too", mend=mend)
    if ends <= now + timedelta(days=CERTIFICATE_DAYS):
        return warning(check, f"{what} expires on {ends:%Y-%m-%d}", mend=mend)
    return ok(check, f"{what} is valid until {ends:%Y-%m-%d}")


def _room(here: Installation) -> Iterator[Finding]:
    path = here.database_file
    if path is None or not path.parent.is_dir():
        return
    free = shutil.disk_usage(path.parent).free
    size = path.stat().st_size if path.exists() else 0
    mend = f"make room on the disk of {path.parent}, or give it a larger one"
    if free < max(64 << 20, size // 20):
        yield problem("disk", f"only {free >> 20} MiB are free beside the database", mend=mend)
    elif free < max(LEAST_ROOM, size):
        yield warning("disk", f"{free >> 20} MiB are free beside a database of {size >> 20} MiB", mend=mend)
    else:
        yield ok("disk", f"{free >> 20} MiB are free beside the database")


def _descriptors(here: Installation) -> Finding:
    try:
        import resource  # noqa: PLC0415 - not every system has it
    except ModuleNotFoundError:
        return Finding(check="open_files", level=Level.NOT_APPLICABLE, message="this system tells no limit")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = here.settings.max_connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        mend = f"set LimitNOFILE={needed} in the service's unit (or ulimit -n), or lower max_connections"
        return warning("open_files", f"{soft} files may be open, {needed} are needed for max_connections", mend=mend)
    return ok("open_files", f"{soft} files may be open")


def _no_random(_count: int) -> bytes:
    raise AssertionError("a check seals nothing")
