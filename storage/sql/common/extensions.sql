-- name: begin_extension
INSERT INTO extensions (
    extension_id, key, request_hash, ticket_lookup, step, state, content_sealed, version, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at, changed_at
) VALUES (
    :extension_id, :key, :request_hash, :ticket_lookup, :step, :state, :content_sealed, :version, :attempts, :due_at,
    :lease_owner, :lease_until, :last_failure, :created_at, :changed_at
)
ON CONFLICT (key) DO NOTHING;

-- name: extension_by_key
SELECT
    extension_id, key, request_hash, ticket_lookup, step, state, content_sealed, version, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at, changed_at
FROM extensions
WHERE key = :key;

-- name: extension_by_id
SELECT
    extension_id, key, request_hash, ticket_lookup, step, state, content_sealed, version, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at, changed_at
FROM extensions
WHERE extension_id = :extension_id;

-- name: extensions_listed
SELECT
    extension_id, key, request_hash, ticket_lookup, step, state, content_sealed, version, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at, changed_at
FROM extensions
WHERE state = coalesce(CAST(:state AS TEXT), state) AND step = coalesce(CAST(:step AS TEXT), step)
ORDER BY created_at DESC, extension_id
LIMIT :limit;

-- name: extensions_due
SELECT extension_id
FROM extensions
WHERE step NOT IN ('done', 'stuck') AND due_at <= :at AND (lease_until IS NULL OR lease_until <= :at)
LIMIT 1;

-- name: extensions_open
SELECT step, count(*) AS extensions, min(created_at) AS oldest_at
FROM (SELECT step, created_at FROM extensions WHERE step NOT IN ('done', 'stuck') LIMIT :most) AS counted
GROUP BY step;

-- name: advance_extension
UPDATE extensions
SET step = :step, state = :state, content_sealed = :content_sealed, version = version + 1, attempts = :attempts,
    due_at = :due_at, lease_owner = :lease_owner, lease_until = :lease_until, last_failure = :last_failure,
    changed_at = :changed_at
WHERE extension_id = :extension_id AND version = :version;

-- name: retry_extension
UPDATE extensions
SET step = CASE WHEN step = 'stuck' THEN 'check' ELSE step END, attempts = 0, due_at = :at, version = version + 1,
    state = CASE WHEN step = 'stuck' THEN 'Pending' ELSE state END
WHERE extension_id = coalesce(CAST(:extension_id AS TEXT), extension_id)
  AND (step = 'stuck' OR (CAST(:extension_id AS TEXT) IS NOT NULL AND step <> 'done'))
  AND (lease_until IS NULL OR lease_until <= :at);

-- name: erase_old_extensions
UPDATE extensions
SET content_sealed = :nothing, request_hash = :nothing, version = version + 1
WHERE step = 'done' AND created_at < :before AND content_sealed <> :nothing;

-- name: erase_extensions_of_order
UPDATE extensions
SET content_sealed = :nothing, request_hash = :nothing, version = version + 1, step = 'done',
    lease_owner = NULL, lease_until = NULL
WHERE content_sealed <> :nothing AND ticket_lookup IN (
    SELECT t.lookup FROM orders AS o JOIN tickets AS t ON t.ticket_id = o.ticket_id WHERE o.order_id = :order_id
);
