-- name: erase_order
UPDATE orders SET customer_sealed = NULL, customer_lookup = NULL, erased_at = :at WHERE order_id = :order_id AND erased_at IS NULL;

-- name: erase_answer
UPDATE answers
SET answer_sealed = NULL, request_hash = :nothing
WHERE operation = :operation AND (shop_id, transaction_id) IN (
    SELECT o.shop_id, o.transaction_id FROM orders AS o WHERE o.order_id = :order_id
);

-- name: audit_to_erase
SELECT audit_id
FROM audit
WHERE (
    subject = :order_id
    OR (subject IN (SELECT license_id FROM licenses WHERE order_id = :order_id) AND details LIKE '%"reason_sealed"%')
  ) AND NOT erased AND action <> :kept_action
ORDER BY audit_id;

-- name: erase_audit
UPDATE audit
SET details = '{}', salt = NULL, erased = :erased
WHERE (
    subject = :order_id
    OR (subject IN (SELECT license_id FROM licenses WHERE order_id = :order_id) AND details LIKE '%"reason_sealed"%')
  ) AND NOT erased AND action <> :kept_action;

-- name: erase_users
UPDATE transfers
SET user_sealed = NULL
WHERE user_sealed IS NOT NULL AND (serial, firm_code) IN (
    SELECT p.serial, l.firm_code
    FROM licenses AS l
    JOIN placements AS p ON p.license_id = l.license_id
    WHERE l.order_id = :order_id
);

-- name: erase_messages
DELETE FROM outbox WHERE order_id = :order_id AND (lease_until IS NULL OR lease_until <= :at);

-- name: blank_messages
UPDATE outbox SET content_sealed = :nothing WHERE order_id = :order_id;

-- name: remember_swept
UPDATE server SET swept_to = :order_id WHERE swept_to < :order_id;

-- name: swept_to
SELECT swept_to FROM server;

-- name: orders_to_walk
SELECT order_id, created_at, erased_at, customer_sealed
FROM orders
WHERE order_id > :after
ORDER BY order_id
LIMIT :limit;

-- name: order_named
SELECT o.order_id, o.created_at, o.erased_at, o.customer_sealed
FROM orders AS o
JOIN shops AS s ON s.shop_id = o.shop_id
WHERE o.order_id = :order_id
  AND (CAST(:order_number AS TEXT) IS NULL OR o.order_number = CAST(:order_number AS TEXT))
  AND s.name = coalesce(CAST(:shop AS TEXT), s.name);

-- name: orders_named
SELECT o.order_id, o.created_at, o.erased_at, o.customer_sealed
FROM orders AS o
JOIN shops AS s ON s.shop_id = o.shop_id
WHERE o.order_number = :order_number AND s.name = coalesce(CAST(:shop AS TEXT), s.name)
ORDER BY o.order_id;
