-- name: seal_audit
UPDATE audit AS a
SET salt = n.salt, seal = n.seal
FROM unnest(:audit_id::text[], :salt::bytea[], :seal::bytea[], :erased::boolean[]) AS n (audit_id, salt, seal, erased)
WHERE a.audit_id = n.audit_id AND a.seal IS NULL AND a.erased = n.erased;

-- name: add_audit_link
INSERT INTO audit_chain (position, audit_id, details_digest, digest)
SELECT *
FROM unnest(:position::bigint[], :audit_id::text[], :details_digest::bytea[], :digest::bytea[]);

-- name: unsealed_audit
SELECT audit_id, at, actor, action, subject, details, salt, seal, erased
FROM audit
WHERE seal IS NULL
ORDER BY audit_id
LIMIT :limit;

-- name: unsealed_audit_count
SELECT count(*) AS unsealed FROM (SELECT 1 AS one FROM audit WHERE seal IS NULL LIMIT :most) AS counted;
