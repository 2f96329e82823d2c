-- name: container
SELECT
    serial, firm_code, kind, public_key, version, mark, epoch, base_epoch, base_number, confirmed_epoch,
    confirmed_number, confirmed_state, end_epoch, end_number, end_state, newest_export, newest_nonce, healing_export,
    healing_nonce, lost_at, contact_epoch
FROM containers
WHERE serial = :serial AND firm_code = :firm_code;

-- name: add_container
INSERT INTO containers (
    serial, firm_code, kind, public_key, version, mark, epoch, base_epoch, base_number, confirmed_epoch,
    confirmed_number, confirmed_state, end_epoch, end_number, end_state, newest_export, newest_nonce, healing_export,
    healing_nonce, lost_at, contact_epoch
) VALUES (
    :serial, :firm_code, :kind, :public_key, 1, :mark, :epoch, :base_epoch, :base_number, :confirmed_epoch,
    :confirmed_number, :confirmed_state, :end_epoch, :end_number, :end_state, :newest_export, :newest_nonce,
    :healing_export, :healing_nonce, :lost_at, :contact_epoch
)
ON CONFLICT (serial, firm_code) DO NOTHING;

-- name: change_container
UPDATE containers
SET version = version + 1, mark = :mark, epoch = :epoch, base_epoch = :base_epoch, base_number = :base_number,
    confirmed_epoch = :confirmed_epoch, confirmed_number = :confirmed_number, confirmed_state = :confirmed_state,
    end_epoch = :end_epoch, end_number = :end_number, end_state = :end_state, newest_export = :newest_export,
    newest_nonce = :newest_nonce, healing_export = :healing_export, healing_nonce = :healing_nonce,
    lost_at = :lost_at, contact_epoch = :contact_epoch
WHERE serial = :serial AND firm_code = :firm_code AND version = :version;

-- name: add_context
INSERT INTO contexts (serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at)
VALUES (:serial, :firm_code, :export, :nonce, :counter_epoch, :counter_number, :digest, :received_at)
ON CONFLICT DO NOTHING;

-- name: add_transfer
INSERT INTO transfers (
    serial, firm_code, key, action, user_sealed, from_epoch, from_number, to_epoch, to_number, created_at
) VALUES (
    :serial, :firm_code, :key, :action, :user_sealed, :from_epoch, :from_number, :to_epoch, :to_number, :created_at
);

-- What every decision begins with, in one row: each statement is a round trip where the database is on another computer.
-- name: transfer_begin
SELECT
    s.current_epoch,
    b.serial IS NOT NULL AS blocked,
    t.ticket_id, t.lookup, t.sealed, t.created_at,
    c.serial, c.firm_code, c.kind, c.public_key, c.version, c.mark, c.epoch, c.base_epoch, c.base_number,
    c.confirmed_epoch, c.confirmed_number, c.confirmed_state, c.end_epoch, c.end_number, c.end_state, c.newest_export,
    c.newest_nonce, c.healing_export, c.healing_nonce, c.lost_at, c.contact_epoch
FROM server AS s
LEFT JOIN blocked_containers AS b ON b.serial = :serial
LEFT JOIN tickets AS t ON t.lookup = :lookup
LEFT JOIN containers AS c ON c.serial = :serial AND c.firm_code = :firm_code;

-- The one of the same export, the last one below it and the first one above it, in one statement: where the database
-- is on another computer each is a round trip, and wherever it is each is asked for with every collection.
-- name: contexts_around_export
SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
FROM (
    SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
    FROM contexts
    WHERE serial = :serial AND firm_code = :firm_code AND export = :export
      AND (counter_epoch, counter_number) >= (:base_epoch, :base_number)
    ORDER BY nonce, counter_epoch, counter_number, digest
    LIMIT 1
) AS same
UNION ALL
SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
FROM (
    SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
    FROM contexts
    WHERE serial = :serial AND firm_code = :firm_code AND export < :export
      AND (counter_epoch, counter_number) >= (:base_epoch, :base_number)
    ORDER BY export DESC, nonce DESC, counter_epoch DESC, counter_number DESC, digest DESC
    LIMIT 1
) AS below
UNION ALL
SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
FROM (
    SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
    FROM contexts
    WHERE serial = :serial AND firm_code = :firm_code AND export > :export
      AND (counter_epoch, counter_number) >= (:base_epoch, :base_number)
    ORDER BY export, nonce, counter_epoch, counter_number, digest
    LIMIT 1
) AS above;

