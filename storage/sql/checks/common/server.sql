-- name: highest_epoch
SELECT max(e.epoch)
FROM (
    SELECT max(current_epoch) AS epoch FROM server
    UNION ALL SELECT max(epoch) FROM steps
    UNION ALL SELECT max(epoch) FROM containers
    UNION ALL SELECT max(end_epoch) FROM containers
    UNION ALL SELECT max(confirmed_epoch) FROM containers
    UNION ALL SELECT max(counter_epoch) FROM contexts
) AS e;

-- name: server_identity
SELECT current_epoch, key_fingerprint FROM server;

-- name: begin_epoch
UPDATE server SET current_epoch = :epoch WHERE current_epoch IS NOT NULL;

-- name: audit_epoch
INSERT INTO audit (at, actor, action, subject, details) VALUES (:at, 'operator', :action, 'server', :details);
