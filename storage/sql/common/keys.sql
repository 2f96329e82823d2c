-- name: add_key
INSERT INTO key_states (key_id, kind, state, is_first, made_at, active_at)
VALUES (:key_id, :kind, :state, :is_first, :made_at, :active_at)
ON CONFLICT (key_id) DO NOTHING;

-- name: hold_keys
-- Whoever changes which key is in use holds the one row of the server: what follows sees what others have done.
UPDATE server SET key_fingerprint = key_fingerprint;

-- name: supersede_key
UPDATE key_states SET state = 'opens'
WHERE
    kind = :kind AND state = 'active'
    AND EXISTS (SELECT 1 FROM key_states AS k WHERE k.key_id = :key_id AND k.kind = :kind AND k.state = 'added');

-- name: activate_key
UPDATE key_states SET state = 'active', active_at = CAST(:at AS BIGINT)
WHERE key_id = :key_id AND kind = :kind AND state = 'added';

-- name: finish_key
UPDATE key_states SET finished_at = CAST(:at AS BIGINT)
WHERE key_id = :key_id AND state = 'active' AND finished_at IS NULL;

-- name: retire_key
UPDATE key_states SET state = 'retired', retired_at = CAST(:at AS BIGINT), kept = :kept
WHERE key_id = :key_id AND state = 'opens';

-- name: revive_key
UPDATE key_states SET state = 'opens', retired_at = NULL, kept = NULL
WHERE key_id = :key_id AND state = 'retired';

-- name: set_fingerprint
UPDATE server SET key_fingerprint = :fingerprint;

-- name: keys
SELECT key_id, kind, state, is_first, made_at, active_at, finished_at, retired_at, kept
FROM key_states
ORDER BY made_at, key_id;

-- name: key_holders
SELECT process, node, holds, sealing_key, pepper, box_key, seen_at
FROM key_holders
ORDER BY node, process;

-- name: report_keys
INSERT INTO key_holders (process, node, holds, sealing_key, pepper, box_key, seen_at)
VALUES (:process, :node, :holds, :sealing_key, :pepper, :box_key, :seen_at)
ON CONFLICT (process) DO UPDATE SET
    holds = excluded.holds, sealing_key = excluded.sealing_key, pepper = excluded.pepper, box_key = excluded.box_key,
    seen_at = excluded.seen_at;

-- name: forget_holders
DELETE FROM key_holders WHERE seen_at < :before;

-- name: renewable_tickets
SELECT ticket_id, sealed AS found, NULL AS beside
FROM tickets
WHERE
    ticket_id > :after_ticket_id
    AND length(sealed) > 0 AND substr(sealed, 1, 5) <> :head
ORDER BY ticket_id
LIMIT :limit;

-- name: renew_tickets
UPDATE tickets SET sealed = :new WHERE ticket_id = :ticket_id AND sealed = :old;

-- name: renewable_customers
SELECT order_id, customer_sealed AS found, NULL AS beside
FROM orders
WHERE
    order_id > :after_order_id
    AND length(customer_sealed) > 0 AND substr(customer_sealed, 1, 5) <> :head
ORDER BY order_id
LIMIT :limit;

-- name: renew_customers
UPDATE orders SET customer_sealed = :new WHERE order_id = :order_id AND customer_sealed = :old;

-- name: renewable_answers
SELECT shop_id, operation, transaction_id, answer_sealed AS found, NULL AS beside
FROM answers
WHERE
    (shop_id, operation, transaction_id) > (:after_shop_id, :after_operation, :after_transaction_id)
    AND length(answer_sealed) > 0 AND substr(answer_sealed, 1, 5) <> :head
ORDER BY shop_id, operation, transaction_id
LIMIT :limit;

-- name: renew_answers
UPDATE answers SET answer_sealed = :new
WHERE shop_id = :shop_id AND operation = :operation AND transaction_id = :transaction_id AND answer_sealed = :old;

-- name: renewable_usernames
SELECT credential_id, sealed AS found, NULL AS beside
FROM credentials
WHERE
    credential_id > :after_credential_id
    AND length(sealed) > 0 AND substr(sealed, 1, 5) <> :head
ORDER BY credential_id
LIMIT :limit;

