-- name: rows_by_sealing_key
SELECT
    'tickets' AS place, substr(sealed, 1, CASE WHEN substr(sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM tickets
WHERE length(sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'customers' AS place, substr(customer_sealed, 1, CASE WHEN substr(customer_sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM orders
WHERE length(customer_sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'answers' AS place, substr(answer_sealed, 1, CASE WHEN substr(answer_sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM answers
WHERE length(answer_sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'usernames' AS place, substr(sealed, 1, CASE WHEN substr(sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM credentials
WHERE length(sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'users' AS place, substr(user_sealed, 1, CASE WHEN substr(user_sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM transfers
WHERE length(user_sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'messages' AS place, substr(content_sealed, 1, CASE WHEN substr(content_sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM outbox
WHERE length(content_sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'extensions' AS place, substr(content_sealed, 1, CASE WHEN substr(content_sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM extensions
WHERE length(content_sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'consents' AS place, substr(sealed, 1, CASE WHEN substr(sealed, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM mail_consents
WHERE length(sealed) > 0
GROUP BY 2
UNION ALL
SELECT
    'kept' AS place, substr(kept, 1, CASE WHEN substr(kept, 1, 1) = :named THEN 5 ELSE 1 END) AS head,
    count(*) AS found
FROM key_states
WHERE length(kept) > 0
GROUP BY 2;

-- name: rows_by_pepper
SELECT 'credentials' AS place, substr(lookup, 1, CASE WHEN length(lookup) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM credentials
WHERE revoked_at IS NULL
GROUP BY 2
UNION ALL
SELECT 'administrators' AS place, substr(lookup, 1, CASE WHEN length(lookup) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM administrators
WHERE revoked_at IS NULL
GROUP BY 2
UNION ALL
SELECT 'tickets' AS place, substr(lookup, 1, CASE WHEN length(lookup) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM tickets
GROUP BY 2
UNION ALL
SELECT 'customers' AS place, substr(customer_lookup, 1, CASE WHEN length(customer_lookup) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM orders
WHERE customer_lookup IS NOT NULL
GROUP BY 2
UNION ALL
SELECT 'answers' AS place, substr(request_hash, 1, CASE WHEN length(request_hash) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM answers
WHERE length(request_hash) > 0
GROUP BY 2
UNION ALL
SELECT 'transfers' AS place, substr(key, 1, CASE WHEN length(key) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM transfers
GROUP BY 2
UNION ALL
SELECT 'extensions' AS place, substr(key, 1, CASE WHEN length(key) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM extensions
WHERE length(key) > 0
GROUP BY 2
UNION ALL
SELECT 'consents' AS place, substr(lookup, 1, CASE WHEN length(lookup) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM mail_consents
GROUP BY 2
UNION ALL
SELECT 'suppressions' AS place, substr(lookup, 1, CASE WHEN length(lookup) = 36 THEN 4 ELSE 0 END) AS head, count(*) AS found
FROM mail_suppressions
GROUP BY 2;

-- name: key_states
SELECT key_id, kind, state, is_first, made_at, active_at, finished_at, retired_at, kept
FROM key_states
ORDER BY made_at, key_id;

-- name: key_holders
SELECT process, node, holds, sealing_key, pepper, box_key, seen_at
FROM key_holders
ORDER BY node, process;

-- name: reasons_sealed
SELECT audit_id, details FROM audit WHERE details LIKE '%"reason@_sealed"%' ESCAPE '@';
