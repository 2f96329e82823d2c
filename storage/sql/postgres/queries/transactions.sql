-- name: begin_write
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
SET LOCAL lock_timeout = :busy_milliseconds;
SET LOCAL statement_timeout = :statement_milliseconds;
SET LOCAL idle_in_transaction_session_timeout = :statement_milliseconds;

-- name: begin_read
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = :statement_milliseconds;
SET LOCAL idle_in_transaction_session_timeout = :statement_milliseconds;

-- name: begin_migration
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
SET LOCAL lock_timeout = :migration_milliseconds;
SET LOCAL statement_timeout = 0;

-- name: commit
COMMIT;

-- name: roll_back
ROLLBACK;

-- name: encoding
SELECT current_setting('server_encoding') AS encoding;

-- name: need_room
INSERT INTO audit (at, actor, action, subject, details)
SELECT 0, 'storage', 'NeedRoom', '', to_json(string_agg(md5(n::text), ''))::text
FROM generate_series(1, CAST(:bytes AS integer) / 32) AS n;