-- name: steps_after
SELECT
    serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, state_after,
    content, signed, issued_at
FROM steps
WHERE serial = :serial AND firm_code = :firm_code AND (epoch, number) > (:after_epoch, :after_number)
ORDER BY epoch, number;

-- name: steps_between
SELECT
    serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, state_after,
    content, signed, issued_at
FROM steps
WHERE serial = :serial AND firm_code = :firm_code AND (epoch, number) >= (:first_epoch, :first_number)
  AND (epoch, number) <= (:last_epoch, :last_number)
ORDER BY epoch, number;

-- name: step_at
SELECT
    serial, firm_code, epoch, number, from_epoch, from_number, kind, digest_before, digest_after, state_after,
    content, signed, issued_at
FROM steps
WHERE serial = :serial AND firm_code = :firm_code AND epoch = :epoch AND number = :number;

-- name: transfer
SELECT serial, firm_code, key, action, user_sealed, from_epoch, from_number, to_epoch, to_number, created_at
FROM transfers
WHERE serial = :serial AND firm_code = :firm_code AND key = :key;

-- name: licenses_for_transfer
SELECT
    l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
    l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at,
    l.previous, l.rules, l.dedicated_serial,
    CAST(coalesce(sum(p.wanted), 0) AS BIGINT) AS wanted,
    CAST(coalesce(sum(p.occupied), 0) AS BIGINT) AS occupied,
    CAST(coalesce(sum(p.confirmed), 0) AS BIGINT) AS confirmed,
    max(CASE WHEN p.serial = :serial THEN p.wanted END) AS here_wanted,
    max(CASE WHEN p.serial = :serial THEN p.occupied END) AS here_occupied,
    max(CASE WHEN p.serial = :serial THEN p.confirmed END) AS here_confirmed
FROM licenses AS l
LEFT JOIN placements AS p ON p.license_id = l.license_id
WHERE l.license_id IN (
    SELECT own.license_id FROM licenses AS own WHERE own.ticket_id = :ticket_id AND own.extends_license_id IS NULL
    UNION
    SELECT here.license_id
    FROM placements AS here
    JOIN licenses AS placed ON placed.license_id = here.license_id
    WHERE here.serial = :serial AND placed.firm_code = :firm_code
)
GROUP BY l.license_id
ORDER BY l.license_id;

-- name: placements_for_transfer
SELECT p.license_id, p.serial, p.wanted, p.occupied, p.confirmed
FROM placements AS p
JOIN licenses AS l ON l.license_id = p.license_id
WHERE p.serial = :serial AND l.firm_code = :firm_code
ORDER BY p.license_id;

-- name: allowances_for_transfer
SELECT
    l.license_id, i.rules,
    (SELECT count(*) FROM movements AS m WHERE m.license_id = l.license_id AND m.kind = 'Return') AS returns,
    (SELECT max(m.at) FROM movements AS m WHERE m.license_id = l.license_id AND m.kind = 'Return') AS returned_at,
    (SELECT count(*) FROM movements AS m WHERE m.license_id = l.license_id AND m.kind = 'Restore') AS restores,
    (SELECT max(m.at) FROM movements AS m WHERE m.license_id = l.license_id AND m.kind = 'Restore') AS restored_at
FROM licenses AS l
JOIN items AS i ON i.item_number = l.item_number
WHERE l.license_id IN (
    SELECT own.license_id FROM licenses AS own WHERE own.ticket_id = :ticket_id
    UNION
    SELECT here.license_id
    FROM placements AS here
    JOIN licenses AS placed ON placed.license_id = here.license_id
    WHERE here.serial = :serial AND placed.firm_code = :firm_code
)
ORDER BY l.license_id;

-- name: add_movement
INSERT INTO movements (license_id, serial, kind, quantity, at)
VALUES (:license_id, :serial, :kind, :quantity, :at);

-- name: change_license_options
UPDATE licenses SET options = :options WHERE license_id = :license_id;

-- name: blocked_container
SELECT reason, blocked_at FROM blocked_containers WHERE serial = :serial;

-- name: block_container
INSERT INTO blocked_containers (serial, reason, blocked_at)
VALUES (:serial, :reason, :at)
ON CONFLICT (serial) DO UPDATE SET reason = excluded.reason, blocked_at = excluded.blocked_at;

