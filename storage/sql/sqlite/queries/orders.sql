-- name: order_id_by_number
SELECT order_id FROM orders WHERE shop_id = :shop_id AND order_number = :order_number;

-- name: add_answer
INSERT INTO answers (shop_id, operation, transaction_id, request_hash, answer_sealed, created_at)
VALUES (:shop_id, :operation, :transaction_id, :request_hash, :answer_sealed, :created_at);

-- name: add_ticket
INSERT INTO tickets (ticket_id, lookup, sealed, created_at) VALUES (:ticket_id, :lookup, :sealed, :created_at);

-- name: add_order
INSERT INTO orders (
    order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at, customer_lookup
) VALUES (
    :order_id, :shop_id, :transaction_id, :order_number, :ticket_id, :customer_sealed, :created_at, :customer_lookup
);

-- name: add_license
INSERT INTO licenses (
    license_id, order_id, line_number, ticket_id, item_number, firm_code, product_code, quantity, generation,
    options, extends_license_id, withdrawn, version, created_at, rules
) VALUES (
    :license_id, :order_id, :line_number, :ticket_id, :item_number, :firm_code, :product_code, :quantity, :generation,
    :options, :extends_license_id, :withdrawn, :version, :created_at, :rules
);

-- name: families
SELECT
    l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
    l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at,
    l.previous, l.rules, l.dedicated_serial, o.shop_id,
    CAST(coalesce(sum(p.wanted), 0) AS BIGINT) AS wanted,
    CAST(coalesce(sum(p.occupied), 0) AS BIGINT) AS occupied,
    CAST(coalesce(sum(p.confirmed), 0) AS BIGINT) AS confirmed
FROM licenses AS l
JOIN orders AS o ON o.order_id = l.order_id
LEFT JOIN placements AS p ON p.license_id = coalesce(l.extends_license_id, l.license_id)
WHERE l.license_id IN (SELECT value FROM json_each(:license_ids)) OR l.extends_license_id IN (SELECT value FROM json_each(:license_ids))
GROUP BY l.license_id, o.shop_id
ORDER BY l.license_id;

-- name: placements_of_licenses
SELECT p.license_id, p.serial, p.wanted, p.occupied, p.confirmed
FROM placements AS p
WHERE p.license_id IN (SELECT value FROM json_each(:license_ids))
ORDER BY p.license_id, p.serial;

-- name: lines_of_orders
SELECT
    l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
    l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at,
    l.previous, l.rules, l.dedicated_serial,
    CAST(coalesce(sum(p.wanted), 0) AS BIGINT) AS wanted,
    CAST(coalesce(sum(p.occupied), 0) AS BIGINT) AS occupied,
    CAST(coalesce(sum(p.confirmed), 0) AS BIGINT) AS confirmed
FROM licenses AS l
LEFT JOIN placements AS p ON p.license_id = coalesce(l.extends_license_id, l.license_id)
WHERE l.order_id IN (SELECT value FROM json_each(:order_ids))
GROUP BY l.license_id
ORDER BY l.order_id, l.line_number;

-- name: tickets_by_id
SELECT ticket_id, lookup, sealed, created_at
FROM tickets
WHERE ticket_id IN (SELECT value FROM json_each(:ticket_ids));
