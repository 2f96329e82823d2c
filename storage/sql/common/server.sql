-- name: initialise_server
UPDATE server
SET current_epoch = :epoch, key_fingerprint = :key_fingerprint, initialised_at = :at
WHERE current_epoch IS NULL;

-- name: server
SELECT current_epoch, key_fingerprint, data_version FROM server;

-- name: raise_data_version
UPDATE server SET data_version = data_version + 1;

-- name: check_write
UPDATE server SET write_checks = write_checks + 1;

-- name: add_audit
INSERT INTO audit (at, actor, action, subject, details) VALUES (:at, :actor, :action, :subject, :details);

-- name: raise_epoch
UPDATE server SET current_epoch = :epoch WHERE current_epoch < :epoch;
