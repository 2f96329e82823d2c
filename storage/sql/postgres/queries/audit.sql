-- name: seal_audit
UPDATE audit AS a
SET salt = n.salt, seal = n.seal
FROM unnest(:audit_id::text[], :salt::bytea[], :seal::bytea[], :erased::boolean[]) AS n (audit_id, salt, seal, erased)
WHERE a.audit_id = n.audit_id AND a.seal IS NULL AND a.erased = n.erased;

-- name: add_audit_link
INSERT INTO audit_chain (position, audit_id, details_digest, digest)
SELECT *
FROM unnest(:position::bigint[], :audit_id::text[], :details_digest::bytea[], :digest::bytea[]);
