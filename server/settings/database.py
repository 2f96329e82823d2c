"""Settings of the database, and of the keys that guard what stands in it."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from server.settings.kinds import Group, is_address


class DatabaseSettings(Group):
    """Database and keys."""

    database: str = Field(
        default="opendepot.sqlite3",
        description="The SQLite file, or a PostgreSQL database such as "
        "postgresql://opendepot@db.example.com/opendepot?sslmode=verify-full. Its password stands in a file: "
        "add passfile=/path/to/pgpass to the address.",
    )
    pepper_file: Path = Field(
        default=Path("secrets/pepper"),
        description="File with 32 random bytes that keyed hashes of tickets and API keys are made with. "
        "Losing it makes every ticket and key unknown.",
    )
    sealing_key_file: Path = Field(
        default=Path("secrets/sealing-key"),
        description="File with 32 random bytes that tickets, answers and the Firm Security Box are encrypted with.",
    )
    firm_security_box_file: Path = Field(
        default=Path("secrets/firm-security-box"),
        description="File with the sealed keys that sign update files.",
    )
    journal: Path | None = Field(
        default=None,
        description="File on another disk than the database's, to which what containers are told is appended before "
        "it is sent, so that `opendepot journal replay` can bring it back after a restore. Left out: none is kept.",
    )
    writer_queue: int = Field(
        default=1024,
        ge=1,
        description="Most commands that may wait for the database; beyond it callers are told to retry.",
    )
    reader_count: int = Field(
        default=4, ge=1, le=256, description="Most queries that a worker has running in the database at the same time."
    )
    busy_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Time that a transaction waits for what another process or node holds, in seconds; beyond it "
        "callers are told to retry.",
    )
    statement_cache_size: int = Field(
        default=256,
        ge=0,
        description="Prepared statements that a connection to PostgreSQL keeps. Set it to 0 behind a pooler that lends "
        "connections for single transactions and does not follow prepared statements.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which the personal data of an order is erased; a repetition of its transactionId is "
        "then answered Erased. Left out: never.",
    )

    @field_validator("database")
    @classmethod
    def _database_tells_no_password(cls, value: str) -> str:
        if is_address(value):
            address = urlsplit(value)
            if address.password is not None or "password=" in address.query:
                # Settings are shown to workers, and so to whoever lists the processes of the machine.
                raise ValueError("must not hold a password; put it into a file and add ?passfile=/path/to/pgpass")
        return value
