-- name: answer
SELECT shop_id, operation, transaction_id, request_hash, answer_sealed, created_at
FROM answers
WHERE shop_id = :shop_id AND operation = :operation AND transaction_id = :transaction_id;

-- name: ticket_of_order_number
SELECT t.ticket_id, t.lookup, t.sealed, t.created_at
FROM orders AS o
JOIN tickets AS t ON t.ticket_id = o.ticket_id
WHERE o.shop_id = :shop_id AND o.order_number = :order_number;

-- name: order_by_id
SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at,
    customer_lookup
FROM orders
WHERE shop_id = :shop_id AND order_id = :value;

-- name: order_by_number
SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at,
    customer_lookup
FROM orders
WHERE shop_id = :shop_id AND order_number = :value;

-- name: order_by_transaction
SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at,
    customer_lookup
FROM orders
WHERE shop_id = :shop_id AND transaction_id = :value;

-- name: order_of_license
SELECT
    o.order_id, o.shop_id, o.transaction_id, o.order_number, o.ticket_id, o.customer_sealed, o.created_at,
    o.customer_lookup
FROM licenses AS l
JOIN orders AS o ON o.order_id = l.order_id
WHERE l.license_id = :license_id AND o.shop_id = :shop_id;

-- name: ticket_by_id
SELECT ticket_id, lookup, sealed, created_at FROM tickets WHERE ticket_id = :ticket_id;

-- name: ticket_by_lookup
SELECT ticket_id, lookup, sealed, created_at FROM tickets WHERE lookup = :lookup;

-- name: orders_of_ticket
SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at,
    customer_lookup
FROM orders
WHERE ticket_id = :ticket_id
ORDER BY order_id;

-- name: licenses_of_order
SELECT
    l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
    l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at,
    l.previous, l.rules, l.dedicated_serial,
    CAST(coalesce(sum(p.wanted), 0) AS BIGINT) AS wanted,
    CAST(coalesce(sum(p.occupied), 0) AS BIGINT) AS occupied,
    CAST(coalesce(sum(p.confirmed), 0) AS BIGINT) AS confirmed
FROM licenses AS l
LEFT JOIN placements AS p ON p.license_id = coalesce(l.extends_license_id, l.license_id)
WHERE l.order_id = :order_id
GROUP BY l.license_id
ORDER BY l.line_number;

-- name: licenses_of_ticket
SELECT
    l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
    l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at,
    l.previous, l.rules, l.dedicated_serial,
    CAST(coalesce(sum(p.wanted), 0) AS BIGINT) AS wanted,
    CAST(coalesce(sum(p.occupied), 0) AS BIGINT) AS occupied,
    CAST(coalesce(sum(p.confirmed), 0) AS BIGINT) AS confirmed
FROM licenses AS l
LEFT JOIN placements AS p ON p.license_id = l.license_id
WHERE l.ticket_id = :ticket_id AND l.extends_license_id IS NULL
GROUP BY l.license_id
ORDER BY l.license_id;

-- name: placements_of_ticket
SELECT p.license_id, p.serial, p.wanted, p.occupied, p.confirmed
FROM licenses AS l
JOIN placements AS p ON p.license_id = l.license_id
WHERE l.ticket_id = :ticket_id
ORDER BY p.license_id, p.serial;

-- name: containers_of_ticket
SELECT
    c.serial, c.firm_code, c.kind, c.public_key, c.version, c.mark, c.epoch, c.base_epoch, c.base_number,
    c.confirmed_epoch, c.confirmed_number, c.confirmed_state, c.end_epoch, c.end_number, c.end_state,
    c.newest_export, c.newest_nonce, c.healing_export, c.healing_nonce, c.lost_at, c.contact_epoch
FROM containers AS c
WHERE (c.serial, c.firm_code) IN (
    SELECT p.serial, l.firm_code
    FROM licenses AS l
    JOIN placements AS p ON p.license_id = l.license_id
    WHERE l.ticket_id = :ticket_id
)
ORDER BY c.serial, c.firm_code;

-- name: answer_once
INSERT INTO answers (shop_id, operation, transaction_id, request_hash, answer_sealed, created_at)
VALUES (:shop_id, :operation, :transaction_id, :request_hash, :answer_sealed, :created_at)
ON CONFLICT (shop_id, operation, transaction_id) DO NOTHING;

-- name: ticket_once
INSERT INTO tickets (ticket_id, lookup, sealed, created_at) VALUES (:ticket_id, :lookup, :sealed, :created_at);

-- name: order_once
INSERT INTO orders (
    order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at, customer_lookup
) VALUES (
    :order_id, :shop_id, :transaction_id, :order_number, :ticket_id, :customer_sealed, :created_at, :customer_lookup
)
ON CONFLICT (shop_id, order_number) DO NOTHING;

-- name: line_once
INSERT INTO licenses (
    license_id, order_id, line_number, ticket_id, item_number, firm_code, product_code, quantity, generation,
    options, extends_license_id, withdrawn, version, created_at, previous, rules, dedicated_serial
) VALUES (
    :license_id, :order_id, :line_number, :ticket_id, :item_number, :firm_code, :product_code, :quantity, :generation,
    :options, :extends_license_id, :withdrawn, :version, :created_at, :previous, :rules, :dedicated_serial
);

-- name: change_license
UPDATE licenses
SET item_number = :item_number, product_code = :product_code, quantity = :quantity, generation = :generation,
    options = :options, rules = :rules, withdrawn = :withdrawn
WHERE license_id = :license_id;

-- name: orders_after
SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at, customer_lookup
FROM orders
WHERE shop_id = :shop_id AND order_id > :after AND order_id < :before
ORDER BY order_id
LIMIT :limit;

-- name: orders_of_customer_after
SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at, customer_lookup
FROM orders
WHERE shop_id = :shop_id AND customer_lookup = :customer_lookup AND order_id > :after AND order_id < :before
ORDER BY order_id
LIMIT :limit;

-- name: history_of_ticket
WITH mine AS (
    SELECT l.license_id, l.order_id, l.firm_code
    FROM tickets AS t
    JOIN licenses AS l ON l.ticket_id = t.ticket_id
    WHERE t.lookup = :lookup
),
subjects AS (
    SELECT order_id AS subject FROM mine
    UNION
    SELECT license_id FROM mine
    UNION
    SELECT p.serial || '/' || CAST(m.firm_code AS TEXT)
    FROM mine AS m
    JOIN placements AS p ON p.license_id = m.license_id
)
SELECT a.at, a.actor, a.action, a.subject, a.details
FROM subjects AS s
JOIN audit AS a ON a.subject = s.subject
ORDER BY a.at, a.audit_id;
