-- name: take_lease
INSERT INTO leases (name, owner, expires_at) VALUES (:name, :owner, :expires_at)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
WHERE leases.owner = excluded.owner OR leases.expires_at <= :at;

-- name: lease
SELECT owner, expires_at FROM leases WHERE name = :name;

-- name: audit_head
SELECT position, link, sealed_at, public_key, signature FROM audit_head;

-- name: advance_audit_head
UPDATE audit_head
SET position = :position, link = :link, sealed_at = :sealed_at, public_key = :public_key, signature = :signature
WHERE position = :after;

-- name: audit_chain_after
SELECT
    c.position, c.audit_id AS chained_id, c.details_digest, c.digest,
    a.audit_id, a.at, a.actor, a.action, a.subject, a.details, a.salt, a.seal, a.erased
FROM audit_chain AS c
LEFT JOIN audit AS a ON a.audit_id = c.audit_id
WHERE c.position > :after
ORDER BY c.position
LIMIT :limit;

-- name: audit_outside_chain
SELECT a.audit_id
FROM audit AS a
WHERE a.seal IS NOT NULL AND NOT EXISTS (SELECT 1 FROM audit_chain AS c WHERE c.audit_id = a.audit_id)
ORDER BY a.audit_id
LIMIT :limit;

-- name: newest_audit
SELECT audit_id, at, actor, action, subject, details, salt, seal, erased
FROM audit
WHERE subject = coalesce(CAST(:subject AS TEXT), subject) AND action = coalesce(CAST(:action AS TEXT), action)
ORDER BY audit_id DESC
LIMIT :limit;
