"""The manifest of an export: which files it has, how many rows each holds, and their checksums."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.maintenance.errors import MaintenanceError
from storage.maintenance.files import Progress, sha256_of, write_durably
from storage.maintenance.tables import TABLES

FORMAT = "opendepot-export-1"
MANIFEST = "manifest.json"
UNFINISHED = "export.unfinished"
"""Stands in the folder until the manifest does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedTable:
    """A table's file: its name, how many lines it has, its SHA-256, and the columns in their order."""

    file: str
    rows: int
    sha256: str
    columns: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportManifest:
    """What an export holds. `made_at` is ISO 8601 in UTC; `version` is that of OpenDepot; `schema` the migrations."""

    format: str
    version: str
    made_at: str
    schema: list[str]
    highest_epoch: int
    key_fingerprint: str
    tables: dict[str, ExportedTable]

    @property
    def rows(self) -> int:
        """How many rows all tables have."""
        return sum(table.rows for table in self.tables.values())


def file_name(number: int, table: str) -> str:
    """The name of a table's file."""
    return f"{number:02}-{table}.jsonl"


def write_manifest(folder: Path, manifest: ExportManifest) -> None:
    """Write it durably: from now on the export is whole."""
    write_durably(folder / MANIFEST, json.dumps(asdict(manifest), indent=2).encode() + b"\n")


def read_manifest(folder: Path) -> tuple[ExportManifest, bytes]:
    """The manifest of an export, and what tells this export from others: 32 bytes. Raises MaintenanceError."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise MaintenanceError(f"{path} is of another version; use the version of opendepot that made the export")
        tables = {name: ExportedTable(**table) for name, table in found["tables"].items()}
        manifest = ExportManifest(**{**found, "tables": tables})
    except FileNotFoundError:
        unfinished = (folder / UNFINISHED).exists()
        what = "the export was not finished; run `opendepot export` again" if unfinished else "this is no export"
        raise MaintenanceError(f"{path} is missing: {what}") from None
    except OSError as error:
        raise MaintenanceError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MaintenanceError(f"{path} is damaged; take another copy of the export") from None
    return manifest, hashlib.sha256(text).digest()


def check_files(folder: Path, manifest: ExportManifest, progress: Progress) -> None:
    """Compare all files with the manifest, and the manifest with the declared tables. Raises MaintenanceError."""
    expected = {table.name: list(table.columns) for table in TABLES}
    if {name: table.columns for name, table in manifest.tables.items()} != expected:
        raise MaintenanceError("the export has other tables or columns; use the version of opendepot that made it")
    for table in manifest.tables.values():
        path = folder / table.file
        try:
            same = sha256_of(path, progress) == table.sha256
        except OSError as error:
            raise MaintenanceError(f"cannot read {path}: {error.strerror}") from None
        if not same:
            raise MaintenanceError(f"{path} is not as it was made: its checksum is another; take another copy")
