-- name: seal_audit
UPDATE audit SET salt = :salt, seal = :seal WHERE audit_id = :audit_id AND seal IS NULL AND erased = :erased;

-- name: add_audit_link
INSERT INTO audit_chain (position, audit_id, details_digest, digest)
VALUES (:position, :audit_id, :details_digest, :digest);

-- name: unsealed_audit
-- Statistics that were taken while much was unsealed would let SQLite read the whole table by its row ids.
SELECT audit_id, at, actor, action, subject, details, salt, seal, erased
FROM audit INDEXED BY audit_unsealed
WHERE seal IS NULL
ORDER BY audit_id
LIMIT :limit;

-- name: unsealed_audit_count
SELECT count(*) AS unsealed FROM (SELECT 1 AS one FROM audit INDEXED BY audit_unsealed WHERE seal IS NULL LIMIT :most) AS counted;