-- name: unblock_container
DELETE FROM blocked_containers WHERE serial = :serial;

-- name: touch_containers
UPDATE containers SET version = version + 1 WHERE serial = :serial;

-- name: add_approval
INSERT INTO approvals (approval_id, serial, firm_code, ticket_id, state, requested_at, decided_at, reason)
VALUES (:approval_id, :serial, :firm_code, :ticket_id, :state, :requested_at, :decided_at, :reason)
ON CONFLICT DO NOTHING;

-- name: decide_approval
UPDATE approvals SET state = :state, decided_at = :decided_at, reason = :reason
WHERE approval_id = :approval_id AND state = 'Open';

-- name: approval_by_id
SELECT approval_id, serial, firm_code, ticket_id, state, requested_at, decided_at, reason
FROM approvals
WHERE approval_id = :approval_id;

-- name: newest_approval
SELECT approval_id, serial, firm_code, ticket_id, state, requested_at, decided_at, reason
FROM approvals
WHERE serial = :serial AND firm_code = :firm_code
ORDER BY approval_id DESC
LIMIT 1;

-- name: open_approvals
SELECT approval_id, serial, firm_code, ticket_id, state, requested_at, decided_at, reason
FROM approvals
WHERE state = 'Open'
ORDER BY approval_id;

-- name: containers_of_serial
SELECT
    serial, firm_code, kind, public_key, version, mark, epoch, base_epoch, base_number, confirmed_epoch,
    confirmed_number, confirmed_state, end_epoch, end_number, end_state, newest_export, newest_nonce, healing_export,
    healing_nonce, lost_at, contact_epoch
FROM containers
WHERE serial = :serial
ORDER BY firm_code;

-- name: contexts_of_container
SELECT serial, firm_code, export, nonce, counter_epoch, counter_number, digest, received_at
FROM contexts
WHERE serial = :serial AND firm_code = :firm_code
ORDER BY received_at, export;

-- name: audit_of_subject
SELECT at, actor, action, subject, details FROM audit WHERE subject = :subject ORDER BY audit_id;

-- name: listed_by_ticket
SELECT DISTINCT c.serial, c.firm_code
FROM tickets AS t
JOIN licenses AS l ON l.ticket_id = t.ticket_id
JOIN placements AS p ON p.license_id = l.license_id
JOIN containers AS c ON c.serial = p.serial AND c.firm_code = l.firm_code
WHERE t.lookup = :lookup AND (c.serial, c.firm_code) > (:after_serial, :after_firm_code)
ORDER BY c.serial, c.firm_code
LIMIT :limit;

-- name: listed_by_customer
SELECT DISTINCT c.serial, c.firm_code
FROM orders AS o
JOIN licenses AS l ON l.order_id = o.order_id
JOIN placements AS p ON p.license_id = l.license_id
JOIN containers AS c ON c.serial = p.serial AND c.firm_code = l.firm_code
WHERE o.shop_id = :shop_id AND o.customer_lookup = :customer_lookup
  AND (c.serial, c.firm_code) > (:after_serial, :after_firm_code)
ORDER BY c.serial, c.firm_code
LIMIT :limit;

-- name: listed_by_firm_code
SELECT serial, firm_code
FROM containers
WHERE firm_code = :firm_code AND (serial, firm_code) > (:after_serial, :after_firm_code)
ORDER BY serial, firm_code
LIMIT :limit;

-- name: add_update_link
INSERT INTO update_links (lookup, serial, firm_code, first_epoch, first_number, last_epoch, last_number, expires_at)
VALUES (:lookup, :serial, :firm_code, :first_epoch, :first_number, :last_epoch, :last_number, :expires_at);

-- name: drop_update_links
DELETE FROM update_links WHERE expires_at <= :at;

-- name: steps_of_link
SELECT
    s.serial, s.firm_code, s.epoch, s.number, s.from_epoch, s.from_number, s.kind, s.digest_before, s.digest_after,
    s.state_after, s.content, s.signed, s.issued_at
FROM update_links AS u
JOIN steps AS s ON s.serial = u.serial AND s.firm_code = u.firm_code
    AND (s.epoch, s.number) >= (u.first_epoch, u.first_number)
    AND (s.epoch, s.number) <= (u.last_epoch, u.last_number)
WHERE u.lookup = :lookup AND u.expires_at > :at
ORDER BY s.epoch, s.number;
