"""The manifest beside a backup: what the file must be, and what is in it. It holds no key and nothing of people."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.maintenance.errors import MaintenanceError
from storage.maintenance.files import Progress, no_progress, sha256_of, write_durably
from storage.maintenance.links import Dialect, Link
from storage.maintenance.schema import SchemaState, check_statements, migrations_of, schema_state, table_names
from storage.maintenance.tables import TABLES

FORMAT = "opendepot-backup-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a database holds: its schema, its epochs, whose keys it needs, and how many rows each table has."""

    dialect: Dialect
    schema: list[str]
    current_epoch: int | None
    highest_epoch: int
    key_fingerprint: str
    rows: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupManifest:
    """A backup's file and contents. `made_at` is ISO 8601 in UTC; `version` is that of OpenDepot."""

    format: str
    version: str
    made_at: str
    bytes: int
    sha256: str
    contents: Contents


def manifest_path(file: Path) -> Path:
    """Where the manifest of a backup stands."""
    return file.with_name(file.name + ".manifest.json")


def write_manifest(file: Path, manifest: BackupManifest) -> None:
    """Write it durably, for its owner only."""
    write_durably(manifest_path(file), json.dumps(asdict(manifest), indent=2).encode() + b"\n")


def read_manifest(file: Path) -> BackupManifest:
    """Read the manifest of a backup. Raises MaintenanceError where there is none, or none of this version's."""
    path = manifest_path(file)
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise MaintenanceError(f"{path} is of another version; use the version of opendepot that made the backup")
        return BackupManifest(**{**found, "contents": Contents(**found["contents"])})
    except FileNotFoundError:
        raise MaintenanceError(f"{path} is missing; a backup is the file and its manifest, keep both") from None
    except OSError as error:
        raise MaintenanceError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise MaintenanceError(f"{path} is damaged; take another copy of the backup") from None


def check_file(file: Path, manifest: BackupManifest, progress: Progress = no_progress) -> None:
    """Compare a backup's file with its manifest. Raises MaintenanceError where it is not as it was made."""
    try:
        same = file.stat().st_size == manifest.bytes and sha256_of(file, progress) == manifest.sha256
    except OSError as error:
        raise MaintenanceError(f"cannot read {file}: {error.strerror}") from None
    if not same:
        raise MaintenanceError(
            f"{file} is not as it was made: its checksum is another; take another copy of the backup"
        )


async def contents_of(link: Link) -> Contents:
    """Look what a database holds. Inside of a snapshot, where it may change meanwhile."""
    statements, names = check_statements(link.dialect), await table_names(link)
    schema = schema_names(await schema_state(link))
    if not schema:
        return Contents(
            dialect=link.dialect, schema=schema, current_epoch=None, highest_epoch=0, key_fingerprint="", rows={}
        )
    ((epoch, fingerprint),) = await link.fetch(statements["server_identity"])
    ((highest,),) = await link.fetch(statements["highest_epoch"])
    rows = {}
    for table in [known for known in TABLES if known.name in names]:
        ((rows[table.name],),) = await link.fetch(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - a declared name
    return Contents(
        dialect=link.dialect,
        schema=schema,
        current_epoch=epoch,
        highest_epoch=highest or 0,
        key_fingerprint=(fingerprint or b"").hex(),
        rows=rows,
    )


def schema_names(state: SchemaState) -> list[str]:
    """The migrations that a database has, by name."""
    return [f"{migration.number:04}_{migration.name}" for migration in state.applied]


def check_schema(contents: Contents) -> None:
    """Raise MaintenanceError when this version does not know the schema of a backup or an export."""
    known = [f"{migration.number:04}_{migration.name}" for migration in migrations_of(contents.dialect)]
    if contents.schema != known[: len(contents.schema)]:
        raise MaintenanceError(
            f"it was made at schema {contents.schema[-1] if contents.schema else 'none'}, which this version does not "
            "know; use the version of opendepot that made it, or a newer one"
        )
