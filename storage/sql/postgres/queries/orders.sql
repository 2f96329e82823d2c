-- name: place_orders
WITH command AS (
    SELECT *
    FROM unnest(
        :position::bigint[], :answer_shop_id::text[], :answer_operation::text[], :answer_transaction_id::text[],
        :answer_request_hash::bytea[], :answer_answer_sealed::bytea[], :answer_created_at::bigint[],
        :order_order_id::text[], :order_shop_id::text[], :order_transaction_id::text[], :order_order_number::text[],
        :order_ticket_id::text[], :order_customer_sealed::bytea[], :order_created_at::bigint[],
        :order_customer_lookup::bytea[]
    ) AS c (
        position, answer_shop_id, operation, answer_transaction_id, request_hash, answer_sealed, answered_at,
        order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, ordered_at,
        customer_lookup
    )
),
answered AS (
    INSERT INTO answers (shop_id, operation, transaction_id, request_hash, answer_sealed, created_at)
    SELECT answer_shop_id, operation, answer_transaction_id, request_hash, answer_sealed, answered_at
    FROM command
    ORDER BY answer_shop_id COLLATE "C", operation COLLATE "C", answer_transaction_id COLLATE "C"
    ON CONFLICT (shop_id, operation, transaction_id) DO NOTHING
    RETURNING shop_id, operation, transaction_id
),
fresh AS (
    SELECT c.*
    FROM command AS c
    JOIN answered AS a
      ON a.shop_id = c.answer_shop_id AND a.operation = c.operation AND a.transaction_id = c.answer_transaction_id
),
ordered AS (
    INSERT INTO orders (
        order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, created_at, customer_lookup
    )
    SELECT order_id, shop_id, transaction_id, order_number, ticket_id, customer_sealed, ordered_at, customer_lookup
    FROM fresh
    ORDER BY shop_id COLLATE "C", order_number COLLATE "C", order_id COLLATE "C"
    ON CONFLICT (shop_id, order_number) DO NOTHING
    RETURNING order_id
),
ticketed AS (
    INSERT INTO tickets (ticket_id, lookup, sealed, created_at)
    SELECT t.ticket_id, t.lookup, t.sealed, t.created_at
    FROM unnest(
        :ticket_order_id::text[], :ticket_ticket_id::text[], :ticket_lookup::bytea[], :ticket_sealed::bytea[],
        :ticket_created_at::bigint[]
    ) AS t (order_id, ticket_id, lookup, sealed, created_at)
    JOIN ordered AS o ON o.order_id = t.order_id
    ORDER BY t.ticket_id COLLATE "C"
),
licensed AS (
    INSERT INTO licenses (
        license_id, order_id, line_number, ticket_id, item_number, firm_code, product_code, quantity, generation,
        options, extends_license_id, withdrawn, version, created_at, rules
    )
    SELECT
        l.license_id, l.order_id, l.line_number, l.ticket_id, l.item_number, l.firm_code, l.product_code, l.quantity,
        l.generation, l.options, l.extends_license_id, l.withdrawn, l.version, l.created_at, l.rules
    FROM unnest(
        :license_placed_by::text[], :license_license_id::text[], :license_order_id::text[],
        :license_line_number::bigint[], :license_ticket_id::text[], :license_item_number::text[],
        :license_firm_code::bigint[], :license_product_code::bigint[], :license_quantity::bigint[],
        :license_generation::bigint[], :license_options::text[], :license_extends_license_id::text[],
        :license_withdrawn::boolean[], :license_version::bigint[], :license_created_at::bigint[],
        :license_rules::text[]
    ) AS l (
        placed_by, license_id, order_id, line_number, ticket_id, item_number, firm_code, product_code, quantity,
        generation, options, extends_license_id, withdrawn, version, created_at, rules
    )
    JOIN ordered AS o ON o.order_id = l.placed_by
    ORDER BY l.license_id COLLATE "C"
),
audited AS (
    INSERT INTO audit (at, actor, action, subject, details)
    SELECT a.at, a.actor, a.action, a.subject, a.details
    FROM unnest(
        :audit_order_id::text[], :audit_at::bigint[], :audit_actor::text[], :audit_action::text[],
        :audit_subject::text[], :audit_details::text[]
    ) AS a (order_id, at, actor, action, subject, details)
    JOIN ordered AS o ON o.order_id = a.order_id
)
SELECT c.position, f.position IS NOT NULL AS number_taken
FROM command AS c
LEFT JOIN fresh AS f ON f.position = c.position
LEFT JOIN ordered AS o ON o.order_id = c.order_id
WHERE o.order_id IS NULL;

-- name: withdraw_answers
DELETE FROM answers AS a
USING unnest(:shop_id::text[], :operation::text[], :transaction_id::text[]) AS n (shop_id, operation, transaction_id)
WHERE a.shop_id = n.shop_id AND a.operation = n.operation AND a.transaction_id = n.transaction_id;

-- name: answers_to
SELECT n.position, a.shop_id, a.operation, a.transaction_id, a.request_hash, a.answer_sealed, a.created_at
FROM unnest(:position::bigint[], :shop_id::text[], :operation::text[], :transaction_id::text[])
    AS n (position, shop_id, operation, transaction_id)
JOIN answers AS a
  ON a.shop_id = n.shop_id AND a.operation = n.operation AND a.transaction_id = n.transaction_id;

-- name: orders_numbered
SELECT n.position, o.order_id
FROM unnest(:position::bigint[], :shop_id::text[], :order_number::text[]) AS n (position, shop_id, order_number)
JOIN orders AS o ON o.shop_id = n.shop_id AND o.order_number = n.order_number;

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
WHERE l.license_id = ANY (:license_ids::text[]) OR l.extends_license_id = ANY (:license_ids::text[])
GROUP BY l.license_id, o.shop_id
ORDER BY l.license_id;

-- name: placements_of_licenses
SELECT p.license_id, p.serial, p.wanted, p.occupied, p.confirmed
FROM placements AS p
WHERE p.license_id = ANY (:license_ids::text[])
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
WHERE l.order_id = ANY (:order_ids::text[])
GROUP BY l.license_id
ORDER BY l.order_id, l.line_number;

-- name: tickets_by_id
SELECT ticket_id, lookup, sealed, created_at
FROM tickets
WHERE ticket_id = ANY (:ticket_ids::text[]);
