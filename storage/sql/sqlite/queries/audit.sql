-- name: seal_audit
UPDATE audit SET salt = :salt, seal = :seal WHERE audit_id = :audit_id AND seal IS NULL AND erased = :erased;

-- name: add_audit_link
INSERT INTO audit_chain (position, audit_id, details_digest, digest)
VALUES (:position, :audit_id, :details_digest, :digest);
