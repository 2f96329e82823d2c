-- name: claim_extensions
WITH due AS MATERIALIZED (
    SELECT e.extension_id
    FROM extensions AS e
    WHERE e.step NOT IN ('done', 'stuck') AND e.due_at <= :at AND (e.lease_until IS NULL OR e.lease_until <= :at)
      AND e.extension_id = coalesce(:extension_id::text, e.extension_id)
    ORDER BY e.due_at, e.extension_id
    LIMIT :limit
    FOR UPDATE OF e SKIP LOCKED
)
UPDATE extensions AS x
SET lease_owner = :owner, lease_until = :until, attempts = x.attempts + 1, version = x.version + 1
FROM due
WHERE x.extension_id = due.extension_id
RETURNING
    x.extension_id, x.key, x.request_hash, x.ticket_lookup, x.step, x.state, x.content_sealed, x.version, x.attempts,
    x.due_at, x.lease_owner, x.lease_until, x.last_failure, x.created_at, x.changed_at;
