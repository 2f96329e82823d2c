-- name: server_major
SELECT current_setting('server_version_num')::integer / 10000, current_schema();

-- name: export_snapshot
SELECT pg_export_snapshot();

-- name: other_users
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'opendepot' AND pid <> pg_backend_pid();

-- name: own_functions
SELECT p.oid::regprocedure::text
FROM pg_proc AS p
WHERE p.pronamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e');