-- name: renew_usernames
UPDATE credentials SET sealed = :new WHERE credential_id = :credential_id AND sealed = :old;

-- name: renewable_users
SELECT serial, firm_code, key, user_sealed AS found, NULL AS beside
FROM transfers
WHERE
    (serial, firm_code, key) > (:after_serial, :after_firm_code, :after_key)
    AND length(user_sealed) > 0 AND substr(user_sealed, 1, 5) <> :head
ORDER BY serial, firm_code, key
LIMIT :limit;

-- name: renew_users
UPDATE transfers SET user_sealed = :new
WHERE serial = :serial AND firm_code = :firm_code AND key = :key AND user_sealed = :old;

-- name: renewable_messages
SELECT message_id, content_sealed AS found, NULL AS beside
FROM outbox
WHERE
    message_id > :after_message_id
    AND length(content_sealed) > 0 AND substr(content_sealed, 1, 5) <> :head
ORDER BY message_id
LIMIT :limit;

-- name: renew_messages
UPDATE outbox SET content_sealed = :new WHERE message_id = :message_id AND content_sealed = :old;

-- name: renewable_extensions
SELECT extension_id, content_sealed AS found, NULL AS beside
FROM extensions
WHERE
    extension_id > :after_extension_id
    AND length(content_sealed) > 0 AND substr(content_sealed, 1, 5) <> :head
ORDER BY extension_id
LIMIT :limit;

-- name: renew_extensions
UPDATE extensions SET content_sealed = :new WHERE extension_id = :extension_id AND content_sealed = :old;

-- name: renewable_consents
SELECT lookup, sealed AS found, NULL AS beside
FROM mail_consents
WHERE
    lookup > :after_lookup
    AND length(sealed) > 0 AND substr(sealed, 1, 5) <> :head
ORDER BY lookup
LIMIT :limit;

-- name: renew_consents
UPDATE mail_consents SET sealed = :new WHERE lookup = :lookup AND sealed = :old;

-- name: renewable_items
SELECT item_number, options AS found, NULL AS beside
FROM items
WHERE
    item_number > :after_item_number
    AND options LIKE '%@_data%' ESCAPE '@'
ORDER BY item_number
LIMIT :limit;

-- name: renew_items
UPDATE items SET options = :new WHERE item_number = :item_number AND options = :old;

-- name: renewable_licenses
SELECT license_id, options AS found, NULL AS beside
FROM licenses
WHERE
    license_id > :after_license_id
    AND options LIKE '%@_data%' ESCAPE '@'
ORDER BY license_id
LIMIT :limit;

-- name: renew_licenses
UPDATE licenses SET options = :new WHERE license_id = :license_id AND options = :old;

-- name: renewable_previous
SELECT license_id, previous AS found, NULL AS beside
FROM licenses
WHERE
    license_id > :after_license_id
    AND previous LIKE '%@_data%' ESCAPE '@'
ORDER BY license_id
LIMIT :limit;

-- name: renew_previous
UPDATE licenses SET previous = :new WHERE license_id = :license_id AND previous = :old;

-- name: renewable_kept
SELECT key_id, kept AS found, NULL AS beside
FROM key_states
WHERE
    key_id > :after_key_id
    AND length(kept) > 0 AND substr(kept, 1, 5) <> :head
ORDER BY key_id
LIMIT :limit;

-- name: renew_kept
UPDATE key_states SET kept = :new WHERE key_id = :key_id AND kept = :old;

-- name: renewable_credentials
SELECT credential_id, lookup AS found, material AS beside
FROM credentials
WHERE
    credential_id > :after_credential_id
    AND (length(lookup) = 32 OR substr(lookup, 1, 4) <> :head)
    AND kind IN ('certificate', 'authority')
ORDER BY credential_id
LIMIT :limit;

-- name: renew_credentials
UPDATE credentials SET lookup = :new
WHERE
    credential_id = :credential_id AND lookup = :old
    AND NOT EXISTS (SELECT 1 FROM credentials AS t WHERE t.lookup = :new);

-- name: renew_administrators
UPDATE administrators SET lookup = :new
WHERE
    name = :name AND lookup = :old
    AND NOT EXISTS (SELECT 1 FROM administrators AS t WHERE t.lookup = :new);
