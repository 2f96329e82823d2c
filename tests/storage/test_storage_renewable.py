"""Every column that holds something sealed is renewed when a key is replaced: a new one cannot be forgotten."""

import re

from licensing.rekeying import OF_KIND, SEALED, TEXTS
from storage.keys import RENEWABLE, KeyKind
from storage.maintenance.schema import check_statements
from storage.maintenance.tables import TABLES
from storage.statements import load_statements, sql_folder

OPTIONS = {("items", "options"), ("licenses", "options"), ("licenses", "previous")}
"""Texts with sealed values in them (`licensing.data`)."""
UNCHANGING = {("audit_chain", "sealed"), ("audit_head", "sealed_at")}


def sealed_columns() -> set[tuple[str, str]]:
    names = {(table.name, column) for table in TABLES for column in table.columns}
    found = {name for name in names if name[1] == "kept" or name[1] == "sealed" or name[1].endswith("_sealed")}
    return (found | OPTIONS) - UNCHANGING


def renewed_columns() -> dict[str, tuple[str, str]]:
    statements = load_statements((sql_folder("common"),))
    written = {what: re.match(r"UPDATE (\w+) SET (\w+) = :new", statements[f"renew_{what}"]) for what in RENEWABLE}
    return {what: (found[1], found[2]) for what, found in written.items() if found is not None}


def test_every_sealed_column_is_renewed() -> None:
    columns = {renewed_columns()[what] for what in (*SEALED, *TEXTS)}
    assert columns == sealed_columns(), "add it to storage.keys.RENEWABLE, licensing.rekeying and sql/common/keys.sql"


def test_everything_renewable_is_of_a_kind_of_keys_or_renewed_at_its_use() -> None:
    assert set(OF_KIND[KeyKind.SEALING_KEY]) | set(OF_KIND[KeyKind.PEPPER]) | {"administrators"} == set(RENEWABLE)


def test_every_sealed_column_is_counted() -> None:
    for dialect in ("sqlite", "postgres"):
        counted = check_statements(dialect)["rows_by_sealing_key"]
        for what in SEALED:
            table, column = renewed_columns()[what]
            assert re.search(rf"'{what}' AS place, substr\({column},.*?FROM {table}\b", counted, re.DOTALL), what
