"""Files, addresses, errors of SQLite, and what the schema itself guards."""

import sqlite3
import stat

import pytest

from storage import open_storage
from storage.errors import (
    ConstraintRefused,
    LocationInvalid,
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageUnavailable,
)
from storage.records import Mark
from storage.rows import from_time, to_time
from storage.sqlite.connection import Opener, typed_error
from storage.sqlite.statements import statements
from storage.statements import load_statements, split_blocks

E = 1_800_000_000_000


async def test_the_files_are_for_their_owner_only(storage, make, database):
    await storage.execute(make.item())
    names = {file.name: stat.S_IMODE(file.stat().st_mode) for file in database.parent.iterdir()}
    assert names == dict.fromkeys(("depot.db", "depot.db-wal", "depot.db-shm", "depot.db-turn"), 0o600)


async def test_the_address_form_and_the_path_name_the_same_file(tmp_path, make):
    path = tmp_path / "a file.db"
    first = await open_storage(path)
    await first.execute(make.item())
    second = await open_storage(f"sqlite://{str(path).replace(' ', '%20')}")
    assert await second.execute(make.item()) is False
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    "location",
    ["mysql://host/db", "sqlite://", "sqlite:///", "sqlite://host/depot.db", "sqlite:///depot.db?mode=ro"],
)
async def test_an_address_that_names_no_file_is_refused(location):
    with pytest.raises(LocationInvalid, match="sqlite:///"):
        await open_storage(location)


async def test_a_missing_folder_and_a_file_that_is_no_database_are_told_apart(tmp_path):
    with pytest.raises(StorageUnavailable, match="cannot be created"):
        await open_storage(tmp_path / "missing" / "depot.db")
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(StorageCorrupt):
        await open_storage(tmp_path / "text.db")


def test_commits_are_on_the_disk_and_readers_cannot_write(tmp_path):
    opener = Opener(path=tmp_path / "depot.db", busy_seconds=2.5)
    opener.create_file()
    writer, reader = opener.writer(), opener.reader()
    pragmas = {
        name: writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 2500}
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("CREATE TABLE t (n INTEGER)")
    writer.close()
    reader.close()


@pytest.mark.parametrize(
    ("code", "expected", "retry"),
    [
        (sqlite3.SQLITE_BUSY, StorageBusy, True),
        (sqlite3.SQLITE_BUSY | 2 << 8, StorageBusy, True),
        (sqlite3.SQLITE_FULL, StorageUnavailable, True),
        (sqlite3.SQLITE_IOERR | 4 << 8, StorageUnavailable, True),
        (sqlite3.SQLITE_READONLY, StorageUnavailable, True),
        (sqlite3.SQLITE_CORRUPT, StorageCorrupt, False),
        (sqlite3.SQLITE_CONSTRAINT, ConstraintRefused, False),
        (sqlite3.SQLITE_ERROR, StorageError, False),
        (None, StorageError, False),
    ],
)
def test_errors_of_sqlite_get_their_type_and_keep_their_name_but_no_values(code, expected, retry):
    error = sqlite3.OperationalError("UNIQUE failed: secret")
    if code is not None:
        error.sqlite_errorcode = code
        error.sqlite_errorname = "SQLITE_NAME"
    typed = typed_error(error)
    assert type(typed) is expected
    assert typed.retry is retry
    assert typed.code
    assert ("SQLITE_NAME" if code is not None else "OperationalError") in str(typed)
    assert "secret" not in str(typed)


def test_times_survive_to_the_microsecond(make):
    assert to_time(from_time(make.now)) == make.now


def test_statements_have_one_name_each_and_one_statement():
    assert all(sqlite3.complete_statement(sql) for sql in statements().values())
    assert all(sql.count(";") == 1 for sql in statements().values())
    assert split_blocks("-- name: a\nSELECT 1;\n\n-- name: b\nSELECT 2;\n") == {"a": "SELECT 1;", "b": "SELECT 2;"}
    for text in ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n", "SELECT 1;\n-- name: a\nSELECT 2;\n"):
        with pytest.raises(ValueError, match=r"two statements|before the first"):
            split_blocks(text)


def test_a_statement_name_in_two_files_is_refused(tmp_path):
    for name in ("a.sql", "b.sql"):
        (tmp_path / name).write_text("-- name: twice\nSELECT 1;\n")
    with pytest.raises(ValueError, match="two statements are named twice"):
        load_statements([tmp_path])


async def test_the_schema_itself_keeps_a_signed_step_as_it_is(stocked, make, behind):
    step = make.step((E, 1), (0, 0), signed=b"signed")
    await stocked.execute(make.apply(make.container(mark=Mark.HEALING, end=(E, 1)), steps=(step,)))
    for change in ("signed = x'00'", "signed = NULL", "content = x'00'"):
        with pytest.raises(sqlite3.IntegrityError, match="a step never changes"):
            behind(f"UPDATE steps SET {change}")


async def test_changes_leave_an_audit_row_and_refused_ones_none(stocked, make, behind):
    await stocked.execute(make.item("ITEM-1"))
    await stocked.execute(make.order(transaction="T-1"))
    await stocked.execute(make.order(transaction="T-1"))
    await stocked.execute(make.apply(make.container(), audit=make.audit("moved")))
    await stocked.execute(make.apply(make.container(), audit=make.audit("moved")))
    subjects = behind("SELECT subject FROM audit ORDER BY audit_id")
    assert [subject.split("-0")[0] for (subject,) in subjects] == ["acme", "bolt", "ITEM-1", "ITEM-2", "order", "moved"]
    assert behind("SELECT DISTINCT at, actor, action, details FROM audit") == [
        (from_time(make.now), "actor", "Act", '{"n":1}')
    ]
