-- name: table_names
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%';

-- name: schema_objects
SELECT type || ' ' || name, coalesce(trim(sql), '') FROM sqlite_schema WHERE name <> 'sqlite_stat1' ORDER BY 1;

-- name: integrity
PRAGMA integrity_check(20);

-- name: foreign_keys
SELECT "table" || ' refers to a row of ' || parent || ' that is missing' AS subject FROM pragma_foreign_key_check;
