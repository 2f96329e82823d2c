-- name: tables
SELECT tablename FROM pg_tables WHERE schemaname = current_schema();

-- name: create_history
CREATE TABLE schema_migrations (
    number   BIGINT PRIMARY KEY,
    name     TEXT NOT NULL,
    checksum BYTEA NOT NULL
);
INSERT INTO schema_migrations (number, name, checksum) VALUES (0, 'the row that a migrating node locks', '');

-- name: hold_history
SELECT number FROM schema_migrations WHERE number = 0 FOR UPDATE;

-- name: history
SELECT number, checksum FROM schema_migrations WHERE number > 0 ORDER BY number;

-- name: remember_migration
INSERT INTO schema_migrations (number, name, checksum) VALUES (:number, :name, :checksum);
