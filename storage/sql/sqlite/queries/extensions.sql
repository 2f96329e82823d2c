-- name: claim_extensions
UPDATE extensions
SET lease_owner = :owner, lease_until = :until, attempts = attempts + 1, version = version + 1
WHERE extension_id IN (
    SELECT extension_id
    FROM extensions
    WHERE step NOT IN ('done', 'stuck') AND due_at <= :at AND (lease_until IS NULL OR lease_until <= :at)
      AND extension_id = coalesce(:extension_id, extension_id)
    ORDER BY due_at, extension_id
    LIMIT :limit
)
RETURNING
    extension_id, key, request_hash, ticket_lookup, step, state, content_sealed, version, attempts, due_at, lease_owner,
    lease_until, last_failure, created_at, changed_at;
